"""The same layers by npde's runtime and by CMSIS-NN: ``python benchmarks/cmsis_nn.py FOLDER`` of CMSIS-NN's sources.

Each layer becomes two programs for an emulated Cortex-M4, one calling ``npde_work``, the other CMSIS-NN's wrapper for
s8 convolutions or fully connected layers; both print their answers, which are compared with golden. QEMU counts
instructions as in ``benchmarks/firmware.py``, ``memcpy`` and ``memset`` going word by word for both. CMSIS-NN is
compiled with ``-Ofast``, as its README asks, npde with its own ``-O2``. Flash and RAM are what the linked program has
beyond one that only prints: code, tables and weights; buffers, for CMSIS-NN the two frames, which it wants whole, and
its scratch. Nothing of CMSIS-NN is copied; it is compiled where it lies.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from npde import golden
from npde.firmware.export import export
from npde.fixed import Q
from npde.model import Model, Weights
from npde.program import MOORE, Dense, Grid, Program, Stencil

TICK = 40
FLAGS = ["--specs=picolibc.specs", "-mcpu=cortex-m4", "-mthumb", "-std=c11", "-ffunction-sections", "-fdata-sections"]
FIELD, WEIGHT = Q(8, 7), Q(8, 7)


class Layer(NamedTuple):
    """A 3×3 stencil of ``outputs`` channels at ``stride``, zero beyond the edge; or all values to ``outputs``, if ``dense``."""

    name: str
    height: int
    width: int
    channels: int
    outputs: int
    stride: int = 1
    dense: bool = False

    def model(self) -> tuple[Model, NDArray[np.int64], int]:
        """Random integers in it, a frame for it, and the shift that leaves answers spread over 8 bits."""
        rng = np.random.default_rng(1)
        inputs = self.height * self.width * self.channels if self.dense else 9 * self.channels
        shift = int(np.log2(127 * 127 / 3 * np.sqrt(inputs) / 40))
        more = {"out_channels": self.outputs, "weight": WEIGHT, "bias": Q(16, 14), "out": Q(8, 14 - shift)}
        step = Dense(**more) if self.dense else Stencil(taps=MOORE, boundary="dirichlet", stride=self.stride, **more)
        program = Program(name="layer", input=Grid(self.height, self.width, self.channels, FIELD), steps=(step,))
        parts = {
            part: rng.integers(q.low + 1, q.high, shape, endpoint=True)
            for part, (shape, q) in program.tensors()[0].items()
        }
        frame = rng.integers(FIELD.low, FIELD.high, (1, *program.input.shape), endpoint=True)
        return Model(program, {0: Weights(**parts)}), frame, shift


LAYERS = (
    Layer("digits 1", 8, 8, 1, 8),
    Layer("digits 2", 8, 8, 8, 8),
    Layer("digits 5", 4, 4, 16, 16),
    Layer("fashion 1", 28, 28, 1, 16, 2),
    Layer("fashion 2", 14, 14, 16, 16),
    Layer("fashion 4", 14, 14, 16, 32, 2),
    Layer("fashion 5", 7, 7, 32, 32),
    Layer("best 2", 28, 28, 12, 24, 2),
    Layer("best 3", 14, 14, 24, 24),
    Layer("best 5", 7, 7, 40, 40),
    Layer("mlp-fashion 1", 28, 28, 1, 40, dense=True),
    Layer("dense 64 to 64", 1, 1, 64, 64, dense=True),
)

HARNESS = """
#include <stdint.h>
#include <stddef.h>
#include "frame.h"
#define REGISTER(address) (*(volatile uint32_t *)(address))
void line_interrupt(void);
void line_interrupt(void) {}
uint32_t now(void) { return ~REGISTER(0x40000004u); }
static void put(char c) { while (REGISTER(0x40004004u) & 1) {} REGISTER(0x40004000u) = (uint32_t)c; }
void print(uint32_t value) { for (int i = 28; i >= 0; i -= 4) put("0123456789abcdef"[(value >> i) & 15]); put('\\n'); }
/* Word by word for both: Debian's picolibc goes byte by byte, which would be held against CMSIS-NN. */
void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    uint8_t *into = to;
    const uint8_t *out_of = from;
    for (; count >= 4; count -= 4, into += 4, out_of += 4) {
        uint32_t word;
        __asm__ volatile("ldr %0, [%1]; str %0, [%2]" : "=&r"(word) : "r"(out_of), "r"(into) : "memory");
    }
    for (; count; count--) {
        uint32_t byte;
        __asm__ volatile("ldrb %0, [%1], #1; strb %0, [%2], #1" : "=&r"(byte), "+r"(out_of), "+r"(into) : : "memory");
    }
    return to;
}
void *memset(void *to, int value, size_t count)
{
    uint8_t *into = to;
    const uint32_t word = (uint8_t)value * 0x01010101u;
    for (; count >= 4; count -= 4) __asm__ volatile("str %1, [%0], #4" : "+r"(into) : "r"(word) : "memory");
    for (; count; count--) __asm__ volatile("strb %1, [%0], #1" : "+r"(into) : "r"(word) : "memory");
    return to;
}
uint32_t run(int8_t *out);
static int8_t out[FRAME_OUT];
int main(void)
{
    REGISTER(0x40000008u) = REGISTER(0x40000004u) = UINT32_MAX;
    REGISTER(0x40000000u) = 1;
    REGISTER(0x40004010u) = 16;
    REGISTER(0x40004008u) = 1;
    print(run(out));
    for (size_t i = 0; i < FRAME_OUT; i++) print((uint32_t)(int32_t)out[i]);
    register uint32_t r0 __asm__("r0") = 0x18, r1 __asm__("r1") = 0x20026;
    __asm__ volatile("bkpt 0xAB" : : "r"(r0), "r"(r1));
    return 0;
}
"""

NOTHING = """
#include "frame.h"
uint32_t run(int8_t *out) { out[0] = frame[0]; return 0; }
"""

NPDE = """
#include "frame.h"
#include "model.h"
uint32_t now(void);
uint32_t run(int8_t *out)
{
    uint32_t ticks = 0, put = 0, taken = 0;
    int32_t value;
    npde_reset(&model);
    while (taken < FRAME_OUT || put < FRAME_IN) {
        if (put < FRAME_IN && npde_put(&model, frame[put]) == 1) { put++; continue; }
        while (npde_take(&model, &value)) out[taken++] = (int8_t)value;
        const uint32_t began = now();
        npde_work(&model);
        ticks += now() - began;
    }
    return ticks;
}
"""

CONVOLVE = """
#include "frame.h"
#include "arm_nnfunctions.h"
uint32_t now(void);
static int8_t in[FRAME_IN];
static int32_t scratch[SCRATCH / 4];
uint32_t run(int8_t *out)
{
    const cmsis_nn_context context = {scratch, sizeof scratch};
    const cmsis_nn_dims input = {1, HEIGHT, WIDTH, CHANNELS}, filter = {OUTPUTS, 3, 3, CHANNELS}, bias_dims = {1, 1, 1, OUTPUTS};
    const cmsis_nn_dims output = {1, (HEIGHT + STRIDE - 1) / STRIDE, (WIDTH + STRIDE - 1) / STRIDE, OUTPUTS};
    const cmsis_nn_conv_params conv = {0, 0, {STRIDE, STRIDE}, {1, 1}, {1, 1}, {-128, 127}};
    const cmsis_nn_per_channel_quant_params quant = {multipliers, shifts};
    for (int i = 0; i < FRAME_IN; i++) in[i] = frame[i];
    if (arm_convolve_wrapper_s8_get_buffer_size(&conv, &input, &filter, &output) > (int32_t)sizeof scratch) return 0;
    const uint32_t began = now();
    if (arm_convolve_wrapper_s8(&context, &conv, &quant, &input, in, &filter, weights, &bias_dims, biases, &output, out)) return 0;
    return now() - began;
}
"""

CONNECT = """
#include "frame.h"
#include "arm_nnfunctions.h"
uint32_t now(void);
static int8_t in[FRAME_IN];
static int32_t scratch[SCRATCH / 4];
uint32_t run(int8_t *out)
{
    const cmsis_nn_context context = {scratch, sizeof scratch};
    const cmsis_nn_dims input = {1, 1, 1, FRAME_IN}, filter = {FRAME_IN, 1, 1, OUTPUTS}, bias_dims = {1, 1, 1, OUTPUTS}, output = {1, 1, 1, OUTPUTS};
    const cmsis_nn_fc_params fc = {0, 0, 0, {-128, 127}};
    const cmsis_nn_per_tensor_quant_params quant = {multipliers[0], shifts[0]};
    for (int i = 0; i < FRAME_IN; i++) in[i] = frame[i];
    const uint32_t began = now();
    if (arm_fully_connected_s8(&context, &fc, &quant, &input, in, &filter, weights, &bias_dims, biases, &output, out)) return 0;
    return now() - began;
}
"""


def frame_header(layer: Layer, model: Model, frame: NDArray[np.int64], shift: int, *, weights: bool) -> str:
    """Frame and numbers of a layer, and with ``weights`` these, as CMSIS-NN wants them."""
    outputs = layer.outputs
    lines = ["#include <stdint.h>", f"static const int8_t frame[] = {{{_list(frame)}}};"]
    sizes = {
        "FRAME_IN": frame.size,
        "FRAME_OUT": model.program.output.size,
        "HEIGHT": layer.height,
        "WIDTH": layer.width,
    }
    sizes |= {
        "CHANNELS": layer.channels,
        "OUTPUTS": outputs,
        "STRIDE": layer.stride,
        "SCRATCH": max(64, 2 * 2 * 9 * layer.channels + 64),
    }
    lines += [f"#define {name} {value}" for name, value in sizes.items()]
    if weights:
        kernel = model.weights[0].kernel
        lines.append(f"static const int8_t weights[] = {{{_list(kernel.transpose(0, 2, 1))}}};")
        lines.append(f"static const int32_t biases[] = {{{_list(model.weights[0].bias)}}};")
        lines.append(f"static int32_t multipliers[] = {{{_list(np.full(outputs, 0x7FFFFFFF))}}};")
        lines.append(f"static int32_t shifts[] = {{{_list(np.full(outputs, -shift))}}};")
    return "\n".join(lines) + "\n"


def _list(values: NDArray[np.int64]) -> str:
    return ", ".join(str(value) for value in values.ravel().tolist())


def cmsis_objects(cmsis: Path, place: Path) -> list[str]:
    """CMSIS-NN's s8 convolution, fully connected and support functions, compiled once."""
    folders, floating = (
        ("ConvolutionFunctions", "FullyConnectedFunctions", "NNSupportFunctions"),
        ("f16", "f32", "_flt", "lstm"),
    )
    sources = [
        str(path)
        for folder in folders
        for path in sorted((cmsis / "Source" / folder).glob("*.c"))
        if not any(word in path.name for word in floating)
    ]
    if not sources:
        raise SystemExit(f"{cmsis} has no Source/ConvolutionFunctions; give the folder of CMSIS-NN's sources")
    place.mkdir()
    subprocess.run(
        ["arm-none-eabi-gcc", *FLAGS, "-Ofast", "-I", str(cmsis / "Include"), "-c", *sources], cwd=place, check=True
    )
    return [str(path) for path in sorted(place.glob("*.o"))]


