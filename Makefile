# Everything a fresh machine needs is set up by the targets themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: run test verify-full formal mutants hil check firmware fuzz analyse bench boards equality gallery clean needs

run: $(STAMP)
	$(BIN)/npde demo

test: $(STAMP)
	$(BIN)/python -m pytest -n auto

# Everything: hundreds of programs that hypothesis draws, a million frames on harmed lines, ten thousand of them through the
# whole SoC, a million strings for the parser, a hundred thousand frames for the gateware. Hours on two cores; what was
# counted is printed.
verify-full: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m "slow or not slow"

# Every proof, and the broken twin it must refute: a table, in some minutes. The quickest belong to make test.
formal: $(STAMP)
	$(BIN)/python -m pytest tests/formal -n 0 -m "slow or not slow"

# Faults in each component's netlist, and whether its tests notice: hours. COMPONENT="pool uart" for some, NPDE_MUTANTS=20 for fewer.
mutants: $(STAMP)
	$(BIN)/python benchmarks/mutants.py $(COMPONENT)

# The suite that any board must pass: make hil PORT=/dev/ttyUSB1 MODEL=fashion; a virtual iCEBreaker by default.
PORT ?= virtual:icebreaker
MODEL ?= digits
hil: $(STAMP)
	$(BIN)/python -m pytest tests/hil --npde-board="$(PORT)" --npde-model="$(MODEL)"

# MODEL's firmware for every board, in build/firmware; says which toolchain is missing, by its Debian package.
firmware: $(STAMP)
	$(BIN)/npde export c "$(MODEL)" -o build/firmware
	$(MAKE) -C build/firmware all

# The firmware's loader and protocol under libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer, each for TIME seconds; what
# they found new stays in build/fuzz for the next time.
TIME ?= 60
fuzz: $(STAMP)
	$(MAKE) -s -C firmware/fuzz needs
	$(BIN)/python firmware/fuzz/seeds.py build/fuzz
	$(BIN)/npde export c build/fuzz/model.npde -o build/fuzz/model
	$(MAKE) -s -C firmware/fuzz TIME=$(TIME)

# The runtime, the loader and the link before three static analysers, each of which ends with an error for anything it says.
ANALYSED := $(wildcard firmware/src/*.c firmware/src/link/*.c)
analyse:
	@for tool in gcc clang cppcheck; do command -v $$tool >/dev/null || { echo "analyse needs $$tool; Debian has it in $$tool" >&2; exit 1; }; done
	@for file in $(ANALYSED); do gcc -std=c11 -O2 -Wall -Wextra -Wconversion -Werror -fanalyzer -Ifirmware/include -c $$file -o /dev/null || exit 1; done
	clang --analyze --analyzer-output text -Xclang -analyzer-werror -std=c11 -Ifirmware/include $(ANALYSED)
	cppcheck --std=c11 --enable=warning,performance,portability,style --inline-suppr -q -Ifirmware/include --error-exitcode=1 firmware/src

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

# FASHION=FOLDER of Fashion-MNIST's IDX files adds its figures.
bench: $(STAMP)
	$(BIN)/python benchmarks/golden.py $(FASHION)
	$(BIN)/python benchmarks/utilisation.py
	$(BIN)/python benchmarks/virtual_board.py $(FASHION)

# Every shipped model's bitstream, one model's on every board, and Gray-Scott's beside solvers on this machine: hours.
boards: $(STAMP)
	$(BIN)/python benchmarks/boards.py
	$(BIN)/python benchmarks/gray_scott.py

# One program as golden, in jax, as design, as routed gates, as decompiled bits and in C, every integer compared; then random
# programs. What is not built yet is placed and routed first, minutes each: make equality PROGRAMS=5
PROGRAMS ?= 2
equality: $(STAMP)
	$(BIN)/python benchmarks/equality.py --programs $(PROGRAMS)

# Every ready equation and shipped classifier on a virtual ULX3S, as build/gallery/index.html: minutes the first time, for the
# simulators. FASHION=FOLDER as for bench.
gallery: $(STAMP)
	$(BIN)/npde gallery $(if $(FASHION),--fashion "$(FASHION)")

# What no virtualenv can bring, asked for by name before anything is installed.
needs:
	@missing=; for tool in g++ perl git; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	test -z "$$missing" || { echo "npde needs$$missing: install it with your system's packages, then run make again" >&2; exit 1; }
	@command -v $(PYTHON) >/dev/null || { echo "npde needs Python 3.11 or newer; $(PYTHON) is not there" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "npde needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "npde needs Python's venv module (Debian: python3-venv)" >&2; exit 1; }

$(STAMP): pyproject.toml | needs
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache
