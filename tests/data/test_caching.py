"""Rows from the cache are the rows in memory, bit for bit, and what is in the cache is checked, bounded and replaced."""

import gzip
import os

import numpy as np
import pytest

from layerctl.data import caching, encoded, spool
from layerctl.data.dataset import load, load_for_evaluation
from layerctl.diagnostics import LayerctlError
from layerctl.spec.data import DataSpec


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch, tmp_path):
    monkeypatch.setenv("LAYERCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(caching, "PIECE", 37)
    monkeypatch.setattr(caching, "READ", 50)


def loaded(folder, name, cache, hints=None, **section):
    return load(DataSpec(source=name, cache=cache, **section), 3, lambda *p: None, folder, hints or {})


def same(a, b):
    assert a.schema == b.schema and a.fingerprint == b.fingerprint
    for one, other in ((a.train, b.train), (a.validation, b.validation), (a.test, b.test)):
        assert (one is None) == (other is None)
        if one is not None:
            theirs = encoded.arrays_of(other)
            for name, array in encoded.arrays_of(one).items():
                assert array.dtype == theirs[name].dtype and array.tobytes() == theirs[name].tobytes(), name


def files(folder):
    return sorted((folder / "cache" / "rows").glob("*.rows"))


ROWS = "n,c,d,m,t,w\n" + "".join(
    f"{i * 0.37},{'abc'[i % 3]},{2000 + i % 20}-01-{1 + i % 28:02},{'?' if i % 7 == 0 else i},{'yes' if i % 2 else 'no'},{1 + i % 2}\n" for i in range(300)
)
LETTER = {"columns": ["c"], "kind": "category", "encode": "index"}
SECTION = {"features": {"x": {"missing": "median"}, "day": {"columns": ["d"], "kind": "date"}, "letter": LETTER},
           "target": "t", "weight": "w", "split": {"validation": 0.2, "test": 0.1, "stratify": True}}  # fmt: skip


def test_the_same_bits_as_in_memory(tmp_path):
    (tmp_path / "t.csv").write_text(ROWS)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(ROWS.encode()))
    memory = loaded(tmp_path, "t.csv", False, **SECTION)
    assert not (tmp_path / "cache" / "rows").exists()
    same(loaded(tmp_path, "t.csv", True, **SECTION), memory)
    assert len(files(tmp_path)) == 1
    same(loaded(tmp_path, "t.csv", True, **SECTION), memory)
    assert not list((tmp_path / "cache" / "rows").glob(".*"))
    for source in ("t.csv.gz",):
        same(loaded(tmp_path, source, True, **SECTION), memory)


def test_rows_left_out_windows_and_texts(tmp_path):
    (tmp_path / "t.csv").write_text(ROWS)
    words = {"words": {"columns": ["c"], "kind": "text"}, "x": {"columns": ["n", "m"], "missing": "drop"}}
    section = {"features": words, "target": "t", "split": {"test": 0.3, "by": "time", "column": "n"}}
    same(loaded(tmp_path, "t.csv", True, **section), loaded(tmp_path, "t.csv", False, **section))
    series = {"features": {"x": {"kind": "window", "columns": ["n"], "window": {"length": 5, "horizon": 2, "step": 3}}}, "target": "n", "split": {"test": 0.3}}
    same(loaded(tmp_path, "t.csv", True, {"n": "number"}, **series), loaded(tmp_path, "t.csv", False, {"n": "number"}, **series))


