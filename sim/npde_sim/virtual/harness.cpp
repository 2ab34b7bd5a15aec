// The Verilated SoC behind a pseudo-terminal: its rx and tx pins, bit by bit, at the rate the host set on the terminal.
// Every byte spends DELAY_CYCLES on its way, in either direction, as it does in a USB bridge.
#include <asm/termbits.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <deque>
#include "Vtop.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

static volatile sig_atomic_t stopped = 0, tracing = 0;
static void stop(int) { stopped = 1; }
static void trace(int) { tracing = 1; }

static double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 3 + VM_TRACE) return fprintf(stderr, "usage: %s CLOCK_HZ DELAY_CYCLES%s\n", argv[0], VM_TRACE ? " WAVEFORM" : ""), 2;
    const double clock_hz = atof(argv[1]);
    const unsigned long long delay = strtoull(argv[2], nullptr, 10);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    signal(SIGUSR1, trace);  // from here on, or a waveform would be mostly weights being loaded

    const int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (master < 0 || grantpt(master) || unlockpt(master)) return perror("pseudo-terminal"), 1;
    const char *name = ptsname(master);
    // Held open here as well, so that the terminal outlives each host that opens and closes it.
    const int slave = open(name, O_RDWR | O_NOCTTY);
    termios2 line;
    ioctl(slave, TCGETS2, &line);
    line.c_iflag = line.c_oflag = line.c_lflag = 0;
    ioctl(slave, TCSETS2, &line);
    printf("%s\n", name);
    fflush(stdout);

    VerilatedContext context;
    Vtop top{&context};
#if VM_TRACE
    VerilatedVcdC waveform;
    context.traceEverOn(true);
    top.trace(&waveform, 99);
    const double half_ps = 0.5e12 / clock_hz;
    unsigned long long halves = 0;
#endif
    top.rx = 1;
    top.rst = 0;
    top.clk = 0;
    auto half = [&](int clk) {
        top.clk = clk;
        top.eval();
#if VM_TRACE
        if (tracing) {
            if (!waveform.isOpen()) waveform.open(argv[3]);
            waveform.dump((vluint64_t)(halves++ * half_ps));
        }
#endif
    };
    auto tick = [&] {
        half(1);
        half(0);
    };

    struct Byte { unsigned char value; unsigned long long due; };
    std::deque<Byte> in, back;     // on their way to rx, and from tx to the host
    unsigned char block[4096], out = 0;
    unsigned long long look = 0;   // when to ask for bytes next
    unsigned sending = 0;          // frame bits still to go onto rx, least significant first
    int send_bits = 0, receive_bits = 0;
    // Cycles left of a bit. Fractions count: a clock is seldom a whole multiple of the bit rate.
    double send_timer = 0, receive_timer = 0, bit = 8;
    unsigned long long cycles = 0, quiet = 0;
    double busy = 0;
    while (!stopped) {
        const double began = now();
        const int burst = 20000;
        for (int i = 0; i < burst; i++) {
            if (send_timer < 1) {
                // A host's byte is looked for at every byte's end, so that how long a burst is here says nothing of the line.
                if (send_bits == 0 && cycles >= look && in.size() < sizeof block) {
                    const ssize_t got = read(master, block, sizeof block);
                    // The rate these bytes were sent at was set before them.
                    if (got > 0 && !ioctl(slave, TCGETS2, &line) && line.c_ospeed) bit = clock_hz / line.c_ospeed;
                    for (ssize_t n = 0; n < got; n++) in.push_back({block[n], cycles + delay});
                    look = cycles + (unsigned long long)(10 * bit);
                }
                if (send_bits == 0 && !in.empty() && in.front().due <= cycles) {
                    sending = (in.front().value << 1) | 0x200;
                    in.pop_front();
                    send_bits = 10;
                }
                if (send_bits) {
                    top.rx = sending & 1;
                    sending >>= 1;
                    send_bits--;
                    send_timer += bit - 1;
                    quiet = 0;
                }
                else {
                    send_timer = 0;
                }
            } else {
                send_timer--;
            }
            tick();
            if (receive_bits == 0) {
                if (!top.tx) {
                    receive_bits = 9;
                    receive_timer = 1.5 * bit;
                    out = 0;
                }
            } else if (--receive_timer < 1) {
                receive_timer += bit;
                if (--receive_bits == 0) {
                    back.push_back({out, cycles + delay});
                } else {
                    out = (out >> 1) | (top.tx ? 0x80 : 0);
                }
                quiet = 0;
            }
            while (!back.empty() && back.front().due <= cycles) {
                while (write(master, &back.front().value, 1) < 0 && !stopped) usleep(100);
                back.pop_front();
            }
            quiet++;
            cycles++;
        }
        busy += now() - began;
        // A frame may take millions of cycles to compute; only after those may simulated time stand still.
        if (in.empty() && quiet > 20000000ull) {
            pollfd wait{master, POLLIN, 0};
            poll(&wait, 1, 200);
        }
    }
#if VM_TRACE
    waveform.close();
#endif
    fprintf(stderr, "%llu cycles, %.2f Mcycle/s\n", cycles, busy > 0 ? cycles / busy / 1e6 : 0.0);
    return 0;
}
