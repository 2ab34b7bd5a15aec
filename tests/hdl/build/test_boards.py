"""Every board's row: its platform has the pins, its PLL makes the clock, its serial line the bits, and Yosys' input comes out."""

from __future__ import annotations

import pytest

from npde.errors import BuildError
from npde.models import load_model
from npde_hdl.board import BOARDS
from npde_hdl.build import bitstream
from npde_hdl.build.flash import flash
from npde_hdl.plan import plan_for


@pytest.mark.parametrize("name", BOARDS)
def test_a_row_is_all_a_board_needs(name, tmp_path):
    board = BOARDS[name]
    plan = plan_for(load_model("mlp" if board.budget.luts > 20_000 else "digits").program, board)
    commands = bitstream._prepare(plan, board, tmp_path)
    assert [command[0] for command in commands] == ["yosys", f"nextpnr-{board.family}", {"ice40": "icepack", "ecp5": "ecppack"}[board.family]]
    constraints = (tmp_path / ("npde.pcf" if board.family == "ice40" else "npde.lpf")).read_text()
    for pin in (*(board.serial or ()), *(pin for _, pin in board.pins)):
        assert f" {pin}\n" in constraints or f'"{pin}"' in constraints
    assert "uart_0__rx" in constraints
    assert "uart_0__tx" in constraints
    assert f"{board.oscillator / 1e6:g}" in constraints or f"{board.oscillator}" in constraints


@pytest.mark.parametrize("name", [name for name, board in BOARDS.items() if not board.loader])
def test_a_board_that_the_loader_does_not_know_says_what_writes_it(name, tmp_path):
    with pytest.raises(BuildError, match=f"openFPGALoader does not know {BOARDS[name].title.split(' ')[0]}.*; what writes it: "):
        flash(tmp_path / "npde.bin", name)


def test_the_device_is_the_platforms():
    """A budget goes with the part that the platform names."""
    parts = {"UP5K": 5280, "8K": 7680, "12F": 24288, "25F": 24288, "45F": 43848, "85F": 83640}
    for board in BOARDS.values():
        device = bitstream.platform_of(board).device
        assert board.budget.luts == next(cells for part, cells in parts.items() if device.endswith(part))
