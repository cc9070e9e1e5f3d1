"""Arguments that are read without typer mean what they mean to typer; all others are left to it."""

import inspect
from dataclasses import replace

import pytest
import typer.main

from layerctl.cli import plain, runs
from layerctl.cli.app import app

COMMANDS = typer.main.get_command(app).commands
GIVEN = [
    "predict run rows.csv", "predict run -", "predict run rows.csv --json", "predict run --format jsonl rows.csv", "predict -o out.npz run rows.csv",
    "predict run rows.csv --proba --on-error null", "predict run - --top 3 --on-error skip",
    "predict run rows.csv --threads 2 --batch 64 --keep a,b --layer x --layer y --input-format tsv --out o.csv",
    "build model.yaml", "build - --json", "build model.yaml --set a=1 --set b=2", "build --show ops model.yaml --batch 3 --threads 1",
]  # fmt: skip
LEFT = [
    "", "--help", "predict", "predict run", "predict --help", "predict run rows.csv -h", "predict run rows.csv more", "predict run rows.csv --format",
    "predict run rows.csv --format=csv", "predict run rows.csv -oout.csv", "predict run rows.csv --batch 0", "predict run rows.csv --batch x",
    "predict run rows.csv --batch 08",
    "predict run rows.csv --batch +3", "predict run rows.csv --batch ٣", "predict run rows.csv --threads -1", "predict run rows.csv --json --json",
    "predict run rows.csv --keep a --keep b", "predict -- run rows.csv", "predict run rows.csv --out -", "predict run rows.csv --frmat csv",
    "predict run rows.csv -q", "build", "build a b", "build a --seed 3", "build a --profile", "build a --help", "build a --set", "train a", "layers",
]  # fmt: skip


@pytest.fixture
def told(monkeypatch):
    """What the commands' functions are called with, every argument by name."""
    calls = []
    for name in ("build", "predict"):
        form = inspect.signature(getattr(runs, name))

        def record(*args, _form=form, _name=name, **options):
            bound = _form.bind(*args, **options)
            bound.apply_defaults()
            calls.append((_name, {k: list(v) if isinstance(v, tuple) else v for k, v in bound.arguments.items()}))

        monkeypatch.setattr(runs, name, record)
        monkeypatch.setitem(plain.COMMANDS, name, replace(plain.COMMANDS[name], run=record))
    return calls


@pytest.mark.parametrize("line", GIVEN)
def test_plain_arguments_mean_the_same_to_typer(told, line):
    words = line.split()
    found = plain.plain(words)
    assert found is not None
    found()
    app(args=words, prog_name="layerctl", standalone_mode=False)
    assert len(told) == 2 and told[0] == told[1]


@pytest.mark.parametrize("line", LEFT)
def test_other_arguments_are_typers(line):
    assert plain.plain(line.split()) is None
    assert plain.plain([*line.split(), ""]) is None


@pytest.mark.parametrize("name", plain.COMMANDS)
def test_the_tables_are_typers(name):
    command, known = plain.COMMANDS[name], {}
    for p in COMMANDS[name].params:
        known |= dict.fromkeys([*p.opts, *p.secondary_opts], p)
    for table, flag, several in ((command.texts, False, False), (command.counts, False, False), (command.lists, False, True), (command.flags, True, False)):
        for option in table:
            assert option in known and bool(getattr(known[option], "is_flag", False)) == flag and bool(known[option].multiple) == several, option
    assert [p.name for p in COMMANDS[name].params if p.param_type_name == "argument"] == list(command.places)
