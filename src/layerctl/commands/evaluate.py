"""`layerctl eval`: the metrics of a trained model, what lies behind them, and whether they are good enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerctl.diagnostics import Source, Span, did_you_mean, fail

if TYPE_CHECKING:
    from layerctl.api import Model
    from layerctl.data.dataset import Dataset
    from layerctl.data.strangers import Strangers
    from layerctl.reporting.judged import Judged
    from layerctl.reporting.thresholds import Decision, Rule


@dataclass(frozen=True)
class Gate:
    """A bound on a metric: at least `value`, or at most if `over`."""

    name: str
    value: float
    over: bool

    def missed(self, scores: dict[str, float]) -> bool:
        """Whether the metric is on the wrong side of the bound; NaN is."""
        got = scores[self.name]
        return not (got <= self.value if self.over else got >= self.value)


@dataclass(frozen=True)
class EvalResult:
    """The scores, and the gates that were missed.

    Attributes:
        outputs: what each output's predictions are worth, as classes, labels or numbers.
        measured: numbers that follow from them, for gates too: `roc_auc`, `ece`, `r2`, ...; several outputs have their names before them.
        decisions: thresholds that are in force; `kept` is the model file that they were written to.
        fallen_back: whether validation rows were judged because there are no test rows.
        strangers: rows of a file that are of classes which training did not have.
    """

    scores: dict[str, float]
    rows: str
    missed: list[Gate]
    outputs: list[Judged] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    kept: Path | None = None
    fallen_back: bool = False
    strangers: Strangers | None = None


def gate(text: str, option: str, over: bool) -> Gate:
    """`accuracy=0.95` as a gate.

    Raises:
        LayerctlError: for another form.
    """
    name, _, value = text.partition("=")
    try:
        return Gate(name.strip(), float(value), over)
    except ValueError:
        fail("bad-option", f"{option} wants NAME=VALUE with a number, got {text!r}", Span(Source(option)), hint="as in `accuracy=0.9`")
        raise


def evaluate(
    model: str, data: str | None = None, *, split: str | None = None, under: Sequence[str] = (), over: Sequence[str] = (),
    batch: int | None = None, threads: int | None = None, threshold: str | None = None, keep: bool = False,
) -> EvalResult:  # fmt: skip
    """Evaluates a run's model on a split of its data (the test rows if not said, the validation rows where there are none), or on a file.

    `threshold` is a rule by which the probability is chosen, on the validation rows, above which the second of two classes, or each label,
    is predicted; with `keep` it is written into the model file, for every prediction to come.

    Raises:
        LayerctlError: for what is missing; a gate on a metric that is not measured; a threshold that cannot be chosen.
    """
    from layerctl.api import of_file
    from layerctl.commands.unused import refuse_unused
    from layerctl.modelfile.artifact import read_model
    from layerctl.modelfile.finding import find_model
    from layerctl.reporting.thresholds import decisions_of, rule_of
    from layerctl.training.using import rows_to_judge

    if data is not None:
        refuse_unused({"--split": split is not None}, "a file is judged whole", {"--split": "leave out --split, or the file"})
    gates = [*(gate(t, "--fail-under", False) for t in under), *(gate(t, "--fail-over", True) for t in over)]
    rule = rule_of(threshold) if threshold is not None else None
    if keep and rule is None:
        fail("bad-option", "--keep writes a threshold into the model file, and none is chosen", Span(Source("--keep")),
             hint="say by what to choose it: --threshold f1")  # fmt: skip
    file = find_model(model)
    found = read_model(file)
    loaded = of_file(file, found, threads)
    decisions = decisions_of(found.decisions)
    if rule is not None:
        chosen = _chosen(loaded, rule, batch)
        decisions = [*(d for d in decisions if d.output not in {c.output for c in chosen}), *chosen]
    fallen_back = split is None and data is None and _only_validated(loaded)
    split = split or ("validation" if fallen_back else "test")
    known, strangers = _told_apart(loaded, data)
    rows = rows_to_judge(loaded, known, None, split)
    scores = loaded.evaluate(rows, batch_size=batch)
    outputs = _judged(loaded, rows, batch, decisions)
    if strangers is not None:
        scores = _lowered(scores, loaded, rows, strangers)
        outputs = _with_strangers(outputs, loaded, strangers, rows, batch, decisions)
    measured = {**_of_text(loaded, rows), **_measured(outputs)}
    known = {**measured, **scores}
    for g in gates:
        if g.name not in known:
            fail("unknown-metric", f"'{g.name}' is not measured{did_you_mean(g.name, known)}", Span(Source("--fail-under")),
                 hint=f"measured are {', '.join(known)}")  # fmt: skip
    kept = _keep(file, found, decisions) if keep else None
    missed = [g for g in gates if g.missed(known)]
    return EvalResult(scores, data or f"{split} rows", missed, outputs, measured, decisions, kept, fallen_back, strangers)


def _told_apart(loaded: Model, data: str | None) -> tuple[Any, Strangers | None]:
    """(the rows of a file whose classes training had, those of others); what is no file of rows with targets goes on as it is."""
    if data is None or loaded.schema is None or loaded.spec.data is None:
        return data, None
    from layerctl.data.strangers import told_apart

    return told_apart(data, loaded.schema, loaded.spec.data)


def _lowered(scores: dict[str, float], loaded: Model, rows: Dataset, strangers: Strangers) -> dict[str, float]:
    """The scores with shares of right predictions taken of all rows: none of a class that training did not have is right."""
    import numpy as np

    from layerctl.metrics.base import ShareOfRight

    out = dict(scores)
    for name, output in loaded.outputs.items():
        target = loaded.schema.target(name) if loaded.schema is not None else None
        strange = np.array([c is not None for c in strangers.classes.get(target.column, ())], bool) if target is not None else np.zeros(0, bool)
        for group, weighted in ((output.metrics, False), (output.weighted_metrics, True)):
            by_weight = weighted and rows.weights is not None and strangers.rows.weights is not None
            known, lost = (rows.weights.sum(), strangers.rows.weights[strange].sum()) if by_weight else (len(rows), strange.sum())
            for label, metric in group.items():
                key = f"{name}_{label}" if len(loaded.outputs) > 1 else label
                if isinstance(metric, ShareOfRight) and key in out and lost:
                    out[key] *= float(known / (known + lost))
    return out


def _with_strangers(
    outputs: Sequence[Judged], loaded: Model, strangers: Strangers, rows: Dataset, batch: int | None, decisions: Sequence[Decision]
) -> list[Judged]:  # fmt: skip
    """The outputs with the rows of classes that training did not have, each of which is told wrong."""
    import numpy as np

    from layerctl.reporting.judged import Classified

    targets = {n: np.zeros((len(strangers.rows), *t.shape[1:]), t.dtype) for n, t in rows.targets.items()}
    predicted = {f.name: f for f in _judged(loaded, strangers.rows.with_targets(targets, None), batch, decisions)}
    out: list[Judged] = []
    for found in outputs:
        target, other = loaded.schema.target(found.name) if loaded.schema is not None else None, predicted.get(found.name)
        classes = strangers.classes.get(target.column, []) if target is not None else []
        picked = np.array([i for i, c in enumerate(classes) if c is not None], np.int64)
        if isinstance(found, Classified) and isinstance(other, Classified) and len(picked) and len(other.told) == len(classes):
            other = replace(other, told=other.told[picked], shares=other.shares[picked], rows=np.arange(len(picked)))
            found = found.joined(other, [c for c in classes if c is not None])
        out.append(found)
    return out


def _only_validated(loaded: Model) -> bool:
    """Whether the data section splits off rows for validation, and none for a test."""
    parts = loaded.data
    return parts is not None and not len(parts.test or ()) and bool(len(parts.validation or ()))


def _chosen(loaded: Model, rule: Rule, batch: int | None) -> list[Decision]:
    """A threshold for each output with two classes, and for each label, from the validation rows."""
    from layerctl.reporting.judged import Classified, Labelled
    from layerctl.reporting.labelled import chosen
    from layerctl.reporting.thresholds import choose
    from layerctl.training.using import rows_to_judge

    found = _judged(loaded, rows_to_judge(loaded, None, None, "validation"), batch, [])
    classified = [c for c in found if isinstance(c, Classified)]
    labels = [d for f in found if isinstance(f, Labelled) for d in chosen(f, rule)]
    if not classified and not labels:
        fail("bad-option", "--threshold is for targets of two classes and for labels, and the model's targets are neither", Span(Source("--threshold")),
             hint="leave --threshold out")  # fmt: skip
    two = [c for c in classified if len(c.classes) == 2]
    return [*labels, *(choose(c, rule) for c in (two or ([] if labels else classified)))]


def _judged(loaded: Model, rows: Dataset, batch: int | None, decisions: Sequence[Decision]) -> list[Judged]:
    """The outputs on rows with targets, with classes and labels as the thresholds tell them."""
    from layerctl.reporting.judged import Classified, Labelled, judged
    from layerctl.reporting.labelled import told_by
    from layerctl.training.using import batch_of_predictions

    schema = loaded.schema
    if schema is not None and schema.continued() is not None:
        return []  # its classes are the words of a vocabulary, too many to be set against each other
    arrays = loaded.session(rows).predict(rows, batch or batch_of_predictions(loaded))
    out: list[Judged] = []
    for found in judged(loaded, _without_padding(rows), arrays):
        target = schema.target(found.name) if schema is not None else None
        own = [d for d in decisions if d.output == found.name]
        if isinstance(found, Classified) and target is not None and target.kind == "sequence" and len(target.classes) == len(found.classes):
            found = replace(found, classes=target.classes)
        if isinstance(found, Classified) and own and len(found.classes) == 2:
            found = replace(found, told=(found.shares[:, 1] > own[0].threshold).astype(found.told.dtype))
        if isinstance(found, Labelled):
            found = told_by(found, {d.positive: d.threshold for d in own})
        out.append(found)
    return out


def _without_padding(rows: Dataset) -> Dataset:
    """The rows with -1, which is no class, for steps that weigh nothing: what sequences are padded with."""
    import numpy as np

    weights = rows.weights
    if weights is None or weights.ndim < 2:
        return rows
    targets = {n: np.where(weights == 0, -1, t).astype(t.dtype) if t.dtype.kind == "i" and t.shape == weights.shape else t for n, t in rows.targets.items()}
    return rows.with_targets(targets, weights)


def _measured(outputs: Sequence[Judged]) -> dict[str, float]:
    """Numbers that sum up the outputs; several have their names before them."""
    from layerctl.reporting.summary import numbers_of

    out: dict[str, float] = {}
    for found in outputs:
        head = f"{found.name}_" if len(outputs) > 1 else ""
        out |= {f"{head}{name}": value for name, value in numbers_of(found).items()}
    return out


def _of_text(loaded: Model, rows: Dataset) -> dict[str, float]:
    """What is measured of a language model; nothing of others."""
    if loaded.schema is None or loaded.schema.continued() is None:
        return {}
    from layerctl.reporting.continued import numbers_of_text

    return numbers_of_text(loaded, rows)


def _keep(file: Path, found: Any, decisions: Sequence[Decision]) -> Path:
    """Writes the model file anew with its thresholds, all or nothing."""
    from layerctl.modelfile.artifact import write_model
    from layerctl.reporting.thresholds import plain

    write_model(file, replace(found, decisions=plain(decisions)))
    return file
