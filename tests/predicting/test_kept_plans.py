"""Plans: the same bytes with one and without, whatever the model; one that does not fit is passed over."""

import os
from pathlib import Path

import numpy as np
import pytest

from layerctl.api import Model
from layerctl.commands import predict as command
from layerctl.commands import predicting
from layerctl.commands.predicting import Predictor
from layerctl.data.arrays import builtin
from layerctl.kernels import shelf, store
from layerctl.modelfile.artifact import read_model
from layerctl.predicting import plan

ROOT = Path(__file__).parents[2]
CONFIGS = [p for p in sorted((ROOT / "configs").glob("*.yaml")) if "\ndata:" in p.read_text()]
RECURRENT = """
layerctl: 1
name: series
data:
  source: series.csv
  features: {x: {columns: [value], kind: window, window: {length: 6}}}
  target: {column: value, kind: number}
model: [{GRU: 8}, {Dense: 1}]
compile: {loss: mse}
fit: {epochs: 1}
"""


@pytest.fixture
def no_plans(monkeypatch, tmp_path):
    """A cache with this machine's kernels and no plans."""
    base = shelf.place()
    (tmp_path / "cache").mkdir(mode=0o700)
    if base is not None and (base / "kernels").is_dir():
        (tmp_path / "cache" / "kernels").symlink_to(base / "kernels")
    monkeypatch.setenv("LAYERCTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "plans"


def trained(path, folder, *overrides):
    with Model.from_yaml(path, overrides=["fit.epochs=1", *overrides]) as model:
        model.fit()
        model.save(folder / "model.safetensors")
    return str(folder)


def predicted(run, source, by_plan, **options):
    """What is written for a source, as bytes; and whether that was by a plan alone."""
    made = []

    class Seen(Predictor):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    out = Path(run) / "out.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predicting, "Predictor", Seen)
        command.predict(run, source, out=str(out), threads=1, **options)
    assert (made[0]._model is None) == by_plan
    return out.read_bytes()


def text_of(table, rows):
    names = list(table.columns)
    return "\n".join([",".join(names), *(",".join(table.texts(n)[i] or "" for n in names) for i in rows)]) + "\n"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_config_gives_the_same_bytes_with_a_plan(path, no_plans, tmp_path):
    run = trained(path, tmp_path)
    source = next(line.split()[1] for line in path.read_text().splitlines() if line.strip().startswith("source:"))
    source = source if source.startswith("builtin:") else str(path.parent / source)
    first = predicted(run, source, by_plan=False)
    assert len(list(no_plans.iterdir())) == 1 and len(first.splitlines()) > 100
    assert predicted(run, source, by_plan=True) == first
    assert predicted(run, source, by_plan=True, form="jsonl") != first
    next(no_plans.iterdir()).unlink()
    assert predicted(run, source, by_plan=False) == first


def test_ten_rows_more_rows_and_no_rows(no_plans, tmp_path):
    run = trained(ROOT / "configs" / "iris.yaml", tmp_path)
    table = builtin("iris")
    for name, rows in (("ten", range(10)), ("other", range(40, 50)), ("three", range(3)), ("none", range(0)), ("many", [*range(150)] * 4)):
        (tmp_path / f"{name}.csv").write_text(text_of(table, rows))
    ten = predicted(run, str(tmp_path / "ten.csv"), by_plan=False)
    assert predicted(run, str(tmp_path / "ten.csv"), by_plan=True) == ten
    other = predicted(run, str(tmp_path / "other.csv"), by_plan=True)
    three = predicted(run, str(tmp_path / "three.csv"), by_plan=False)  # another number of rows is another program
    assert predicted(run, str(tmp_path / "three.csv"), by_plan=True) == three and ten.startswith(three)
    assert predicted(run, str(tmp_path / "ten.csv"), by_plan=True) == ten
    assert predicted(run, str(tmp_path / "none.csv"), by_plan=True) == b""
    many = predicted(run, str(tmp_path / "many.csv"), by_plan=False)  # two batches of 256 and one of 88
    assert predicted(run, str(tmp_path / "many.csv"), by_plan=True) == many and other in many.replace(many[: many.index(b"\n") + 1], b"", 1) + other
    assert len(list(no_plans.iterdir())) == 1


def test_windows_over_a_series(no_plans, tmp_path):
    (tmp_path / "model.yaml").write_text(RECURRENT)
    (tmp_path / "series.csv").write_text("value\n" + "\n".join(f"{np.sin(i / 5):.4f}" for i in range(200)) + "\n")
    run = trained(tmp_path / "model.yaml", tmp_path)
    first = predicted(run, str(tmp_path / "series.csv"), by_plan=False)
    assert predicted(run, str(tmp_path / "series.csv"), by_plan=True) == first
    assert first.splitlines()[1] == b'""' and first.count(b"\n") == 201


@pytest.fixture
def planned(no_plans, tmp_path):
    """A run of iris with a plan for these rows: (the run, the rows' file, what was written, the plan's file)."""
    run = trained(ROOT / "configs" / "iris.yaml", tmp_path)
    rows = tmp_path / "rows.csv"
    rows.write_text(text_of(builtin("iris"), range(10)))
    return run, str(rows), predicted(run, str(rows), by_plan=False), next(no_plans.iterdir())


@pytest.mark.parametrize("damage", ["a flipped bit", "half", "empty", "another's", "to be written by others"])
def test_a_plan_that_is_damaged_or_foreign_is_made_anew(planned, damage):
    run, rows, expected, path = planned
    whole = path.read_bytes()
    if damage == "to be written by others":
        os.chmod(path, 0o666)
    else:
        path.write_bytes({
            "a flipped bit": whole[:-9] + bytes([whole[-9] ^ 4]) + whole[-8:], "half": whole[: len(whole) // 2], "empty": b"",
            "another's": whole.replace(path.stem.encode(), b"p" + b"0" * 32, 1),
        }[damage])  # fmt: skip
    assert predicted(run, rows, by_plan=False) == expected
    assert path.read_bytes() == whole and path.stat().st_mode & 0o077 == 0
    assert predicted(run, rows, by_plan=True) == expected


@pytest.mark.parametrize("place", ["words", "kernels", "base"])
def test_a_tape_that_refers_to_what_it_lacks_is_refused(planned, place):
    run, rows, expected, path = planned
    key = path.stem
    made = plan.kept(key)
    tape = made.tapes[0].tape
    calls, places = tape.calls.copy(), tape.places.copy()
    calls[0, 1] = len(tape.words) + 1 if place == "words" else calls[0, 1]
    calls[0, 0] = len(tape.kernels) if place == "kernels" else calls[0, 0]
    places[0, 1] = 3 + len(tape.outside) if place == "base" else places[0, 1]
    object.__setattr__(tape, "calls", calls)
    object.__setattr__(tape, "places", places)
    plan.keep(key, made)
    assert plan.kept(key) is None
    assert predicted(run, rows, by_plan=False) == expected


def test_a_kernel_that_the_store_lacks_is_compiled_by_the_ordinary_way(planned, monkeypatch):
    run, rows, expected, _ = planned
    monkeypatch.setattr(store, "known", lambda names: None)
    assert predicted(run, rows, by_plan=False) == expected


def test_other_weights_keep_their_plan_and_other_shapes_do_not(planned, tmp_path):
    run, rows, expected, path = planned
    trained(ROOT / "configs" / "iris.yaml", Path(run), "fit.batch_size=7", "name=iris")
    assert predicted(run, rows, by_plan=False) != expected
    found = read_model(Path(run) / "model.safetensors")
    key, kinds = plan.key_of(found), {n: a.shape for n, a in found.tensors.items()}
    found.tensors[next(iter(kinds))] *= 2
    assert plan.key_of(found) == key != path.stem
    found.tensors[next(iter(kinds))] = np.zeros((3, 3), np.float32)
    assert plan.key_of(found) != key


def test_too_many_plans_and_too_large_ones_are_not_kept(planned, monkeypatch):
    _, _, _, path = planned
    made = plan.kept(path.stem)
    monkeypatch.setattr(plan, "MOST_PLANS", 3)
    for i in range(6):
        plan.keep(f"p{i}", made)
    assert {p.stem for p in path.parent.iterdir()} == {"p3", "p4", "p5"}
    monkeypatch.setattr(plan, "LARGEST", 100)
    plan.keep("p9", made)
    assert plan.kept("p9") is None and plan.kept("p5") is not None


def test_mistakes_in_rows_are_told_alike(planned):
    from layerctl.diagnostics import LayerctlError

    run, rows, _, _ = planned
    text = Path(rows).read_text()
    Path(rows).write_text(text.replace("\n", "\nx", 1))
    told = []
    for by_plan in (True, False):
        with pytest.raises(LayerctlError) as error:
            list(Predictor(run, 1).stream(rows, None, None if by_plan else 256, ()))
        told.append([d.render() for d in error.value.diagnostics])
    assert told[0] == told[1] and "is not a number" in told[0][0]
