"""What each command says when something is wrong: one sentence, the right exit code, nothing half done."""

from __future__ import annotations

import os
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from npde import tensorfile
from npde.data import IDX_FILES
from npde.training.parameters import FORMAT


@pytest.mark.parametrize(("words", "code", "says"), [
    (["plan", "mnist"], 2, "no model file at mnist; shipped models are digits, fashion"),
    (["plan", "digits", "--board", "arty"], 4, "unknown board 'arty'; known are icebreaker, hx8k, .*, ecpix5-85f"),
    (["verify", "digits", "--board", "arty"], 4, "unknown board 'arty'; known are"),
    (["infer", "digits", "--port", "virtual:arty"], 4, "unknown board 'arty'; known are"),
    (["serve-virtual", "--board", "arty"], 4, "unknown board 'arty'; known are"),
    (["plan", "fashion", "--board", "hx8k"], 4, r"does not fit hx8k: even folded smallest it needs \d+ block RAMs where 32 are free, \d+ too many; it fits icebreaker, upduino, .* and ecpix5-85f"),
    (["verify", "fashion", "--board", "hx8k"], 4, r"block RAMs where 32 are free, \d+ too many; it fits icebreaker"),
    (["serve-virtual", "fashion", "--board", "hx8k"], 4, r"\d+ too many; it fits icebreaker"),
    (["infer", "fashion", "--port", "virtual:hx8k", "--data", "FASHION"], 4, r"\d+ too many; it fits icebreaker"),
    (["plan", "digits", "--baud", "20000000"], 4, "makes no 20,000,000 baud: .*; choose another baud or clock"),
    (["plan", "digits", "--clock", "0"], 2, "'--clock'"),
    (["infer", "digits", "--count", "0"], 2, "'--count': "),
    (["info", "--port", "x", "--baud", "fast"], 2, "'--baud': a bit rate is 300 or more, or auto, not fast"),
    (["infer", "digits", "--baud", "10"], 2, "'--baud': a bit rate is 300 or more, or auto, not 10"),
    (["infer", "digits", "--count", "many"], 2, "'--count': "),
    (["infer", "digits", "--colour"], 2, "No such option: '?--colour"),
    (["infer"], 2, "Missing argument '(?i:model)'"),
    (["ifer"], 2, "No such command 'ifer'"),
    (["infer", "digits", "--port", "/dev/no-such-port"], 6, "serial port /dev/no-such-port does not exist"),
    (["info", "--port", "/dev/no-such-port"], 6, "serial port /dev/no-such-port does not exist"),
    (["bench", "digits", "--port", "/dev/no-such-port"], 6, "serial port /dev/no-such-port does not exist"),
    (["infer", "digits", "--port", "FOLDER"], 6, "serial port .* cannot be opened"),
    (["infer", "digits", "--data", "FOLDER/nowhere"], 3, "no data set at .*nowhere: give the word digits, a folder"),
    (["infer", "digits", "--data", "FASHION"], 2, r"takes samples of shape \(batch, 8, 8, 1\), not \(5, 28, 28\)"),
    (["train", "FOLDER/x.float", "--recipe", "mnist"], 7, "no recipe 'mnist'; there are digits, fashion"),
    (["train", "FOLDER/x.float", "--recipe", "mlp-fashion"], 3, "recipe 'mlp-fashion' takes a folder of IDX files, which --data names"),
    (["train", "FOLDER/x.float", "--validation", "0.9"], 7, "validation takes 0 to 0.5 of the training samples, not 0.9"),
    (["train", "FOLDER/x.float", "--recipe", "helmholtz", "--data", "digits@4x2"], 7, "10 detectors for 10 classes, but 4×4 regions on a 4×2 grid make 0"),
    (["train", "FOLDER/x.float", "--data", "digits@900x2"], 3, "1 to 256 cells a side, not 900×2"),
    (["train", "FOLDER/x.float", "--strategy", "sgd"], 2, "no strategy 'sgd'; there are adam, lbfgs, pil, pilae, random"),
    (["train", "FOLDER/x.float", "--recipe", "rnn", "--strategy", "pil"], 7, "pseudoinverses learn perceptrons and stencil architectures; train this one by descent"),
    (["train"], 2, "the file the float parameters go to is missing"),
    (["train", "FOLDER/x.float", "--data", "FOLDER"], 3, "has neither train-images-idx3-ubyte nor"),
    (["train", "FOLDER"], 9, "cannot be written"),
    (["train", "FOLDER/file/x.float"], 9, "cannot be written"),
    (["train", "FOLDER/x.float", "--checkpoint", "FOLDER/file/c.npz"], 9, "file/c.npz cannot be written"),
    (["train", "FOLDER/x.float", "--data", "y" * 300], 3, "no data set at y"),
    (["quantise", "FOLDER/nothing.float", "FOLDER/x.npde"], 2, "no float parameter file at .*nothing.float"),
    (["quantise", "FOLDER/file", "FOLDER/x.npde"], 2, "is not a readable float parameter file"),
    (["infer", "digits", "--output", "FOLDER/file/x.npz"], 9, "cannot be written"),
    (["plan", "FOLDER/file"], 2, "is not a readable model file"),
    (["plan", "FOLDER"], 2, "no model file at"),
    (["plan", "x" * 300], 2, "no model file at x"),
    (["verify", "digits", "--data", "FOLDER/nowhere"], 3, "no data set at"),
    (["flash", "FOLDER/nothing.bin"], 5, "nothing.bin"),
])  # fmt: skip
def test_bad_input_is_one_sentence_and_its_exit_code(npde_here, tmp_path, words, code, says):
    (tmp_path / "file").write_text("nothing of interest")
    if "FASHION" in words:
        fashion_like(tmp_path / "fashion")
    words = [word.replace("FOLDER", str(tmp_path)).replace("FASHION", str(tmp_path / "fashion")) for word in words]
    done = npde_here(*words)
    assert re.search(says, done.complaint())
    assert done.code == code
    assert set(os.listdir(tmp_path)) <= {"file", "fashion"}


