"""Each folder here is one mistake: its files, the command (`build model.yaml` if `args.txt` says nothing else), the exact text expected of it."""

import ast
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
    kept = [line for line in said.splitlines() if not line.startswith(("training ", "compiling ", "epoch ", "fold "))]
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


def without_cure(text):
    """(line, code) of each error in a module that is made without a cure; `did you mean` is one, and what is told again with one is none."""
    places = {"fail": 4, "error": 4, "Diagnostic": 5}
    for call in (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        named = {k.arg for k in call.keywords}
        told = ast.unparse(call)
        made = name in places and len(call.args) > 1 and isinstance(call.args[0], (ast.Constant, ast.JoinedStr)) and not told.startswith("self.")
        if made and "severity='warning'" not in told and "hint" not in named and len(call.args) < places[name] and "did_you_mean" not in told:
            yield call.lineno, ast.unparse(call.args[0])


def test_every_error_has_a_cure():
    found = [(p.name, *w) for p in sorted(SOURCE.rglob("*.py")) for w in without_cure(p.read_text())]
    repeated = [("delimited.py", "'data-ragged'")]
    assert [(name, code) for name, _, code in found] == repeated, found
    assert list(without_cure("fail('a', 'b', span)\nfail('a', 'b', span, hint='c')\nproblems.error('d', f'{e}{did_you_mean(n, k)}')")) == [(1, "'a'")]


def test_a_wrong_expectation_is_noticed(tmp_path, monkeypatch, capsys):
    assert run(HERE / "layers" / "unknown-layer", tmp_path, monkeypatch, capsys) != "something else\n"
