"""`layerctl tune`: tries values from the ranges of a file, writes the best of them as a plain file, and tells what it found."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerctl.commands.tuning.study import PRUNERS, Plan, Study, Tried, study_in
from layerctl.commands.tuning.trial import Models, run
from layerctl.diagnostics import LayerctlError, Problems, Source, Span, did_you_mean, fail
from layerctl.source.document import Document, Mapping, Scalar
from layerctl.spec.search import Choices, Search, filled, searches

REPORT = "report.html"


@dataclass(frozen=True)
class TuneResult:
    """How a study stands: its trials by number, the best of them, the plain file and the report that were written."""

    folder: Path
    metric: str
    maximize: bool
    reason: str
    trials: list[Tried]
    best: Tried | None
    file: Path | None
    report: Path
    searches: list[Search]
    seconds: float


@dataclass(frozen=True)
class Watcher:
    """Who hears of a study: of its start (ranges, trials wanted, trials ended), of each trial that ended, and of each trainer."""

    begin: Callable[[list[Search], int, int], None] = lambda found, wanted, ended: None
    trial: Callable[[Tried, Tried | None], None] = lambda tried, best: None
    trainer: Callable[[Any], None] = lambda trainer: None
    waiting: Callable[[], bool] = lambda: False
    """Whether other processes of this start are still at work."""
    stopped: Callable[[], bool] = lambda: False


def tune(
    source: str, *, out: str | None = None, trials: int = 30, max_seconds: float | None = None, metric: str | None = None,
    direction: str | None = None, pruner: str = "median", overrides: Sequence[str] = (), seed: int | None = None,
    threads: int | None = None, force: bool = False, watcher: Watcher | None = None,
) -> TuneResult:  # fmt: skip
    """Runs trials until the study in `out` (studies/NAME by default) has `trials` of them or the time is up; goes on with what is there.

    Raises:
        LayerctlError: for the file, its ranges, the data, the metric, the study's folder; if no trial could be built, for the last one's reason.
    """
    watcher = watcher or Watcher()
    begun = time.monotonic()
    document = _document(source, overrides, seed)
    models = Models(threads)
    plan, name = _plan(document, models, metric, direction, pruner)
    with study_in(Path(out) if out else Path("studies") / name, plan, force) as study:
        told = {t.number for t in study.ended()}
        watcher.begin(study.searches, trials, len(told))
        reason = _work(study, models, trials, max_seconds and begun + max_seconds, watcher, told)
        return _finish(study, source, reason, time.monotonic() - begun)


def _document(source: str, overrides: Sequence[str], seed: int | None) -> Document:
    from layerctl.source.opening import opened

    if source == "-":
        fail("bad-option", "tune needs a file of its own, not standard input", Span(Source("-")), hint="write it to a file: the best is written beside it")
    document = opened(source, overrides, seed=seed)
    if not searches(document):
        Models(None).build(document).close()  # a range that is misspelt is a wrong value
        root = document.root
        fail("no-search", "the file has no range to search", root.entries[0].key.span if isinstance(root, Mapping) and root.entries else root.span,
             hint="write one in place of a value: `units: {search: [16, 256], scale: log}`")  # fmt: skip
    return document


def _plan(document: Document, models: Models, metric: str | None, direction: str | None, pruner: str) -> tuple[Plan, str]:
    """(the plan, the file's name), after building the model once with each range's default, or the least of it."""
    if pruner not in PRUNERS:
        fail("bad-option", f"--prune takes {', '.join(PRUNERS)}, got '{pruner}'{did_you_mean(pruner, PRUNERS)}", Span(Source("layerctl")),
             hint="leave out --prune for the usual one")  # fmt: skip
    if direction not in (None, "minimize", "maximize"):
        fail("bad-option", f"--direction takes minimize or maximize, got '{direction}'", Span(Source("layerctl")),
             hint="losses are minimized, accuracies maximized")  # fmt: skip
    from layerctl.callbacks.base import better

    with models.build(filled(document, _least)) as model:
        spec, names = model.spec, _measured(model)
    _check_ends(document, models)
    chosen = metric or ("val_loss" if model.data.validation is not None else None)
    if chosen is None or chosen not in names:
        if (chosen or "val_loss").startswith("val_") and model.data.validation is None:
            fail("unknown-metric", "there are no validation rows to judge trials by", spec.span(("data",)),
                 hint="split some off: `data: {split: {validation: 0.2}}`; or judge by the training rows with --metric loss")  # fmt: skip
        near = did_you_mean(str(chosen), names)
        fail("unknown-metric", f"'{chosen}' is not measured{near}", Span(Source("--metric")), hint=f"measured are {', '.join(names)}")
    assert chosen is not None
    maximize = direction == "maximize" if direction is not None else better("auto", chosen) > 0
    return Plan(document, model.data.fingerprint, chosen, maximize, spec.seed, pruner, _epochs(document)), spec.name


_OF_VALUES = ("out-of-range", "wrong-type", "bad-value", "missing-argument")
_MOST_CHECKED = 20


def _check_ends(document: Document, models: Models) -> None:
    """Whether the greatest of each range, and each choice, can stand where the range does. What layers make of sizes together is for trials to say.

    Raises:
        LayerctlError: for all that cannot.
    """
    problems, tried = Problems(), 0
    for search in searches(document):
        others = range(1, len(search.over.values)) if isinstance(search.over, Choices) else [search.over.high]
        for value in others:
            tried += 1
            if tried > _MOST_CHECKED:
                break
            try:
                models.build(filled(document, lambda s, own=search, value=value: value if s.name == own.name else _least(s))).close()
            except LayerctlError as error:
                problems.found += (d for d in error.diagnostics if d.code in _OF_VALUES or d.code.startswith("unknown-"))
    problems.check()


def _least(search: Search) -> Any:
    if search.has_default:
        return search.default
    return 0 if isinstance(search.over, Choices) else search.over.low


def _epochs(document: Document) -> int:
    """The most epochs of a trial."""
    greatest = filled(document, lambda s: 0 if isinstance(s.over, Choices) else s.over.high)
    node = greatest.node_at(("fit", "epochs"))
    return node.value if isinstance(node, Scalar) and isinstance(node.value, int) else 10


def _measured(model: Any) -> list[str]:
    """The names that an epoch's logs have."""
    names = ["loss", *model.task().metrics()]
    return [*names, *(f"val_{n}" for n in names if model.data.validation is not None)]


def _work(study: Study, models: Models, trials: int, until: float | None, watcher: Watcher, told: set[int]) -> str:
    """Runs trials; `done`, `time` or `interrupted`."""

    def tell() -> None:
        for t in study.ended():
            if t.number not in told:
                told.add(t.number)
                watcher.trial(t, study.best())

    while not watcher.stopped():
        left = None if until is None else until - time.monotonic()
        if left is not None and left <= 0:
            return "time"
        trial = study.next(trials)
        if trial is None:
            if not watcher.waiting():
                tell()
                return "done"
            time.sleep(0.1)
        elif run(study, trial, models, left, watcher.trainer) is None:
            return "interrupted" if watcher.stopped() else "time"
        tell()
    return "interrupted"


def _finish(study: Study, source: str, reason: str, seconds: float) -> TuneResult:
    """Writes the best file and the report."""
    from layerctl.commands.tuning.report import html
    from layerctl.modelfile.atomic import write

    ended, best = study.ended(), study.best()
    if best is None and reason == "done":
        last = next((t.why for t in reversed(ended) if t.why), "")
        fail("no-trial", f"none of {len(ended)} trials could be trained to the end; the last: {last}", Span(Source(source)),
             hint="narrow the ranges, or lower the learning rate")  # fmt: skip
    file = None
    if best is not None:
        file = Path(source).with_name(f"{Path(source).stem}.best.yaml")
        write(file, [_best_text(study, best).encode()])
    result = TuneResult(study.folder, study.plan.metric, study.plan.maximize, reason, ended, best, file, study.folder / REPORT, study.searches, seconds)
    write(result.report, [html(result, Path(source).name).encode()])
    return result


def _best_text(study: Study, best: Tried) -> str:
    """The plain file of the best trial, with a line that says where it comes from."""
    from layerctl.source.dump import dumps

    return f"# From `layerctl tune`: {study.plan.metric} {best.value:.6g} in trial {best.number}.\n{dumps(study.document_of(best.number).plain())}"
