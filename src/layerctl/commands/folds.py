"""`layerctl train --folds 5`: a run for each fold, each judged by the rows that it was not trained on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from layerctl.commands.train import train
from layerctl.diagnostics import Diagnostic, LayerctlError, Source, Span, fail

SCORES = "folds.json"
LARGEST = 16 << 20


@dataclass(frozen=True)
class Fold:
    """One fold's run: how its training ended and what it scores on the rows that were held back."""

    fold: int
    folder: str
    reason: str
    epochs: int
    seconds: float
    scores: dict[str, float]


@dataclass(frozen=True)
class FoldsResult:
    """All folds that were trained. `spread` is the standard deviation over folds (n - 1), of each score that all of them have."""

    folder: Path
    count: int
    folds: list[Fold]
    reason: str
    mean: dict[str, float] = field(default_factory=dict)
    spread: dict[str, float] = field(default_factory=dict)
    warnings: list[Diagnostic] = field(default_factory=list)


def train_folds(
    source: str, count: int, *, out: str | None = None, overrides: Sequence[str] = (), seed: int | None = None, threads: int | None = None,
    resume: bool = False, force: bool = False, max_seconds: float | None = None, max_steps: int | None = None,
    report: bool = True, observer: Any = None, on_trainer: Callable[[Any], None] | None = None,
) -> FoldsResult:  # fmt: skip
    """Trains each fold into FOLDER/fold-1, fold-2, ...; with `resume` those that are done stay and the one that was begun goes on.

    `max_seconds` are for all folds together, `max_steps` for each.

    Raises:
        LayerctlError: as `commands.train.train`; `run-exists` for a folder that has folds, `foreign-folds` for folds of another file.
    """
    from layerctl.training.events import Observer

    observer = observer or Observer()
    text, name = _read(source, overrides, seed)
    folder = Path(out) if out else Path("runs") / name
    mark = hashlib.sha256(f"{count} {text}".encode()).hexdigest()[:32]
    done = _done(folder, mark, resume, force)
    warnings: list[Diagnostic] = []
    begun, reason = time.monotonic(), "done"
    for i in range(1, count + 1):
        if i in done:
            observer.message(f"fold {i} of {count} is done: {done[i].folder}")
            continue
        left = None if max_seconds is None else max(1e-3, (max_seconds - (time.monotonic() - begun)) / (count + 1 - i))
        own = folder / f"fold-{i}"
        observer.message(f"fold {i} of {count}")
        with _at_the_option(count):
            found = train(
                source, out=str(own), overrides=[*overrides, f"data.split.folds={count}", f"data.split.fold={i}"], seed=seed, threads=threads,
                resume=resume, force=force, max_seconds=left, max_steps=max_steps, report=report, observer=observer,
                on_trainer=on_trainer,
            )  # fmt: skip
        warnings += [w for w in found.warnings if w not in warnings]
        if found.reason == "interrupted":
            reason = found.reason
            break
        done[i] = Fold(i, str(own), found.reason, found.epochs, round(found.seconds, 3), found.scores)
        _keep(folder, mark, count, list(done.values()))
    folds = [done[i] for i in sorted(done)]
    return FoldsResult(folder, count, folds, reason, *summary([f.scores for f in folds]), warnings)


@contextlib.contextmanager
def _at_the_option(count: int) -> Iterator[None]:
    """Errors of what `--folds` sets stand at it."""
    text = str(count)
    option = Span(Source("--folds", text), 1, 1, 1, len(text) + 1)
    try:
        yield
    except LayerctlError as error:
        set_here = [d.span is not None and (d.span.source.text or "").startswith("data.split.fold") for d in error.diagnostics]
        if not any(set_here):
            raise
        raise type(error)([replace(d, span=option) if own else d for d, own in zip(error.diagnostics, set_here, strict=True)]) from error


def summary(scores: Sequence[dict[str, float]]) -> tuple[dict[str, float], dict[str, float]]:
    """(means, standard deviations) of the scores that all have; a deviation needs two."""
    names = [n for n in scores[0] if all(n in s and s[n] == s[n] for s in scores)] if scores else []
    mean = {n: sum(s[n] for s in scores) / len(scores) for n in names}
    if len(scores) < 2:
        return mean, {}
    return mean, {n: (sum((s[n] - mean[n]) ** 2 for s in scores) / (len(scores) - 1)) ** 0.5 for n in names}


def _read(source: str, overrides: Sequence[str], seed: int | None) -> tuple[str, str]:
    """(the file's content with overrides applied, the model's name)."""
    from layerctl.source.overrides import apply_overrides
    from layerctl.source.read import load
    from layerctl.spec.file import read_spec

    if source == "-":
        fail("bad-option", "--folds reads the file once for each fold, and standard input can be read only once", Span(Source("--folds")),
             hint="give the model's file by its name")  # fmt: skip
    document = apply_overrides(load(source), [*overrides, *([f"seed={seed}"] if seed is not None else [])])
    spec = read_spec(document)
    if spec.data is None:
        fail("missing-section", "folds are made of a data section's rows, and the file has none", document.root.span,
             hint="say under `data:` what to train on")  # fmt: skip
    return json.dumps(document.plain(), sort_keys=True, default=str), spec.name


def _done(folder: Path, mark: str, resume: bool, force: bool) -> dict[int, Fold]:
    """The folds that an earlier command trained."""
    path = folder / SCORES
    place = Span(Source(str(path)))
    if force:
        path.unlink(missing_ok=True)
        return {}
    if not path.exists():
        return {}
    if not resume:
        fail("run-exists", "there are trained folds in this folder already", Span(Source(str(folder))),
             hint="train into another with --out, go on with --resume, or replace them with --force")  # fmt: skip
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("too large")
        found = json.loads(path.read_text(encoding="utf-8"))
        own = str(found["of"])
        folds = {int(f["fold"]): Fold(**f) for f in found["folds"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        fail("file-unreadable", f"the folds' scores are damaged: {error}", place, hint="train them again with --force")
        raise
    if own != mark:
        fail("foreign-folds", "these folds were trained from another file, or are another number of them", place,
             hint="train into another folder with --out, or replace them with --force")  # fmt: skip
    return {i: f for i, f in folds.items() if (Path(f.folder) / "model.safetensors").exists()}


def _keep(folder: Path, mark: str, count: int, folds: list[Fold]) -> None:
    from layerctl.modelfile.atomic import write

    mean, spread = summary([f.scores for f in folds])
    plain = {"of": mark, "count": count, "folds": [asdict(f) for f in folds], "mean": mean, "spread": spread}
    write(folder / SCORES, [(json.dumps(plain, indent=1) + "\n").encode()])


def plain(found: FoldsResult) -> dict[str, Any]:
    """The result as data."""
    return {
        "event": "folds", "folder": str(found.folder), "count": found.count, "reason": found.reason, "folds": [asdict(f) for f in found.folds],
        "mean": found.mean, "spread": found.spread,
    }  # fmt: skip
