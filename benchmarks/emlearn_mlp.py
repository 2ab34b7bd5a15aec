"""The digits' perceptron by npde's runtime and by emlearn's generated C: ``python benchmarks/emlearn_mlp.py``.

It needs ``pip install emlearn``. scikit-learn trains a perceptron of the same layers on the same samples, emlearn
writes it as C in floating point, and both run on an emulated Cortex-M4, emlearn's with the FPU. Each answers 20 test
samples, which its own reference, golden or scikit-learn, must label alike. Instructions are of one sample, values in to
label out, counted as in ``benchmarks/firmware.py``.
"""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from pathlib import Path

import numpy as np
from cmsis_nn import link, run
from sklearn.neural_network import MLPClassifier

from npde import golden
from npde.data import load_data
from npde.firmware.export import export
from npde.models import load_model
from npde.program import Dense

SAMPLES = 20

NPDE = """
#include "frame.h"
#include "model.h"
uint32_t now(void);
uint32_t run(int8_t *out)
{
    static int32_t in[FRAME_IN], answer[MODEL_ANSWER];
    uint32_t ticks = 0;
    npde_reset(&model);
    for (int s = 0; s < FRAME_OUT; s++) {
        for (int i = 0; i < FRAME_IN; i++) in[i] = frame[s][i];
        const uint32_t began = now();
        npde_infer(&model, in, answer);
        ticks += now() - began;
        out[s] = (int8_t)answer[MODEL_ANSWER - 1];
    }
    return ticks;
}
"""

EMLEARN = """
#include "frame.h"
#include "mlp.h"
uint32_t now(void);
uint32_t run(int8_t *out)
{
    uint32_t ticks = 0;
    *(volatile uint32_t *)0xE000ED88u |= 0xF00000u; /* the FPU */
    __asm__ volatile("dsb\\n isb" : : : "memory");
    for (int s = 0; s < FRAME_OUT; s++) {
        const uint32_t began = now();
        out[s] = (int8_t)mlp_predict(frame[s], FRAME_IN);
        ticks += now() - began;
    }
    return ticks;
}
"""

NOTHING = """
#include "frame.h"
uint32_t run(int8_t *out) { out[0] = (int8_t)frame[0][0]; return 0; }
"""


def header(kind: str, rows: np.ndarray) -> str:
    """The samples as C."""
    body = ", ".join("{" + ", ".join(f"{value!r}" for value in row.tolist()) + "}" for row in rows)
    return f"#include <stdint.h>\n#define FRAME_IN {rows.shape[1]}\n#define FRAME_OUT {len(rows)}\nstatic const {kind} frame[FRAME_OUT][FRAME_IN] = {{{body}}};\n"


def program(
    place: Path, frame: str, body: str, objects: list[str], more: list[str], firmware: Path
) -> tuple[int, int, int, np.ndarray]:
    """Instructions a sample, flash and RAM beyond a program that only prints, labels."""
    place.mkdir()
    (place / "frame.h").write_text(frame)
    _, no_flash, no_ram = link(place, NOTHING, [], [], "-O2", firmware)
    elf, flash, ram = link(place, body, objects, more, "-O2", firmware)
    instructions, labels = run(elf)
    return instructions // SAMPLES, flash - no_flash, ram - no_ram, labels


def main() -> None:
    try:
        import emlearn
    except ModuleNotFoundError:
        raise SystemExit("this needs emlearn: pip install emlearn") from None
    model, data = load_model("mlp"), load_data("digits")
    hidden = tuple(step.out_channels for step in model.program.steps[:-1] if isinstance(step, Dense))
    flat = data.train_x.reshape(len(data.train_x), -1).astype(np.float32)
    scale = float(flat.max())
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        net = MLPClassifier(hidden, random_state=0, max_iter=200).fit(flat / scale, data.train_y)
    tests = (data.test_x.reshape(len(data.test_x), -1) / scale).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        export(model, place / "exported")
        fields = model.quantise_input(data.test_x)
        runtime = [str(place / "exported/model.c"), *map(str, sorted((place / "exported/src").glob("*.c")))]
        more = ["-I", str(place / "exported"), "-I", str(place / "exported/include"), "-DNPDE_CONSTANT_WEIGHTS"]
        ours = program(
            place / "ours",
            header("int8_t", fields[:SAMPLES].reshape(SAMPLES, -1)),
            NPDE,
            runtime,
            more,
            place / "exported",
        )
        wanted = golden.run(model, fields).label
        assert wanted is not None
        assert np.array_equal(ours[3], wanted[:SAMPLES])

        with contextlib.chdir(place):  # it leaves a folder of its own where it is called
            converted = emlearn.convert(net, method="inline")
        converted.save(file=str(place / "mlp.h"), name="mlp")
        more = [
            "-I",
            str(place),
            "-I",
            str(Path(emlearn.__file__).parent),
            "-mfloat-abi=hard",
            "-mfpu=fpv4-sp-d16",
            "-lm",
        ]
        theirs = program(place / "theirs", header("float", tests[:SAMPLES]), EMLEARN, [], more, place / "exported")
        assert np.array_equal(theirs[3], net.predict(tests[:SAMPLES]))
    print("| | instructions a sample | flash | RAM | test accuracy |\n| --- | --- | --- | --- | --- |")
    for name, row, accuracy in (
        ("npde, 8 bits", ours, np.mean(wanted == data.test_y)), (f"emlearn {emlearn.__version__}, float, FPU", theirs, net.score(tests, data.test_y)),
    ):  # fmt: skip
        print(f"| {name} | {row[0]:,} | {row[1]:,} | {row[2]:,} | {accuracy:.2%} |")


if __name__ == "__main__":
    main()
