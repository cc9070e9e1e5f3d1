import errno
import json
import math
import os
import resource

import numpy as np
import pytest
from faults import Faults, in_child
from test_atomic import code_of

from layerctl.diagnostics import LayerctlError
from layerctl.modelfile.append import JsonLines

ROWS = [{"epoch": i, "loss": 1 / (i + 1)} for i in range(5)]


def written(path):
    with JsonLines(path) as history:
        for row in ROWS:
            history.append(row)
        history.sync()
    return path.read_bytes()


def test_round_trip(tmp_path):
    path = tmp_path / "history.jsonl"
    written(path)
    with JsonLines(path) as history:
        assert history.rows == ROWS
        history.append({"epoch": 5, "loss": math.nan, "best": -math.inf, "lr": np.float32(0.5), "a": [np.int64(1)]})
        assert history.rows[-1] == {"epoch": 5, "loss": None, "best": None, "lr": 0.5, "a": [1]}
    assert json.loads(path.read_text().splitlines()[-1])["best"] is None
    history.close()


def test_a_torn_last_line_is_cut(tmp_path):
    path = tmp_path / "history.jsonl"
    data = written(path)
    lines = data.splitlines(keepends=True)
    whole = b"".join(lines[:-1])
    for size in range(len(whole), len(data) + 1):
        path.write_bytes(data[:size])
        with JsonLines(path) as history:
            kept = history.rows
            history.append({"epoch": 99})
        assert kept == (ROWS if size == len(data) else ROWS[:-1])
        with JsonLines(path) as history:
            assert history.rows == [*kept, {"epoch": 99}]
    for tail in (bytes(500), b'{"epoch": 5\r\r', b"\xff\xfe\n", b"[1]\n", b"\n", b"[" * 5000):
        path.write_bytes(data + tail)
        with JsonLines(path) as history:
            assert history.rows == ROWS
        assert path.read_bytes() == data


def test_a_damaged_line_before_the_last_is_not_cut(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'{"epoch": 0}\nnot JSON\n{"epoch": 2}\n')
    with pytest.raises(LayerctlError) as caught:
        JsonLines(path)
    (found,) = caught.value.diagnostics
    assert found.code == "file-damaged" and found.span.line == 2
    assert path.read_bytes().count(b"\n") == 3


def test_truncate_after(tmp_path):
    path = tmp_path / "history.jsonl"
    written(path)
    with JsonLines(path) as history:
        assert history.truncate_after(lambda row: row["epoch"] < 3) == 2
        assert history.truncate_after(lambda row: True) == 0
        history.append({"epoch": 3, "again": True})
    with JsonLines(path) as history:
        assert history.rows == [*ROWS[:3], {"epoch": 3, "again": True}]
        assert history.truncate_after(lambda row: False) == 4
    assert path.read_bytes() == b""


@pytest.mark.parametrize("what", ["kill", "torn"])
def test_killed_at_any_call(tmp_path, monkeypatch, what):
    path = tmp_path / "history.jsonl"
    for at in range(1, 30):
        written(path)
        path.write_bytes(path.read_bytes() + b'{"torn')

        def action(at=at):
            Faults(monkeypatch, at, what)
            with JsonLines(path) as history:
                history.truncate_after(lambda row: row["epoch"] < 3)
                history.append({"epoch": 3, "again": True})
                history.sync()

        status = in_child(action)
        with JsonLines(path) as history:
            assert history.rows in (ROWS, ROWS[:3], [*ROWS[:3], {"epoch": 3, "again": True}])
        path.unlink()
        if status == 0:
            return
    pytest.fail("the sweep never came to its end")


def test_a_failed_append_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "history.jsonl"
    data = written(path)
    real = os.write

    def half_then_full(descriptor, line):
        if len(line) < 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, line[:15])

    with JsonLines(path) as history:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", half_then_full)
            assert code_of(lambda: history.append({"epoch": 5, "loss": 0.5})) == "cannot-write"
        assert path.read_bytes() == data
        with pytest.raises(TypeError):
            history.append({"a": object()})
        history.append({"epoch": 5})
        assert len(history.rows) == 6
    with JsonLines(path) as history:
        assert len(history.rows) == 6


def test_file_size_limit(tmp_path):
    path = tmp_path / "history.jsonl"
    data = written(path)

    def action():
        with JsonLines(path) as history:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(data) + 10,) * 2)
            with pytest.raises(LayerctlError, match="cannot-write"):
                history.append({"epoch": 5, "loss": 0.125})

    assert in_child(action) == 0
    assert path.read_bytes() == data


def test_targets_that_are_no_files(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "link", tmp_path / "pipe", tmp_path / "missing" / "x", "/dev/full"):
        assert code_of(lambda path=path: JsonLines(path)) == "cannot-write"
    assert not (tmp_path / "elsewhere").exists()
