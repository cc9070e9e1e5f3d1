"""`layerctl eval`: the metrics of a trained model, and whether they are good enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from layerctl.diagnostics import Source, Span, did_you_mean, fail


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
    """The scores, and the gates that were missed."""

    scores: dict[str, float]
    rows: str
    missed: list[Gate]


def gate(text: str, option: str, over: bool) -> Gate:
    """`accuracy=0.95` as a gate.

    Raises:
        LayerctlError: for another form.
    """
    name, _, value = text.partition("=")
    try:
        return Gate(name.strip(), float(value), over)
    except ValueError:
        fail("bad-option", f"{option} wants NAME=VALUE with a number, got {text!r}", Span(Source(option)))
        raise


def evaluate(
    model: str, data: str | None = None, *, split: str = "test", under: Sequence[str] = (), over: Sequence[str] = (),
    batch: int | None = None, threads: int | None = None,
) -> EvalResult:  # fmt: skip
    """Evaluates a run's model on a split of its data, or on a file.

    Raises:
        LayerctlError: for what is missing; a gate on a metric that is not measured.
    """
    from layerctl.api import load

    gates = [*(gate(t, "--fail-under", False) for t in under), *(gate(t, "--fail-over", True) for t in over)]
    loaded = load(model, threads=threads)
    scores = loaded.evaluate(data, split=split, batch_size=batch)
    for g in gates:
        if g.name not in scores:
            fail("unknown-metric", f"'{g.name}' is not measured{did_you_mean(g.name, scores)}", Span(Source("--fail-under")),
                 hint=f"measured are {', '.join(scores)}")  # fmt: skip
    return EvalResult(scores, data or f"{split} rows", [g for g in gates if g.missed(scores)])
