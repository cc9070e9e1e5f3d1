"""Counts of decisions at thresholds, from which precision, recall and areas under curves follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from layerctl.losses.base import combine, match_ranks
from layerctl.metrics.base import Metric, as_distribution, several
from layerctl.ops.elementwise import apply, broadcast_to, cast
from layerctl.ops.leaves import constant
from layerctl.ops.reduce import reduce
from layerctl.ops.reshape import reshape
from layerctl.ops.value import Value


class Counts(Metric):
    """The weights of true and false positives and negatives at each of `cuts()`; for each label too where `labels()` says how many."""

    of_classes: ClassVar[bool] = True

    def cuts(self) -> list[float]:
        """The thresholds."""
        raise TypeError(f"{type(self).__name__} has no thresholds")

    def labels(self, y_pred: Sequence[int]) -> int | None:
        """How many labels are counted each by itself; None for all of them together."""
        return None

    def build(self, path: str, y_true: tuple[int, ...], y_pred: tuple[int, ...]) -> None:
        labels = self.labels(y_pred)
        for name in ("tp", "fp", "fn", "tn"):
            self.add_state(path, name, (len(self.cuts()), *(() if labels is None else (labels,))))

    def prepared(self, y_true: Value, y_pred: Value) -> tuple[Value, Value]:
        """The labels and scores that are counted."""
        return y_true, y_pred

    def weighted(self, weights: Value | None, y_pred: Value) -> Value | None:
        """The weights of the scores, in a shape that broadcasts against theirs."""
        return weights

    def update(self, y_true: Value, y_pred: Value, weights: Value | None = None) -> None:
        mask, (y_true, y_pred) = y_pred.mask, self.prepared(*match_ranks(as_distribution(y_true, y_pred), y_pred))
        labels = self.labels(y_pred.shape)
        shape = (1, -1) if labels is None else (1, -1, labels)
        weights = self.weighted(combine(weights, mask, y_pred), y_pred)
        w = constant(1.0) if weights is None else reshape(broadcast_to(weights, y_pred.shape), shape)
        cuts = reshape(constant(self.cuts()), (len(self.cuts()), *(1 for _ in shape[1:])))
        over = cast(reshape(y_pred, shape) > cuts, "f32")
        truth = reshape(cast(apply("ne", y_true, 0), "f32"), shape)
        for name, value in (("tp", truth * over), ("fp", (1.0 - truth) * over), ("fn", truth * (1.0 - over)), ("tn", (1.0 - truth) * (1.0 - over))):
            self.add(name, reduce("sum", value * w, 1, dtype="f64"))


def one_or_several(values: Sequence[float]) -> Any:
    """A number, or one for each threshold and their mean."""
    return values[0] if len(values) == 1 else several(values)


def part(a: float, b: float) -> float:
    """a / b, 0 for b = 0."""
    return a / b if b else 0.0
