"""Serial bytes in and out: any gap, a far end 2 % too fast or too slow, glitches and broken stop bits."""

from __future__ import annotations

import pytest

from npde_hdl.link.uart import UartReceiver, UartTransmitter
from npde_sim.bench import Case, Expectation, Rack, simulate
from npde_sim.bench.scoreboard import Mismatch
from npde_sim.bench.uart import Line

DIVISORS = (4, 5, 11, 26)
EXTREMES = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80]


def turned(divisors, turn):
    """The rates in the order in which one of the ends side by side takes them: each takes every rate."""
    return (*divisors[turn:], *divisors[:turn])


def pins(bench, divisor, *members):
    return {member: getattr(bench.dut, f"d{divisor}__{member}") for member in members}


async def receives(bench, divisors, drift):
    """Bytes back to back and with gaps of any fraction of a bit, at one rate after the other."""
    lines = [bench.start(one_line(bench, turned(divisors, turn), drift)) for turn in range(len(divisors))]
    while not all(line.done() for line in lines):
        await bench.cycle()


async def one_line(bench, rates, drift):
    dut = pins(bench, rates[0], "bit", "rx", "byte", "valid", "error")
    expected = []
    for divisor in rates:
        dut["bit"].value = divisor
        line = Line(bench, rx=dut["rx"], bit=divisor * (1 + drift))
        sent = EXTREMES + [bench.dice.randrange(256) for _ in range(8)]
        expected.append(Expectation(f"divisor {divisor}", sent, ["byte"]))
        if len(expected) == 1:
            bench.start(gather(bench, dut, expected))
        await line.pause(3)
        for byte in sent:
            if bench.dice.random() < 0.5:
                await line.pause(bench.dice.random() * 3)
            await line.send(bytes([byte]))
        await line.pause(3)
        if not expected[-1].complete:
            raise Mismatch(expected[-1].shortfall())


async def gather(bench, dut, expected):
    while True:
        await bench.cycle()
        if int(dut["error"].value):
            raise Mismatch(f"{expected[-1].what}: an error after {expected[-1].came} bytes of a faultless line")
        if int(dut["valid"].value):
            expected[-1].take([int(dut["byte"].value)])


@pytest.mark.parametrize("drift", [0.0, 0.02, -0.02])
def test_bytes_are_received_from_a_clock_two_percent_off(drift):
    rack = Rack({f"d{divisor}": UartReceiver(max(DIVISORS)) for divisor in DIVISORS})
    simulate(rack, receives, cases=[Case(1), Case(2)], divisors=DIVISORS, drift=drift)


async def broken(bench, divisors):
    """Each byte with a low stop bit is one error and no byte, a glitch is nothing; what follows is received."""
    lines = [bench.start(broken_line(bench, turned(divisors, turn))) for turn in range(len(divisors))]
    while not all(line.done() for line in lines):
        await bench.cycle()


async def broken_line(bench, rates):
    dut = pins(bench, rates[0], "bit", "rx", "byte", "valid", "error")
    seen = []
    bench.start(events(bench, dut, seen))
    for divisor in rates:
        dut["bit"].value = divisor
        line = Line(bench, rx=dut["rx"], bit=divisor)
        await line.pause(3)
        for _ in range(2):
            await line.send(b"\x5a")
            await line.send(bytes([bench.dice.randrange(256)]), stop=0)
            dut["rx"].value = 0
            await line.pause(0.25)
            dut["rx"].value = 1
            await line.pause(12)
            await line.send(b"\xc3")
            await line.pause(1)
        if seen != [0x5A, None, 0xC3] * 2:
            raise Mismatch(f"divisor {divisor}: a byte, an error (None) and a byte expected, twice; {seen} came")
        seen.clear()


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
    """What a far end reads in the middle of each bit, at one rate after the other."""
    lines = [bench.start(one_sender(bench, turned(divisors, turn))) for turn in range(len(divisors))]
    while not all(line.done() for line in lines):
        await bench.cycle()


async def one_sender(bench, rates):
    dut = pins(bench, rates[0], "bit", "tx", "bytes__ready")
    for divisor in rates:
        dut["bit"].value = divisor
        sent = EXTREMES + [bench.dice.randrange(256) for _ in range(8)]
        bench.feed(f"d{rates[0]}__bytes", sent)
        line = Line(bench, tx=dut["tx"], bit=divisor)
        await reads(line, Expectation(f"divisor {divisor}", sent, ["byte"]))
        await line.pause(2)
        for _ in range(8):
            await bench.cycle()
            if not int(dut["bytes__ready"].value):
                raise Mismatch(f"divisor {divisor}: an idle line takes no byte")


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