def link(
    place: Path, program: str, objects: list[str], includes: list[str], optimise: str, firmware: Path
) -> tuple[Path, int, int]:
    """The program's ELF; its bytes of flash (code, constants, initialised data) and of RAM."""
    place.mkdir(exist_ok=True)
    (place / "main.c").write_text(HARNESS)
    (place / "run.c").write_text(program)
    board = firmware / "board"
    sources = [str(place / "main.c"), str(place / "run.c"), str(board / "shared_arm/startup.c")]
    elf = place / "run.elf"
    command = [
        "arm-none-eabi-gcc",
        *FLAGS,
        optimise,
        "-DLINE_INTERRUPT=0",
        "-I",
        str(place),
        *includes,
        *sources,
        *objects,
    ]
    command += [
        "-nostartfiles",
        "-T",
        str(board / "mps2/mps2.ld"),
        "-L",
        str(board / "shared"),
        "-Wl,--gc-sections",
        "-o",
        str(elf),
    ]
    subprocess.run(command, check=True)
    text, data, bss = (
        subprocess.run(["arm-none-eabi-size", str(elf)], capture_output=True, text=True, check=True)
        .stdout.splitlines()[1]
        .split()[:3]
    )
    return elf, int(text) + int(data), int(data) + int(bss)


def run(elf: Path) -> tuple[int, NDArray[np.int64]]:
    """Instructions, and what was printed."""
    command = [
        "qemu-system-arm",
        "-M",
        "mps2-an386",
        "-icount",
        "shift=0",
        "-display",
        "none",
        "-monitor",
        "none",
        "-serial",
        "stdio",
    ]
    done = subprocess.run(
        [*command, "-semihosting", "-kernel", str(elf)], capture_output=True, text=True, timeout=120, check=False
    )
    numbers = [int(word, 16) for word in re.findall(r"^[0-9a-f]{8}$", done.stdout, re.MULTILINE)]
    return numbers[0] * TICK, np.array(numbers[1:], np.uint32).astype(np.int32).astype(np.int64)


