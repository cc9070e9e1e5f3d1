"""What is drawn on a terminal, and only there."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from layerctl.cli.progress import PlainObserver

ROOT = Path(__file__).parents[2]


def on_terminal(arguments, cwd, **environment):
    """(the terminal's text, standard output) of a process whose standard error is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-m", "layerctl", *arguments], cwd=cwd, stderr=theirs, stdout=subprocess.PIPE,
                               env={**os.environ, "TERM": "xterm-256color", **environment})  # fmt: skip
    os.close(theirs)
    parts = []
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        parts.append(part)
    out = process.stdout.read().decode()
    assert process.wait(timeout=120) == 0
    return b"".join(parts).decode(), out


def test_a_bar_on_a_terminal_and_results_apart(tmp_path):
    config = str(ROOT / "configs" / "digits.yaml")
    text, out = on_terminal(["train", config, "--out", "run", "--set", "fit.epochs=3"], tmp_path)
    assert "\x1b[" in text and "rows/s" in text and "s left" in text and "epoch 3/3" in text
    assert out.startswith("test: loss ") and "\x1b" not in out
    live = [part for part in text.split("rows/s") if "epoch 3/3" in part and "█" in part]
    assert live, "the loss's curve stands beside the bar"
    summary = [line for line in text.replace("\r", "\n").splitlines() if "best" in line and "in epoch" in line]
    assert len(summary) == 4 and any("val_accuracy" in line and "→" in line for line in summary)


def test_a_dumb_terminal_gets_plain_lines(tmp_path):
    config = str(ROOT / "configs" / "iris.yaml")
    text, _ = on_terminal(["train", config, "--out", "run", "--set", "fit.epochs=2"], tmp_path, TERM="dumb")
    assert "\x1b" not in text and "epoch 2/2  loss" in text


def test_one_of_a_thing_is_told_in_the_singular(capsys):
    PlainObserver().begin(1, 1, 1)
    PlainObserver().begin(2, 3000, 1)
    said = capsys.readouterr().err.splitlines()
    assert said == ["training 1 parameter on 1 row for 1 epoch", "training 1 parameter on 3,000 rows for 2 epochs"]