def fashion_like(folder):
    """Five random 28×28 images as an IDX folder."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for part, name in IDX_FILES.items():
        array = rng.integers(0, 256, (5, 28, 28)) if part.endswith("_x") else np.arange(5)
        (folder / name).write_bytes(struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape) + array.astype(np.uint8).tobytes())


def test_a_truncated_idx_file_is_named(npde, tmp_path):
    fashion_like(tmp_path / "fashion")
    images = tmp_path / "fashion" / IDX_FILES["train_x"]
    images.write_bytes(images.read_bytes()[:-100])
    done = npde("train", tmp_path / "x.float", "--data", tmp_path / "fashion")
    assert re.search(r"train-images-idx3-ubyte is truncated: 3920 bytes of data expected, 3820 found", done.complaint())
    assert done.code == 3


def test_weights_that_are_not_numbers_are_refused(npde, trained, tmp_path):
    header, tensors = tensorfile.read(trained, FORMAT, "float parameter file")
    tensors["0.kernel"][0, 0, :2] = np.nan
    tensorfile.write(tmp_path / "nan.float", header, tensors)
    for more in ([], ["--round-only"]):
        done = npde("quantise", tmp_path / "nan.float", tmp_path / "x.npde", *more)
        assert re.search(r"float parameters 0\.kernel hold 2 value\(s\) that are NaN or infinite", done.complaint())
        assert done.code == 2
    assert os.listdir(tmp_path) == ["nan.float"]


def test_a_damaged_model_is_refused(npde_here, trained, tmp_path):
    npde_here("quantise", trained, tmp_path / "m.npde", "--round-only")
    whole = bytearray((tmp_path / "m.npde").read_bytes())
    whole[-5] ^= 4
    (tmp_path / "m.npde").write_bytes(whole)
    for words in (["plan"], ["infer"], ["verify"], ["bench"], ["info", "--model"], ["serve-virtual"]):
        done = npde_here(*words, tmp_path / "m.npde")
        assert re.search("m.npde is damaged: its content does not have the checksum", done.complaint())
        assert done.code == 2


def test_what_a_board_cannot_do_is_one_sentence(npde, tmp_path):
    """One virtual board for all of it: busy, of another program, at another bit rate."""
    fashion_like(tmp_path / "fashion")
    with subprocess.Popen([sys.executable, "-m", "npde", "serve-virtual"], stdout=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "300"}) as server:
        try:
            port = re.search(r"/dev/\S+", server.stdout.readline())[0]
            done = npde("infer", "fashion", "--port", port, "--data", tmp_path / "fashion")
            assert re.search("model 'fashion' does not fit the bitstream on .*, which was built for program", done.complaint())
            assert done.code == 6
            done = npde("info", "--port", port, "--baud", 230400)
            assert re.search("nothing answers on .* at 230400 baud; is the board configured", done.complaint())
            assert done.code == 6
            import serial

            with serial.Serial(port, exclusive=True):
                done = npde("info", "--port", port)
            assert re.search("is in use by another program", done.complaint())
            assert done.code == 6
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(30) == 0


def test_a_board_that_dies_under_serve_virtual_is_said():
    with subprocess.Popen([sys.executable, "-m", "npde", "serve-virtual", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        server.stdout.readline()
        (simulator,) = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        os.kill(int(simulator), signal.SIGKILL)
        _, said = server.communicate(timeout=30)
    assert said.strip() == "npde: the virtual board ended by itself (status -9)"
    assert server.returncode == 6


def test_an_interrupt_while_training_is_one_line_and_keeps_the_checkpoint(tmp_path):
    kept = tmp_path / "c.npz"
    command = [sys.executable, "-m", "npde", "train", str(tmp_path / "x.float"), "--epochs", "100000", "--checkpoint", str(kept)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as training:
        while not kept.exists() and training.poll() is None:
            time.sleep(0.02)
        training.send_signal(signal.SIGINT)
        out, said = training.communicate(timeout=60)
    assert training.returncode == 130
    assert out == ""
    assert said.strip() == f"npde: interrupted; {kept} holds every epoch that ended, and the same command goes on from there"
    assert os.listdir(tmp_path) == ["c.npz"]
    with np.load(kept, allow_pickle=False) as archive:
        assert archive["epoch"] >= 1


def test_any_other_interrupt_is_one_line(npde_here, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("npde.cli.hardware.load_model", interrupted)
    assert npde_here("plan", "digits") == (130, "", "npde: interrupted\n")


def test_a_missing_extra_names_what_brings_it(npde_here, monkeypatch):
    monkeypatch.setitem(sys.modules, "npde_hdl", None)
    monkeypatch.setitem(sys.modules, "npde_hdl.board", None)
    assert npde_here("plan", "digits") == (8, "", "npde: this needs npde_hdl; pip install 'npde[hdl]' brings it\n")


def test_a_name_that_looks_like_markup_is_printed_as_it_is(npde, trained, tmp_path):
    done = npde("quantise", trained, tmp_path / "a[/b].npde", "--round-only")
    assert done.code == 0
    assert "a[/b].npde" in done.out.replace("\n", "")