def measure(layer: Layer, cmsis: Path, objects: list[str], place: Path) -> str:
    """A row of the table; stops where an answer is wrong."""
    model, frame, shift = layer.model()
    wanted = golden.run(model, frame).output.ravel()
    exported = place / "exported"
    export(model, exported)
    (place / "ours").mkdir()
    (place / "ours" / "frame.h").write_text(frame_header(layer, model, frame, shift, weights=False))
    runtime = [str(exported / "model.c"), *map(str, sorted((exported / "src").glob("*.c")))]
    includes = ["-I", str(exported), "-I", str(exported / "include"), "-DNPDE_CONSTANT_WEIGHTS"]
    elf, flash, ram = link(place / "ours", NPDE, runtime, includes, "-O2", exported)
    ours, answer = run(elf)
    assert np.array_equal(answer, wanted), f"{layer.name}: npde answers differently from golden"

    _, no_flash, no_ram = link(place / "ours", NOTHING, [], [], "-O2", exported)
    (place / "theirs").mkdir()
    (place / "theirs" / "frame.h").write_text(frame_header(layer, model, frame, shift, weights=True))
    elf, their_flash, their_ram = link(
        place / "theirs", CONNECT if layer.dense else CONVOLVE, objects, ["-I", str(cmsis / "Include")], "-O2", exported
    )
    theirs, answer = run(elf)
    # CMSIS-NN rounds halves away from zero, and its multiplier is a little less than one.
    assert len(answer) == len(wanted), f"{layer.name}: CMSIS-NN refused it"
    assert np.abs(answer - wanted).max() <= 1, f"{layer.name}: CMSIS-NN computes something else"
    assert np.mean(answer != wanted) < 0.02, f"{layer.name}: CMSIS-NN computes something else"
    macs, output = model.program.macs, model.program.output.size
    shape = f"{layer.height}×{layer.width}×{layer.channels} → {layer.outputs}" + (
        f", stride {layer.stride}" if layer.stride > 1 else ""
    )
    return (
        f"| {layer.name} | {shape} | {macs:,} | {ours / macs:.2f} | {theirs / macs:.2f} | {ours / theirs:.2f} | {flash - no_flash:,} | {their_flash - no_flash:,} | "
        f"{ram - no_ram:,} | {their_ram - no_ram + output:,} |"
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("which folder of CMSIS-NN's sources? python benchmarks/cmsis_nn.py FOLDER")
    source = Path(sys.argv[1]).resolve()
    print("| layer | shape | multiply-accumulates | npde | CMSIS-NN | ratio | flash | CMSIS-NN's | RAM | CMSIS-NN's |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        built = cmsis_objects(source, Path(folder) / "cmsis")
        for number, layer in enumerate(LAYERS):
            work = Path(folder) / str(number)
            work.mkdir()
            print(measure(layer, source, built, work), flush=True)
