"""The doctor names what is wrong and what to do, and finds nothing wrong with a sound board."""

from __future__ import annotations

import pytest

from npde.link.board import Board
from npde.link.doctor import examine, ports
from npde.link.fault import Faults, FaultyPipe
from npde.link.pipe import SerialPipe


def test_a_sound_board_passes_every_check(fake_board, small):
    findings = examine(fake_board(small).port)
    assert [finding.what for finding in findings] == ["board", "program", "model", "loop-back", "link"]
    assert all(finding.ok for finding in findings), findings


def test_an_absent_and_a_busy_port_have_their_own_advice(fake_board, small):
    (absent,) = examine("/dev/no-such-port")
    assert (absent.ok, "does not exist" in absent.found, "plug the board in" in absent.advice) == (False, True, True)
    fake = fake_board(small)
    with Board.open(fake.port):
        (busy,) = examine(fake.port)
    assert (busy.ok, busy.advice) == (False, "close the other program")


def test_a_bad_line_is_found_and_counted(fake_board, small):
    fake = fake_board(small)
    pipe = FaultyPipe(SerialPipe(fake.port, 3_000_000), Faults(), 1)

    def opened(port, baud):
        board = Board.open(port, baud=baud, pipe=pipe)
        board.session.patience = 0.05
        pipe.faults = Faults(flip=2e-4)
        return board

    last = examine(fake.port, opened=opened)[-1]
    assert (last.what, last.ok) == ("link", False)
    assert "shorter cable" in last.advice


def test_another_bit_rate_is_found(fake_board, small):
    fake = fake_board(small)

    def opened(port, baud):
        if baud != 115_200:
            from npde.errors import LinkError

            raise LinkError(f"nothing answers on {port} at {baud} baud")
        return Board.open(port, baud=baud)

    (found,) = examine(fake.port, opened=opened)
    assert found.advice == "use --baud 115200"


def test_no_port_is_said(monkeypatch):
    monkeypatch.setattr("npde.link.doctor.list_ports.comports", list)
    (none,) = ports()
    assert not none.ok
    assert "plug a board in" in none.advice


@pytest.mark.parametrize("words", [["--port", "/dev/no-such-port"], ["--port", "/dev/no-such-port", "--json"]])
def test_the_command_ends_with_the_link_s_code(words, monkeypatch, capsys):
    from npde.cli import main

    monkeypatch.setattr("sys.argv", ["npde", "doctor", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 6
    told = capsys.readouterr()
    assert "plug the board in" in told.err
