"""Curves on a terminal and a pipe, as SVG and as PNG; the lists of names."""

import json
import os
import pty
import re
import struct
import subprocess
import sys
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest

from layerctl.catalogue import catalogue, snake_case
from layerctl.cli.main import main
from layerctl.commands.layers import KINDS
from layerctl.commands.pictures.curves import curves
from layerctl.diagnostics import LayerctlError
from layerctl.reporting.axes import label, ticks

NAMES = [snake_case(n) for n in catalogue("activations") if "axis" not in catalogue("activations").get(n).model_fields]
COSINE = "CosineDecay: {initial_learning_rate: 0.1, decay_steps: 100}"


def said(capsys, *arguments, code=0):
    with pytest.raises(SystemExit) as ended:
        main(["layers", *arguments])
    assert int(ended.value.code) == code
    return capsys.readouterr()


def test_curves_are_the_functions_and_their_slopes():
    sigmoid, leaky = curves(["sigmoid", "LeakyRelu: {negative_slope: 0.1}"])
    s = 1 / (1 + np.exp(-sigmoid.x))
    np.testing.assert_allclose(sigmoid.y, s, rtol=1e-12)
    np.testing.assert_allclose(sigmoid.derivative, s * (1 - s), rtol=1e-12)
    np.testing.assert_allclose(leaky.derivative[leaky.x != 0], np.where(leaky.x > 0, 1, 0.1)[leaky.x != 0])
    (cosine,) = curves([COSINE])
    assert cosine.derivative is None and cosine.x[-1] == 200 and cosine.y[0] == pytest.approx(0.1) and abs(cosine.y[-1]) < 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_every_activation_of_one_number_has_a_curve(name):
    (curve,) = curves([name], (-3.0, 3.0))
    inner = slice(1, -1)
    numeric = (curve.y[2:] - curve.y[:-2]) / (curve.x[2:] - curve.x[:-2])
    off = np.abs(numeric - curve.derivative[inner]) > 1e-3
    assert np.isfinite(curve.y).all() and off.sum() <= 4, "the slope differs from the curve's at more than two kinks"


def test_a_pipe_gets_plain_text_and_a_terminal_all_its_width_and_colours(tmp_path):
    command = [sys.executable, "-m", "layerctl", "layers", "relu", "tanh", "--plot"]
    kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    piped = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={**kept, "COLUMNS": "80"}, check=True).stdout
    assert "\x1b" not in piped and re.search("[\u2801-\u28ff]", piped) and 60 < max(map(len, piped.splitlines())) <= 80
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdout=theirs, cwd=tmp_path, env={**kept, "COLUMNS": "130", "TERM": "xterm-256color"})
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 65536):
            parts.append(part)
    except OSError:
        pass
    assert process.wait(timeout=60) == 0
    shown = b"".join(parts).decode()
    assert "\x1b[36m" in shown
    assert 110 < max(len(re.sub("\x1b\\[\\d*m", "", line)) for line in shown.splitlines()) <= 130


@pytest.mark.parametrize("width", [20, 40, 59, 200])
def test_text_fits_any_width(width):
    from layerctl.commands.pictures.terminal import text

    drawn = text(curves(["relu", "sigmoid"]), width, colour=False)
    assert max(map(len, drawn.splitlines())) <= max(width, 22)
    assert drawn.count("its derivative"[:8]) == 2


def test_svg_has_a_line_for_every_curve(tmp_path, capsys):
    names = ["sigmoid", "tanh", "relu", "softplus", "elu", "silu", "mish", "gelu"]
    assert said(capsys, *names, "--plot", "-o", str(tmp_path / "a.svg")).out.strip().endswith("a.svg")
    root = ElementTree.fromstring((tmp_path / "a.svg").read_bytes())
    space = "{http://www.w3.org/2000/svg}"
    words = [t.text for t in root.iter(f"{space}text")]
    assert {*names, "activation", "derivative", "0"} <= set(words)
    long = [p for p in root.iter(f"{space}polyline") if len(p.get("points").split()) > 900]
    assert len(long) == 2 * 7, "seven whole lines in each panel, the eighth in dashes"
    for p in root.iter(f"{space}polyline"):
        xy = np.array([[float(v) for v in q.split(",")] for q in p.get("points").split()])
        assert (xy >= 0).all() and (xy <= [float(root.get("width")), float(root.get("height"))]).all()


