"""A model as ``model.c``: the runtime's tables, the integers that fill them, and every buffer of the size they need."""

from __future__ import annotations

from collections.abc import Mapping

from npde.firmware.csource import BOUNDARIES, CSource, fields, integer_type, octets, truth
from npde.firmware.evolve_tables import evolve_table, scratch_values
from npde.firmware.regions import Memory, build_id, element_bytes, memories
from npde.firmware.stages import Stage, is_short, rows_reached, rows_spanned, runs_of, stages
from npde.fixed import Q
from npde.link.packing import Packing
from npde.model import Model
from npde.program import Clip, Dense, Evolve, Grid, Pool, Program, Recurrent, Relu, Stencil, Table
from npde.program.phi import Phi


def model_source(model: Model) -> str:
    """The text of ``model.c``; raises :class:`npde.errors.FitError` for a program that the link cannot describe."""
    program = model.program
    source = CSource()
    source.line(f"/* Model {_comment(program.name)}, made by `npde export c`. */")
    source.line('#include "npde.h"\n#include "model.h"')
    source.line("/* Define NPDE_CONSTANT_WEIGHTS to keep the weights in flash; no host can then load others. */")
    source.line("#ifdef NPDE_CONSTANT_WEIGHTS\n#define WEIGHTS static const\n#define LOADED(words) NULL")
    source.line("#else\n#define WEIGHTS static\n#define LOADED(words) words\n#endif")
    held = memories(program)
    _memories(source, model, held)
    chain = stages(program)
    names = {stage.index: _step(source, program, stage, held) for stage in chain}
    _stages(source, chain, names)
    _model(source, model, chain, held)
    text = str(source)
    return text.replace("@BUILD@", octets(build_id(text)))


def model_header(model: Model) -> str:
    """The text of ``model.h``: the model's name and its two sizes."""
    program = model.program
    return "\n".join((
        f"/* Model {_comment(program.name)}, made by `npde export c`. */",
        "#ifndef NPDE_MODEL_H",
        "#define NPDE_MODEL_H",
        "",
        '#include "npde.h"',
        "",
        f"#define MODEL_FRAME {program.input.size}u /* values of one frame, {program.input} */",
        f"#define MODEL_ANSWER {program.output.size + program.argmax}u /* values of one answer, label included */",
        "",
        "extern const npde_model model;",
        "",
        "#endif",
    )) + "\n"  # fmt: skip


def _memories(source: CSource, model: Model, held: list[Memory]) -> None:
    rows = []
    for memory in held:
        words, bytes_of_one = _words(memory), element_bytes(memory.bits)
        if memory.region.copy == memory.place[1]:
            integers = memory.integers(model.weights[memory.region.step]).ravel().tolist()
            source.array(integer_type(bytes_of_one), words, integers, storage="WEIGHTS")
        region = memory.region
        rows.append({
            "words": words, "loaded": f"LOADED({words})", "depth": region.depth, "fields": memory.fields, "bits": memory.bits,
            "bytes": bytes_of_one, "step": region.step, "copy": region.copy, "pe": region.pe, "simd": region.simd,
        })  # fmt: skip
    source.structures("npde_memory", "memories", rows)


def _words(memory: Memory) -> str:
    return f"words_{memory.place[0]}_{memory.place[1]}"


def _first(held: list[Memory], index: int, copy: int = 0) -> int:
    return next(i for i, memory in enumerate(held) if (memory.region.step, memory.region.copy) == (index, copy))


