"""Metrics of decisions at thresholds: precision, recall, the area under a curve."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from layerctl.losses.base import combine
from layerctl.metrics.base import Metric, as_distribution
from layerctl.ops.elementwise import apply, broadcast_to, cast
from layerctl.ops.leaves import constant
from layerctl.ops.reduce import reduce
from layerctl.ops.reshape import reshape
from layerctl.ops.value import Value


class _Confusion(Metric):
    """Counts of true and false positives and negatives at each of `cuts()`."""

    def cuts(self) -> list[float]:
        """The thresholds."""
        raise TypeError(f"{type(self).__name__} has no thresholds")

    def build(self, path: str, y_true: tuple[int, ...], y_pred: tuple[int, ...]) -> None:
        for name in ("tp", "fp", "fn", "tn"):
            self.add_state(path, name, (len(self.cuts()),))

    def prepared(self, y_true: Value, y_pred: Value) -> tuple[Value, Value]:
        """The labels and scores that are counted."""
        return y_true, y_pred

    def update(self, y_true: Value, y_pred: Value, weights: Value | None = None) -> None:
        mask, (y_true, y_pred) = y_pred.mask, self.prepared(as_distribution(y_true, y_pred), y_pred)
        weights = combine(weights, mask, y_pred)
        scores = reshape(y_pred, (1, -1))
        truth = reshape(cast(y_true, "f32"), (1, -1))
        w = reshape(broadcast_to(weights, y_pred.shape), (1, -1)) if weights is not None else constant(1.0)
        over = cast(scores > constant([[c] for c in self.cuts()]), "f32")
        truth = cast(truth > 0.5, "f32")
        for name, value in (("tp", truth * over), ("fp", (1.0 - truth) * over), ("fn", truth * (1.0 - over)), ("tn", (1.0 - truth) * (1.0 - over))):
            self.add(name, reduce("sum", value * w, 1, dtype="f64"))


def _thresholds(value: Any) -> list[float]:
    return [0.5] if value is None else [float(v) for v in (value if isinstance(value, list) else [value])]


class _AtThresholds(_Confusion):
    thresholds: float | list[float] | None = Field(None, description="Above it a prediction counts as positive; 0.5 if not given.")
    top_k: PositiveInt | None = Field(None, description="Count the k largest predictions as positive, in place of a threshold.")
    class_id: int | None = Field(None, description="The one class that is looked at.")

    def cuts(self) -> list[float]:
        return [-1e30] if self.top_k is not None and self.thresholds is None else _thresholds(self.thresholds)

    def prepared(self, y_true: Value, y_pred: Value) -> tuple[Value, Value]:
        from layerctl.losses.base import match_ranks

        y_true, y_pred = match_ranks(y_true, y_pred)
        if self.top_k is not None:
            kth = y_pred
            for _ in range(self.top_k - 1):
                kth = apply("where", apply("ge", kth, reduce("max", kth, -1, keepdims=True)), -3e38, kth)
            y_pred = apply("where", apply("ge", y_pred, reduce("max", kth, -1, keepdims=True)), y_pred, -3e38)
        if self.class_id is not None:
            y_true, y_pred = y_true[..., self.class_id], y_pred[..., self.class_id]
        return y_true, y_pred


def _ratio(a: Any, b: Any) -> float:
    values = [float(x) / float(y) if y else 0.0 for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    return values[0] if len(values) == 1 else sum(values) / len(values)


class Precision(_AtThresholds):
    """`tp / (tp + fp)`."""

    def result(self, state: dict[str, Any]) -> float:
        return _ratio(state["tp"], state["tp"] + state["fp"])


class Recall(_AtThresholds):
    """`tp / (tp + fn)`."""

    def result(self, state: dict[str, Any]) -> float:
        return _ratio(state["tp"], state["tp"] + state["fn"])


class _Count(_Confusion):
    part: ClassVar[str]

    thresholds: float | list[float] | None = Field(None, description="Above it a prediction counts as positive; 0.5 if not given.")

    def cuts(self) -> list[float]:
        return _thresholds(self.thresholds)

    def prepared(self, y_true: Value, y_pred: Value) -> tuple[Value, Value]:
        from layerctl.losses.base import match_ranks

        return match_ranks(y_true, y_pred)

    def result(self, state: dict[str, Any]) -> float:
        return float(state[self.part].mean())


class TruePositives(_Count):
    """How many positives are predicted as such."""

    part: ClassVar[str] = "tp"


class FalsePositives(_Count):
    """How many negatives are predicted as positive."""

    part: ClassVar[str] = "fp"


class TrueNegatives(_Count):
    """How many negatives are predicted as such."""

    part: ClassVar[str] = "tn"


class FalseNegatives(_Count):
    """How many positives are predicted as negative."""

    part: ClassVar[str] = "fn"


class _AtBound(_Confusion):
    """The largest value of one rate among the thresholds at which another is at least a bound."""

    num_thresholds: PositiveInt = Field(200, description="How many thresholds.")
    class_id: int | None = Field(None, description="The one class that is looked at.")

    def cuts(self) -> list[float]:
        n = self.num_thresholds
        return [0.5] if n == 1 else [0.0, *((i + 1) / (n - 1) for i in range(n - 2)), 1.0]

    def prepared(self, y_true: Value, y_pred: Value) -> tuple[Value, Value]:
        from layerctl.losses.base import match_ranks

        y_true, y_pred = match_ranks(y_true, y_pred)
        return (y_true, y_pred) if self.class_id is None else (y_true[..., self.class_id], y_pred[..., self.class_id])

    def largest(self, state: dict[str, Any], bounded: str, bound: float, wanted: str) -> float:
        """The largest rate `wanted` where the rate `bounded` is at least `bound`; 0 where it never is."""
        tp, fp, fn, tn = (state[k].tolist() for k in ("tp", "fp", "fn", "tn"))
        pairs = {"recall": zip(tp, fn, strict=True), "specificity": zip(tn, fp, strict=True), "precision": zip(tp, fp, strict=True)}
        rates = {name: [_part(a, a + b) for a, b in pairs[name]] for name in (bounded, wanted)}
        return max((w for b, w in zip(rates[bounded], rates[wanted], strict=True) if b >= bound), default=0.0)


class SensitivityAtSpecificity(_AtBound):
    """The largest recall `tp / (tp + fn)` at which `tn / (tn + fp)` is at least `specificity`."""

    specificity: float = Field(ge=0, le=1, description="The least specificity.")

    def result(self, state: dict[str, Any]) -> float:
        return self.largest(state, "specificity", self.specificity, "recall")


class SpecificityAtSensitivity(_AtBound):
    """The largest `tn / (tn + fp)` at which the recall `tp / (tp + fn)` is at least `sensitivity`."""

    sensitivity: float = Field(ge=0, le=1, description="The least recall.")

    def result(self, state: dict[str, Any]) -> float:
        return self.largest(state, "recall", self.sensitivity, "specificity")


class PrecisionAtRecall(_AtBound):
    """The largest precision `tp / (tp + fp)` at which the recall `tp / (tp + fn)` is at least `recall`."""

    recall: float = Field(ge=0, le=1, description="The least recall.")

    def result(self, state: dict[str, Any]) -> float:
        return self.largest(state, "recall", self.recall, "precision")


class RecallAtPrecision(_AtBound):
    """The largest recall `tp / (tp + fn)` at which the precision `tp / (tp + fp)` is at least `precision`."""

    precision: float = Field(ge=0, le=1, description="The least precision.")

    def result(self, state: dict[str, Any]) -> float:
        return self.largest(state, "precision", self.precision, "recall")


class AUC(_Confusion):
    """The area under the ROC or the precision-recall curve, from counts at `num_thresholds` thresholds (Keras, AUC)."""

    num_thresholds: int = Field(200, ge=2, description="How many thresholds.")
    curve: Literal["ROC", "PR"] = Field("ROC", description="The curve.")
    summation_method: Literal["interpolation", "minoring", "majoring"] = Field("interpolation", description="How the area is summed.")
    thresholds: list[float] | None = Field(None, description="The thresholds between 0 and 1, in place of even ones.")
    multi_label: bool = Field(False, description="Whether the mean over labels is taken; all labels together if not.")
    num_labels: int | None = Field(None, description="Accepted; known from the shape.")
    label_weights: list[float] | None = Field(None, description="Accepted for one label.")
    from_logits: bool = Field(False, description="Whether predictions are logits.")

    def cuts(self) -> list[float]:
        if self.thresholds is not None:
            inner = sorted(self.thresholds)
        else:
            inner = [(i + 1) / (self.num_thresholds - 1) for i in range(self.num_thresholds - 2)]
        return [-1e-7, *inner, 1.0 + 1e-7]

    def prepared(self, y_true: Value, y_pred: Value) -> tuple[Value, Value]:
        from layerctl.losses.base import match_ranks

        y_true, y_pred = match_ranks(y_true, y_pred)
        return y_true, apply("sigmoid", y_pred) if self.from_logits else y_pred

    def result(self, state: dict[str, Any]) -> float:
        tp, fp, fn, tn = (state[k].tolist() for k in ("tp", "fp", "fn", "tn"))
        if self.curve == "PR" and self.summation_method == "interpolation":
            return _interpolated_pr(tp, fp, fn)
        recall = [_part(a, a + b) for a, b in zip(tp, fn, strict=True)]
        if self.curve == "ROC":
            x, y = [_part(a, a + b) for a, b in zip(fp, tn, strict=True)], recall
        else:
            x, y = recall, [_part(a, a + b) for a, b in zip(tp, fp, strict=True)]
        heights = {
            "interpolation": lambda a, b: (a + b) / 2.0, "minoring": min, "majoring": max,
        }[self.summation_method]  # fmt: skip
        return sum((x[i] - x[i + 1]) * heights(y[i], y[i + 1]) for i in range(len(x) - 1))


def _part(a: float, b: float) -> float:
    return a / b if b else 0.0


def _interpolated_pr(tp: list[float], fp: list[float], fn: list[float]) -> float:
    """Davis and Goadrich 2006, as Keras computes it."""
    import math

    area = 0.0
    for i in range(len(tp) - 1):
        dtp, dp = tp[i] - tp[i + 1], (tp[i] + fp[i]) - (tp[i + 1] + fp[i + 1])
        slope = _part(dtp, max(dp, 0.0))
        intercept = tp[i + 1] - slope * (tp[i + 1] + fp[i + 1])
        p, q = tp[i] + fp[i], tp[i + 1] + fp[i + 1]
        safe = _part(p, max(q, 0.0)) if p > 0 and q > 0 else 1.0
        area += _part(slope * (dtp + intercept * math.log(safe)), max(tp[i + 1] + fn[i + 1], 0.0))
    return area