def test_policies_and_classes_that_are_evened_out(tmp_path):
    head, rows = ROWS.split("\n", 1)
    (tmp_path / "t.csv").write_text(head + "\n" + rows.replace(",c,", ",b,", 60))
    features = {"n": {"columns": ["n"], "outlying": "clip", "quantiles": [0.1, 0.9]}, "d": {"columns": ["d"], "kind": "date"},
                "w": {"columns": ["w"], "kind": "binary"}, "rest": {"columns": ["m"], "missing": "mean"}}  # fmt: skip
    for method in ("over", "under"):
        section = {"features": features, "target": "c", "sampling": method, "split": {"validation": 0.1, "test": 0.2}}
        memory = loaded(tmp_path, "t.csv", False, **section)
        same(loaded(tmp_path, "t.csv", True, **section), memory)
        assert len(set(np.bincount(next(iter(memory.train.targets.values()))))) == 1
    groups = {"features": features, "target": "c", "split": {"by": "group", "column": "d", "test": 0.3, "validation": 0.0}}
    same(loaded(tmp_path, "t.csv", True, **groups), loaded(tmp_path, "t.csv", False, **groups))
    assert len(files(tmp_path)) == 3


def test_steps_labels_and_several_numbers(tmp_path):
    def letters(of, i):
        return " ".join(of[(i + j) % len(of)] for j in range(1 + i % 4))

    lines = [f"{letters('xyz', i)},{letters('AB', i)},{'p q' if i % 3 else 'q'},{i},{i * 0.5}\n" for i in range(200)]
    (tmp_path / "t.csv").write_text("words,tags,labels,n,n2\n" + "".join(lines))
    words = {"words": {"columns": ["words"], "kind": "text"}}
    targets = [{"column": "tags", "kind": "sequence"}, {"column": "labels", "kind": "labels"}, {"columns": ["n", "n2"], "scale": "standard"}, "input"]
    for target in targets:
        section = {"features": words, "target": target, "split": {"test": 0.2}}
        same(loaded(tmp_path, "t.csv", True, **section), loaded(tmp_path, "t.csv", False, **section))
    assert len(files(tmp_path)) == len(targets)


def test_a_language_model_reads_pieces_of_texts_in_memory(tmp_path):
    (tmp_path / "t.csv").write_text("text\n" + "".join(f"the cat sat on mat {'ab'[i % 2]}\n" for i in range(120)))
    section = {"features": {"text": {"kind": "text", "length": 4}}, "target": "next", "split": {"test": 0.25}}
    same(loaded(tmp_path, "t.csv", True, **section), loaded(tmp_path, "t.csv", False, **section))
    assert not files(tmp_path)


def test_a_column_that_changes_its_mind(tmp_path, monkeypatch):
    """Numbers first and a word later; so many different texts that they are kept as they are."""
    monkeypatch.setattr(spool, "MOST_WORDS", 20)
    monkeypatch.setattr(spool, "MOST_NUMBERS", 10)
    lines = [f"{i}.0,{i},{'word' if i == 250 else i},{i % 2}\n" for i in range(300)]
    (tmp_path / "t.csv").write_text("a,b,c,t\n" + "".join(lines))
    section = {"features": {"a": {"columns": ["a"], "kind": "category"}, "b": {"columns": ["b"]}, "c": LETTER}, "target": "t"}
    cached = loaded(tmp_path, "t.csv", True, **section)
    same(cached, loaded(tmp_path, "t.csv", False, **section))
    assert cached.schema.features["a"].columns[0].words[0] == "0.0" and "word" in cached.schema.features["c"].columns[0].words


def test_json_lines_arrays_and_several_files(tmp_path):
    lines = [f'{{"v": [{i}, {i * 2}], "t": {i % 2}{", " + chr(34) + "late" + chr(34) + ": 1" if i > 200 else ""}}}\n' for i in range(300)]
    (tmp_path / "t.jsonl").write_text("".join(lines))
    section = {"features": {"v": {"columns": ["v"], "scale": "minmax"}}, "target": "t", "split": {"test": 0.2}}
    same(loaded(tmp_path, "t.jsonl", True, **section), loaded(tmp_path, "t.jsonl", False, **section))
    np.savez(tmp_path / "t.npz", v=np.arange(600).reshape(300, 2), t=np.arange(300) % 2)
    same(loaded(tmp_path, "t.npz", True, **section), loaded(tmp_path, "t.npz", False, **section))
    head, *rest = ROWS.splitlines(keepends=True)
    for part, low in (("b", 0), ("a", 150)):
        (tmp_path / f"part-{part}.csv").write_text(head + "".join(rest[low : low + 150]))
    several = loaded(tmp_path, "part-*.csv", True, **SECTION)
    same(several, loaded(tmp_path, "part-*.csv", False, **SECTION))
    (tmp_path / "part-b.csv").write_text(head + "".join(rest[:149]) + "x,a,2001-01-01,1,yes,1\n")
    with pytest.raises(LayerctlError, match=r"part-b.csv:151:1: error: column 'n': 'x' is not a number"):
        loaded(tmp_path, "part-*.csv", True, **{**SECTION, "features": {"x": {"columns": ["n"], "kind": "number"}}})


