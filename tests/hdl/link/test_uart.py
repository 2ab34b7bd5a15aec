"""Serial bytes in and out: any gap, a far end 2 % too fast or too slow, glitches and broken stop bits."""

from __future__ import annotations

import pytest

from npde_hdl.link.uart import UartReceiver, UartTransmitter
from npde_sim.bench import Case, Expectation, Rack, simulate
from npde_sim.bench.scoreboard import Mismatch
from npde_sim.bench.uart import Line

DIVISORS = (4, 5, 8, 26)
EXTREMES = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80]


async def receives(bench, divisors, drift):
    """Bytes back to back and with gaps of any fraction of a bit."""
    for divisor in divisors:
        getattr(bench.dut, f"d{divisor}__bit").value = divisor
    lines = [bench.start(one_line(bench, divisor, drift)) for divisor in divisors]
    while not all(line.done() for line in lines):
        await bench.cycle()


async def one_line(bench, divisor, drift):
    dut = {member: getattr(bench.dut, f"d{divisor}__{member}") for member in ("rx", "byte", "valid", "error")}
    line = Line(bench, rx=dut["rx"], bit=divisor * (1 + drift))
    sent = EXTREMES + [bench.dice.randrange(256) for _ in range(40)]
    expected = Expectation(f"divisor {divisor}", sent, ["byte"])
    bench.start(gather(bench, dut, expected))
    await line.pause(3)
    for byte in sent:
        if bench.dice.random() < 0.5:
            await line.pause(bench.dice.random() * 3)
        await line.send(bytes([byte]))
    await line.pause(3)
    if not expected.complete:
        raise Mismatch(expected.shortfall())


async def gather(bench, dut, expected):
    while True:
        await bench.cycle()
        if int(dut["error"].value):
            raise Mismatch(f"{expected.what}: an error after {expected.came} bytes of a faultless line")
        if int(dut["valid"].value):
            expected.take([int(dut["byte"].value)])


@pytest.mark.parametrize("drift", [0.0, 0.02, -0.02])
def test_bytes_are_received_from_a_clock_two_percent_off(drift):
    rack = Rack({f"d{divisor}": UartReceiver(max(DIVISORS)) for divisor in DIVISORS})
    simulate(rack, receives, cases=[Case(1), Case(2)], divisors=DIVISORS, drift=drift)


async def broken(bench, divisors):
    """Each byte with a low stop bit is one error and no byte, a glitch is nothing; what follows is received."""
    for divisor in divisors:
        getattr(bench.dut, f"d{divisor}__bit").value = divisor
    lines = [bench.start(broken_line(bench, divisor)) for divisor in divisors]
    while not all(line.done() for line in lines):
        await bench.cycle()


async def broken_line(bench, divisor):
    dut = {member: getattr(bench.dut, f"d{divisor}__{member}") for member in ("rx", "byte", "valid", "error")}
    line = Line(bench, rx=dut["rx"], bit=divisor)
    seen = []
    bench.start(events(bench, dut, seen))
    await line.pause(3)
    for _ in range(6):
        await line.send(b"\x5a")
        await line.send(bytes([bench.dice.randrange(256)]), stop=0)
        dut["rx"].value = 0
        await line.pause(0.25)
        dut["rx"].value = 1
        await line.pause(12)
        await line.send(b"\xc3")
        await line.pause(1)
    if seen != [0x5A, None, 0xC3] * 6:
        raise Mismatch(f"divisor {divisor}: bytes and errors (None): {[0x5A, None, 0xC3] * 6} expected, {seen} came")


async def events(bench, dut, seen):
    while True:
        await bench.cycle()
        if int(dut["valid"].value):
            seen.append(int(dut["byte"].value))
        if int(dut["error"].value):
            seen.append(None)


def test_a_low_stop_bit_is_an_error_and_a_glitch_is_nothing():
    rack = Rack({f"d{divisor}": UartReceiver(max(DIVISORS)) for divisor in DIVISORS})
    simulate(rack, broken, cases=[Case(1)], divisors=DIVISORS)


async def transmits(bench, divisors):
    """What a far end reads in the middle of each bit."""
    lines = []
    for divisor in divisors:
        getattr(bench.dut, f"d{divisor}__bit").value = divisor
        sent = EXTREMES + [bench.dice.randrange(256) for _ in range(30)]
        bench.feed(f"d{divisor}__bytes", sent)
        line = Line(bench, tx=getattr(bench.dut, f"d{divisor}__tx"), bit=divisor)
        lines.append(bench.start(reads(line, Expectation(f"divisor {divisor}", sent, ["byte"]))))
    while not all(line.done() for line in lines):
        await bench.cycle()


async def reads(line, expected):
    while not expected.complete:
        byte = await line.receive()
        if byte is None:
            raise Mismatch(expected.shortfall())
        expected.take([byte])


def test_bytes_are_transmitted_with_every_bit_its_full_length():
    rack = Rack({f"d{divisor}": UartTransmitter(max(DIVISORS)) for divisor in DIVISORS})
    simulate(rack, transmits, cases=[Case(1, "all-out"), Case(2), Case(3, "slow")], divisors=DIVISORS)


def test_a_bit_shorter_than_four_cycles_is_refused():
    for end in (UartReceiver, UartTransmitter):
        with pytest.raises(ValueError, match="at least 4 clock cycles, not 3"):
            end(3)
