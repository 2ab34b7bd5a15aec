/* The constants of docs/protocol.md, made from the tables in host/npde/link/protocol.py by
 * `python -m npde.link.protocol_header`; do not edit them here. */
#ifndef NPDE_PROTOCOL_H
#define NPDE_PROTOCOL_H

#define NPDE_MAGIC "NPDE"
#define NPDE_PROTOCOL_VERSION 1
#define NPDE_DELIMITER 0
#define NPDE_REPLY 128
#define NPDE_FRAME_BYTES 512
#define NPDE_CRC_BYTES 4
#define NPDE_OVERHEAD_BYTES 6
#define NPDE_HASH_BYTES 16
#define NPDE_NAME_BYTES 16
#define NPDE_FLAG_COMMITTED 1
#define NPDE_FLAG_RATE 2
#define NPDE_FLAG_PROGRAMS 4
#define NPDE_FIELD_LOAD 1
#define NPDE_FIELD_EMIT 2
#define NPDE_FIELD_REPORT 4
#define NPDE_HEADER_BYTES 5
#define NPDE_MOST_REGIONS 42
#define NPDE_MOST_WORD_BYTES 503

/* Kinds of requests. */
enum {
    NPDE_SYNC = 1,
    NPDE_IDENTIFY = 2,
    NPDE_STATUS = 3,
    NPDE_RESET = 4,
    NPDE_READ = 5,
    NPDE_WRITE = 6,
    NPDE_COMMIT = 7,
    NPDE_PUSH = 8,
    NPDE_PULL = 9,
    NPDE_PROGRAM = 10,
    NPDE_ADOPT = 11,
    NPDE_RATE = 12,
    NPDE_DESCRIBE = 13,
};

/* How a request ended. */
enum {
    NPDE_STATUS_OK = 0,
    NPDE_STATUS_SEQUENCE = 1,
    NPDE_STATUS_UNKNOWN = 2,
    NPDE_STATUS_LENGTH = 3,
    NPDE_STATUS_RANGE = 4,
    NPDE_STATUS_NO_MODEL = 5,
    NPDE_STATUS_POSITION = 6,
    NPDE_STATUS_REFUSED = 7,
};

/* {kind, least bytes of a request's payload, whether more may follow, whether programs must be loadable} */
#define NPDE_COMMANDS { \
    {NPDE_SYNC, 4, 0, 0}, \
    {NPDE_IDENTIFY, 0, 0, 0}, \
    {NPDE_STATUS, 0, 0, 0}, \
    {NPDE_RESET, 0, 0, 0}, \
    {NPDE_READ, 5, 0, 0}, \
    {NPDE_WRITE, 3, 1, 0}, \
    {NPDE_COMMIT, 16, 0, 0}, \
    {NPDE_PUSH, 2, 1, 0}, \
    {NPDE_PULL, 4, 0, 0}, \
    {NPDE_PROGRAM, 2, 1, 1}, \
    {NPDE_ADOPT, 2, 0, 1}, \
    {NPDE_RATE, 2, 0, 0}, \
    {NPDE_DESCRIBE, 4, 0, 0}, \
}

#endif
