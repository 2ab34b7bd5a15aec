/* CRC-32/ISO-HDLC, a nibble at a time: a table of 64 bytes. */
#ifndef NPDE_CRC_H
#define NPDE_CRC_H

#include <stdint.h>

#define NPDE_CRC_START UINT32_MAX
#define NPDE_CRC_GOOD UINT32_C(0xDEBB20E3) /* what is left once a frame's own CRC has gone through */

uint32_t npde_crc(uint32_t crc, uint8_t byte);

#endif