def _step(source: CSource, program: Program, stage: Stage, held: list[Memory]) -> tuple[str, str, str]:
    """Kind, union member and table of a stage's step, which is written on its first repeat alone."""
    index, before, name = stage.index, stage.before, f"step_{stage.index}"
    if f" {name} = " in str(source):
        return _kind(stage)[0], _kind(stage)[1], name
    match stage.step:
        case Stencil() as stencil:
            first, last = rows_spanned(stencil)
            runs = [{"dy": dy, "dx": dx, "taps": taps} for dy, dx, taps in runs_of(stencil.taps)]
            source.structure("npde_stencil", name, {
                "kernel": _kernel(source, index, stencil, before, held), "runs": source.structures("npde_run", f"runs_{index}", runs),
                "run_count": len(runs),
                "first_dy": first, "last_dy": last, "stride": stencil.stride, "repeat": stencil.repeat if stage.in_frame else 1,
                "boundary": BOUNDARIES[stencil.boundary],
            })  # fmt: skip
        case Pool() as pool:
            wide = pool.accumulator_width(before) > 32
            tile_y, tile_x = pool.tile(before)
            sums = source.buffer("int64_t" if wide else "int32_t", f"sums_{index}", stage.after.width * stage.after.channels)
            reaction = fields({"low": pool.out.low, "high": pool.out.high, "shift": pool.shift(before)})
            source.structure("npde_pool", name, {
                "sums": sums, "reaction": reaction, "tile_y": tile_y, "tile_x": tile_x,
                "maximum": truth(pool.kind == "max"), "wide": truth(wide),
            })  # fmt: skip
        case Dense() | Recurrent() as step:
            recurrent = isinstance(step, Recurrent)
            cell = step.cell(before) if isinstance(step, Recurrent) else Dense.flatten(before)
            state = integer_type(element_bytes(before.q.width))
            source.structure("npde_dense", name, {
                "kernel": _kernel(source, index, step.as_stencil(), cell, held),
                "sums": source.buffer("int32_t" if is_short(step.as_stencil(), cell) else "int64_t", f"sums_{index}", step.out_channels),
                "state": source.buffer(state, f"state_{index}", step.out_channels * recurrent),
            })  # fmt: skip
        case Evolve() as evolve:
            coefficients = f"&memories[{_first(held, index)}]"
            maps = [m for m in held if m.region.step == index and m.region.copy]
            first_map = f"&memories[{_first(held, index, 1)}]" if maps else "NULL"
            evolve_table(source, name, evolve, before, coefficients, first_map, max(1, len(maps)))
    return _kind(stage)[0], _kind(stage)[1], name


def _kind(stage: Stage) -> tuple[str, str]:
    match stage.step:
        case Stencil():
            return "NPDE_STENCIL_IN_FRAME" if stage.in_frame else "NPDE_STENCIL", "stencil"
        case Pool():
            return "NPDE_POOL", "pool"
        case Dense():
            return "NPDE_DENSE", "dense"
        case Recurrent():
            return "NPDE_RECURRENT", "dense"
        case Evolve():
            return "NPDE_EVOLVE", "evolve"


def _kernel(source: CSource, index: int, stencil: Stencil, cell: Grid, held: list[Memory]) -> str:
    number = _first(held, index)
    packing = held[number].layout
    assert isinstance(packing, Packing)
    simd = packing.fold.simd
    return fields({
        "memory": f"&memories[{number}]",
        "outputs": stencil.out_channels,
        "inputs": cell.channels * len(stencil.taps),
        "pitch": packing.beats * simd,
        "kernel_at": (packing.bias_beats + packing.leading_taps * packing.input_folds) * simd,
        "bias_words": packing.bias_beats,
        "bias_bits": stencil.bias.width,
        "bias_shift": stencil.bias_shift(cell),
        "skip_shift": stencil.weight.frac if stencil.skip else 0,
        "skip": truth(stencil.skip),
        "wide": truth(stencil.accumulator_width(cell) > 32),
        "reaction": _reaction(source, index, stencil.phi, stencil.out, stencil.shift(cell)),
    })  # fmt: skip


def _reaction(source: CSource, index: int, phi: Phi, out: Q, shift: int) -> str:
    row: dict[str, object] = {"low": out.low, "high": out.high, "shift": shift}
    match phi:
        case Relu():
            row["low"] = 0
        case Clip(low=low, high=high):
            row |= {"low": low, "high": high}
        case Table(input=q, entries=entries):
            bytes_of_one = element_bytes(out.width)
            table = source.array(integer_type(bytes_of_one), f"table_{index}", entries)
            row |= {"low": q.low, "high": q.high, "table": table, "table_bytes": bytes_of_one}
    return fields(row)


