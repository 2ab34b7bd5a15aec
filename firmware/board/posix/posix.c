/* A program on this machine whose serial line is a pseudo-terminal; prints its device path, serves until terminated. */
#include <asm/termbits.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "board.h"

#define BAUD 3000000u

static int master, slave;
static uint8_t in[4096];
static size_t have, at;
static bool garbage;

static void stop(int number)
{
    (void)number;
    exit(0); /* not _exit: sanitizers and profiles have something to say at the end */
}

void board_begin(void)
{
    struct termios2 line;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) || unlockpt(master)) {
        perror("pseudo-terminal");
        exit(1);
    }
    const char *name = ptsname(master);
    slave = open(name, O_RDWR | O_NOCTTY); /* held here as well, so that the terminal outlives each host */
    ioctl(slave, TCGETS2, &line);
    line.c_iflag = line.c_oflag = line.c_lflag = 0;
    ioctl(slave, TCSETS2, &line);
    printf("%s\n", name);
    fflush(stdout);
}

static bool wait_for_byte(int milliseconds)
{
    struct pollfd wait = {master, POLLIN, 0};
    return poll(&wait, 1, milliseconds) == 1;
}

/* Bytes sent at another rate than the board's would be garbage on a wire: so they are here. */
static bool garbled(void)
{
    struct termios2 line;
    ioctl(slave, TCGETS2, &line);
    return line.c_ospeed != BAUD;
}

int board_read(void)
{
    if (at == have) {
        at = have = 0;
        if (!wait_for_byte(0)) return -1;
        const ssize_t got = read(master, in, sizeof in);
        if (got <= 0) return -1;
        have = (size_t)got;
        garbage = garbled();
    }
    const uint8_t byte = in[at++];
    return garbage && byte ? -2 : byte;
}

void board_wait(void)
{
    wait_for_byte(200);
}

static void put(const uint8_t *bytes, size_t count)
{
    while (count) {
        const ssize_t wrote = write(master, bytes, count);
        if (wrote < 0) continue;
        bytes += wrote;
        count -= (size_t)wrote;
    }
}

static uint32_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
}

const npde_board board = {
    .name = "posix", .clock = 1000000000, .baud = BAUD, .ring = sizeof in, .patience = 4000000, .write = put, .cycles = nanoseconds,
};
