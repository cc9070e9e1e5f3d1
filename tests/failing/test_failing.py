"""Each folder here is one mistake: its files, the command (`build model.yaml` if `args.txt` says nothing else), the exact text expected of it."""

import re
import shutil
from pathlib import Path

import pytest

from layerctl.cli.main import main

HERE = Path(__file__).parent
CASES = sorted(p.parent for p in HERE.glob("*/*/expected.txt"))
SOURCE = HERE.parents[1] / "src" / "layerctl"


def run(case, folder, monkeypatch, capsys):
    shutil.copytree(case, folder, dirs_exist_ok=True)
    monkeypatch.chdir(folder)
    for name in ("GITHUB_ACTIONS", "LAYERCTL_CPU"):
        monkeypatch.delenv(name, raising=False)
    arguments = (case / "args.txt").read_text().split() if (case / "args.txt").exists() else ["build", "model.yaml"]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr().err
    kept = [line for line in said.splitlines() if not line.startswith(("training ", "compiling ", "epoch "))]
    return "\n".join([*kept, f"exit {int(ended.value.code)}"]) + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_the_message_is_exactly_this(case, tmp_path, monkeypatch, capsys):
    assert run(case, tmp_path, monkeypatch, capsys) == (case / "expected.txt").read_text()


def test_there_are_many_and_each_has_a_place_or_a_cure():
    assert len(CASES) >= 60
    for case in CASES:
        text = (case / "expected.txt").read_text()
        assert "Traceback" not in text and "[" in text.splitlines()[0]
        assert re.search(r"^\S+:\d+:\d+: error: ", text, re.MULTILINE) or "hint:" in text or "did you mean" in text, case


def test_a_wrong_expectation_is_noticed(tmp_path, monkeypatch, capsys):
    assert run(HERE / "layers" / "unknown-layer", tmp_path, monkeypatch, capsys) != "something else\n"