def pixels_of(data):
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(data):
        (n,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + n]
        assert struct.unpack(">I", data[at + 8 + n : at + 12 + n])[0] == zlib.crc32(name + body)
        chunks[name] = body
        at += 12 + n
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + width * 3)
    return rows[:, 1:].reshape(height, width, 3)


def test_png_has_the_colours_of_the_curves(tmp_path, capsys):
    from layerctl.commands.pictures.figure import PALETTE

    said(capsys, "sigmoid", "relu", "--plot", "-o", str(tmp_path / "a.png"))
    pixels = pixels_of((tmp_path / "a.png").read_bytes())
    for i, colour in enumerate(PALETTE):
        wanted = [int(colour[j : j + 2], 16) for j in (1, 3, 5)]
        assert ((pixels == wanted).all(-1).sum() > 1000) == (i < 2)
    assert (pixels[0] == 255).all() and (pixels == 0x22).all(-1).sum() > 500


def test_every_sign_of_a_name_is_in_the_font():
    from layerctl.commands.pictures.font import HEIGHT, WIDTH, glyph

    drawn = {c: glyph(c) for c in "abcdefghijklmnopqrstuvwxyz0123456789-_.:{}[](),+' "}
    assert all(g.shape == (HEIGHT, WIDTH) and not g.all() for g in drawn.values())
    assert len({g.tobytes() for g in drawn.values()}) == len(drawn)


def test_what_has_no_curve_is_said(tmp_path):
    for names, text in [
        (["Dense"], "'Dense' is among the layers"), (["sigmoud"], "nothing is called 'sigmoud'.*did you mean 'sigmoid'"),
        (["softmax"], "softmax makes each number"), (["leaky_relu: {slope: 1}"], "has no argument 'slope'"), (["relu", COSINE], "no axis in common"),
        (["Dense", "softmax"], "(?s)Dense.*softmax"), (["[]"], "nothing is called"), (["{}"], "nothing is called"),
    ]:  # fmt: skip
        with pytest.raises(LayerctlError, match=text):
            curves(names)


def test_options_that_do_not_fit(tmp_path, capsys):
    for arguments, text in [
        (["relu", "-o", "a.svg"], "are for --plot"), (["--plot"], "say what to draw"), (["relu", "--plot", "-o", "a.gif"], r"\.svg or \.png"),
        (["relu", "--plot", "--range", "3:-3"], "two rising numbers"), (["relu", "--plot", "--range", "x"], "two rising numbers"),
        (["relu", "--plot", "-o", str(tmp_path / "no" / "a.svg")], "cannot-write"),
    ]:  # fmt: skip
        assert re.search(text, said(capsys, *arguments, code=2).err)


def test_numbers_on_axes():
    assert ticks(-6, 6, 7) == [-6, -4, -2, 0, 2, 4, 6] and ticks(0, 1, 4) == [0, 0.5, 1] and len(ticks(0.003, 0.0031, 5)) <= 5
    assert label(1e-7) == "1e-7" and label(0.25) == "0.25" and label(2e9) == "2e9"


def test_json_of_curves_and_of_all_names(capsys):
    (curve,) = [json.loads(line) for line in said(capsys, "relu", "--plot", "--json").out.splitlines()]
    assert curve["event"] == "curve" and len(curve["x"]) == len(curve["y"]) == len(curve["derivative"])
    rows = [json.loads(line) for line in said(capsys, "--json").out.splitlines()]
    assert [r["name"] for r in rows] == [n for kind in KINDS for n in catalogue(kind)]
    for row in rows:
        assert {"event", "name", "kind", "category", "aliases", "arguments", "text"} <= set(row) and row["category"] and row["text"]
        assert all({"name", "default", "description"} <= set(a) for a in row["arguments"])
    dense = next(r for r in rows if r["name"] == "Dense")
    defaults = {a["name"]: a["default"] for a in dense["arguments"]}
    assert dense["category"] == "core" and defaults["units"] == "required" and defaults["use_bias"] is True
    assert next(r for r in rows if r["name"] == "Silu")["aliases"] == ["swish"]


def test_several_pages_and_the_list_by_category(capsys):
    both = said(capsys, "Dense", "Adam").out
    assert both.startswith("Dense (layer, core)") and "Adam (optimizer)" in both
    listed = said(capsys).out
    assert listed.index("\nattention\n") >= 0 and "\nconvolution\n" in listed and "\nactivations\n" in listed
