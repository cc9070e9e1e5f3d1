"""Plans: what predicting left in the cache, so that the next process needs neither the file's reader nor the compiler.

A plan is data: how rows are read, how results are told, where weights stand, and the tapes of the programs that ran. It holds no weights
(those are the model file's) and no code (kernels are the store's). It is kept beside the kernels and as they are: only this user can have
written it, a damaged one is none, and its name is the hash of all that it depends on. Instructions in a model file that somebody sent
would be as good as code: argument blocks are addresses and sizes that kernels do not check.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import layerctl
from layerctl.kernels import shelf, store
from layerctl.modelfile import strictjson
from layerctl.modelfile.artifact import ModelFile
from layerctl.runtime.tape import Tape
from layerctl.spec.reading import Reading

FORMAT = 1
LARGEST = 16 << 20  # bytes of a plan
MOST_TAPES = 12
MOST_PLANS = 256
ENDING = ".plan"
_ARRAYS = {"words": np.int64, "places": np.int64, "calls": np.int64, "constants": np.uint8}

Kind = tuple[str, tuple[int, ...]]
"""A dtype of numpy's and a shape."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """The tape that predicts `rows` rows of inputs of these kinds (without the rows); `results` are what it writes."""

    rows: int
    inputs: dict[str, Kind]
    results: dict[str, Kind]
    tape: Tape


@dataclass(frozen=True, eq=False)
class Plan:
    """All that predicting needs besides the model file and the kernels.

    Attributes:
        reading: how files of data are read.
        batch: the most rows that are predicted at once.
        outputs: the model's outputs, and `logits` those of them that are logits.
        state: bytes of the state; in it `weights` by name (offset, kind), `cleared` (offset, bytes) what is zero at first, and the
            offset of the `cursor` (int64).
        tapes: of the programs that ran.
    """

    reading: Reading
    batch: int
    outputs: tuple[str, ...]
    logits: tuple[str, ...]
    state: int
    weights: dict[str, tuple[int, Kind]]
    cleared: tuple[tuple[int, int], ...]
    cursor: int
    tapes: list[Recorded] = field(default_factory=list)

    def tape(self, rows: int, inputs: Mapping[str, np.ndarray]) -> Recorded | None:
        """The tape for so many rows of these inputs."""
        kinds = {n: kind_of(a) for n, a in inputs.items()}
        return next((t for t in self.tapes if t.rows == rows and t.inputs == kinds), None)


def kind_of(array: np.ndarray) -> Kind:
    """The dtype, and the shape behind the rows."""
    return array.dtype.str, tuple(array.shape[1:])


def key_of(model: ModelFile) -> str:
    """The name of a model's plan: the hash of its file's text, its weights' kinds, this machine's kernels and this version of layerctl."""
    digest = hashlib.sha256(f"{FORMAT} {layerctl.__version__} {store.generation()}".encode())
    digest.update(_sources())
    digest.update(model.yaml.encode())
    digest.update(strictjson.dumps(model.features).encode())
    for name, array in sorted(model.tensors.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
    return "p" + digest.hexdigest()[:32]


@functools.cache
def _sources() -> bytes:
    """What changes when a source of the package does: names, sizes and times."""
    out: list[str] = []
    folders = [Path(layerctl.__file__).parent]
    while folders:
        for entry in os.scandir(folders.pop()):
            if entry.name.endswith(".py"):
                status = entry.stat()
                out.append(f"{entry.path} {status.st_size} {status.st_mtime_ns}")
            elif entry.is_dir() and entry.name != "__pycache__":
                folders.append(Path(entry.path))
    return "\n".join(sorted(out)).encode()


def kept(key: str) -> Plan | None:
    """The plan of that name; None where there is none that is whole and ours."""
    data = shelf.read(shelf.place("plans"), key, ENDING)
    if data is None:
        return None
    try:
        return _unpacked(data)
    except (ValueError, KeyError, TypeError):
        return None


def keep(key: str, plan: Plan) -> None:
    """Keeps a plan, unless it is too large; the oldest of too many are removed."""
    plan.tapes[:] = plan.tapes[-MOST_TAPES:]
    data = _packed(plan)
    folder = shelf.place("plans")
    if folder is None or len(data) > LARGEST:
        return
    shelf.keep(folder, key, data, ENDING)
    with contextlib.suppress(OSError):
        found = sorted(folder.glob(f"*{ENDING}"), key=lambda p: p.stat().st_mtime_ns)
        for path in found[:-MOST_PLANS]:
            path.unlink()


def _packed(plan: Plan) -> bytes:
    """The length of the JSON, the JSON, the arrays of each tape."""
    head: dict[str, Any] = {k: getattr(plan, k) for k in ("batch", "outputs", "logits", "state", "weights", "cleared", "cursor")}
    head["reading"] = asdict(plan.reading)
    head["tapes"] = []
    arrays: list[bytes] = []
    for t in plan.tapes:
        own = {name: getattr(t.tape, name) for name in _ARRAYS}
        arrays += [a.tobytes() for a in own.values()]
        head["tapes"].append({
            "rows": t.rows, "inputs": t.inputs, "results": t.results, "kernels": t.tape.kernels, "outside": t.tape.outside,
            "arena": t.tape.arena, "prologue": t.tape.prologue, **{name: a.shape for name, a in own.items()},
        })  # fmt: skip
    text = json.dumps(head).encode()
    return b"".join([len(text).to_bytes(8, "little"), text, *arrays])


def _unpacked(data: bytes) -> Plan:
    size = 8 + int.from_bytes(data[:8], "little")
    head = json.loads(data[8:size])
    tapes = []
    for t in head.pop("tapes"):
        arrays = {}
        for name, dtype in _ARRAYS.items():
            count = int(np.prod(t[name], dtype=np.int64))
            arrays[name] = np.frombuffer(data, dtype, count, size).reshape(t[name])
            size += arrays[name].nbytes
        tape = Tape(tuple(t["kernels"]), tuple(t["outside"]), **arrays, arena=t["arena"], prologue=t["prologue"])
        if not tape.fits():
            raise ValueError("a tape refers to what it does not have")
        tapes.append(Recorded(t["rows"], _kinds(t["inputs"]), _kinds(t["results"]), tape))
    weights = {n: (at, _kind(k)) for n, (at, k) in head.pop("weights").items()}
    reading = Reading(**head.pop("reading"))
    outputs, logits, cleared = (tuple(head.pop(k)) for k in ("outputs", "logits", "cleared"))
    return Plan(reading, outputs=outputs, logits=logits, cleared=cleared, weights=weights, tapes=tapes, **head)


def _kind(given: Any) -> Kind:
    return given[0], tuple(given[1])


def _kinds(given: Any) -> dict[str, Kind]:
    return {n: _kind(k) for n, k in given.items()}