def _stages(source: CSource, chain: list[Stage], names: Mapping[int, tuple[str, str, str]]) -> None:
    source.buffer("npde_progress", "progress", len(chain))
    rows = []
    for number, stage in enumerate(chain):
        kind, member, name = names[stage.index]
        held = integer_type(element_bytes(stage.before.q.width))
        rows.append({
            "kind": kind, "before": _grid(stage.before), "after": _grid(stage.after), "progress": f"&progress[{number}]",
            "rows": source.buffer(held, f"rows_{number}", stage.rows * stage.row_values),
            "old": source.buffer(held, f"old_{number}", (stage.old + stage.first) * stage.row_values),
            "line": source.buffer(held, f"line_{number}", stage.row_values * stage.in_frame),
            "row_count": stage.rows, "old_ring": stage.old, f"as.{member}": f"&{name}",
        })  # fmt: skip
    source.structures("npde_stage", "stages", rows)


def _grid(grid: Grid) -> str:
    return f"{{{grid.height}, {grid.width}, {grid.channels}, {grid.q.width}, {element_bytes(grid.q.width)}}}"


def _model(source: CSource, model: Model, chain: list[Stage], held: list[Memory]) -> None:
    program, output = model.program, model.program.output
    source.line("static npde_ends ends;")
    result = source.buffer(integer_type(element_bytes(output.q.width)), "result", output.width * output.channels)
    resident = len(program.steps) == 1 and isinstance(program.steps[0], Evolve)
    source.structure("npde_model", "model", {
        "name": f'"{_comment(program.name)}"', "input": _grid(program.input), "output": _grid(output),
        "stages": "stages", "stage_count": len(chain), "memories": "memories" if held else "NULL", "memory_count": len(held),
        "ends": "&ends", "result": result, "scratch": _scratch(source, chain), "argmax": truth(program.argmax),
        "resident": truth(resident), "content_hash": octets(model.content_hash), "shape_hash": octets(program.shape_hash),
        "build": "@BUILD@",
    }, static=False)  # fmt: skip


def _scratch(source: CSource, chain: list[Stage]) -> str:
    """Room that stages share: as much as the one that needs most."""
    window = {2: 1, 4: 1}
    outputs = rows = places = values = gathered = 0
    for stage in chain:
        size = max(2, element_bytes(stage.before.q.width))
        match stage.step:
            case Stencil() as step:
                inputs = len(step.taps) * stage.before.channels
                window[size] = max(window[size], (2 if is_short(step, stage.before) else 1) * inputs)
                gathered = max(gathered, inputs * element_bytes(stage.before.q.width))
                outputs, rows = max(outputs, step.out_channels), max(rows, len(runs_of(step.taps)))
            case Dense():
                window[size] = max(window[size], stage.row_values * stage.rows)
            case Recurrent() as step:
                window[size] = max(window[size], stage.row_values, step.out_channels)
            case Evolve() as evolve:
                span = 2 * max(rows_reached(update.forms) for update in evolve.body) + 1
                rows, places, values = max(rows, span), max(places, span), max(values, scratch_values(evolve))
            case Pool():
                pass
    source.line(f"static union {{\n    int16_t narrow[{window[2]}];\n    int32_t wide[{window[4]}];\n}} window;")
    return fields({
        "window": "&window",
        "cell": source.buffer("uint32_t", "cell", -(-gathered // 4)),
        "start": source.buffer("int64_t", "start", outputs),
        "sums": source.buffer("int64_t", "sums", outputs),
        "tap_rows": source.buffer("const void *", "tap_rows", rows),
        "places": source.buffer("int32_t", "places", places),
        "values": source.buffer("int32_t", "values", values),
    })  # fmt: skip


def _comment(name: str) -> str:
    """A name that ends neither a comment nor a string."""
    return "".join(c if c.isascii() and (c.isalnum() or c in " -_.") else "_" for c in name)