def test_evaluation_files_go_the_same_way(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text(ROWS)
    data = loaded(tmp_path, "t.csv", False, **SECTION)
    memory = load_for_evaluation(str(tmp_path / "t.csv"), data.schema, DataSpec(source="t.csv", cache=False, **SECTION))
    cached = load_for_evaluation(str(tmp_path / "t.csv"), data.schema, DataSpec(source="t.csv", cache=True, **SECTION))
    assert memory.fingerprint == cached.fingerprint and len(cached) == 300 and len(files(tmp_path)) == 1


@pytest.mark.parametrize("damage", ["flip", "cut", "longer", "head", "empty"])
def test_damaged_files_are_made_again(tmp_path, damage):
    (tmp_path / "t.csv").write_text(ROWS)
    memory = loaded(tmp_path, "t.csv", True, **SECTION)
    (path,) = files(tmp_path)
    good = path.read_bytes()
    place = {"flip": len(good) - 100, "head": 20}.get(damage, 0)
    bad = {"cut": good[:-64], "longer": good + b"x", "empty": b""}.get(damage, good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
    path.unlink()
    path.write_bytes(bad)
    path.chmod(0o600)
    same(loaded(tmp_path, "t.csv", True, **SECTION), memory)
    assert files(tmp_path)[0].read_bytes() == good


def test_other_content_and_other_sections_have_files_of_their_own(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text(ROWS)
    loaded(tmp_path, "t.csv", True, **SECTION)
    first = files(tmp_path)[0]
    (tmp_path / "t.csv").write_text(ROWS.replace("yes,2", "yes,3"))
    loaded(tmp_path, "t.csv", True, **SECTION)
    loaded(tmp_path, "t.csv", True, **{**SECTION, "split": {}})
    assert len(files(tmp_path)) == 3
    for age, path in enumerate(sorted(files(tmp_path), key=lambda p: p != first)):
        os.utime(path, (1e9 + age, 1e9 + age))
    monkeypatch.setenv("LAYERCTL_CACHE_GB", str(2.5 * first.stat().st_size / (1 << 30)))
    loaded(tmp_path, "t.csv", True, **{**SECTION, "split": {"test": 0.5}})
    assert len(files(tmp_path)) == 2 and first not in files(tmp_path)


def test_what_dead_processes_left_is_taken_away(tmp_path):
    (tmp_path / "t.csv").write_text(ROWS)
    loaded(tmp_path, "t.csv", True, **SECTION)
    rows = tmp_path / "cache" / "rows"
    mine = f".layerctl-tmp.{os.uname().nodename}"
    (rows / f"{mine}.4194999.0").write_text("half")
    (rows / f"{mine}.4194999.1").mkdir()
    (rows / f"{mine}.4194999.1" / "column").write_text("half")
    (rows / f"{mine}.{os.getppid()}.0").write_text("of a living process")
    loaded(tmp_path, "t.csv", True, **{**SECTION, "split": {}})
    assert [p.name for p in rows.glob(".*")] == [f"{mine}.{os.getppid()}.0"]


def test_without_a_cache_rows_stay_in_memory(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text(ROWS)
    (tmp_path / "file").write_text("")
    memory = loaded(tmp_path, "t.csv", False, **SECTION)
    monkeypatch.setenv("LAYERCTL_CACHE", str(tmp_path / "file" / "cache"))
    same(loaded(tmp_path, "t.csv", True, **SECTION), memory)
