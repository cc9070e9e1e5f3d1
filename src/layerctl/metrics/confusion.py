"""Metrics of decisions at thresholds: counts, precision, recall, one at a bound of the other."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, PositiveInt

from layerctl.metrics._counts import Counts, one_or_several, part
from layerctl.ops.elementwise import apply
from layerctl.ops.order import top_k
from layerctl.ops.reduce import reduce
from layerctl.ops.select import one_hot
from layerctl.ops.value import Value

Threshold = Annotated[float, Field(ge=0, le=1)]


def _thresholds(value: Any) -> list[float]:
    return [0.5] if value is None else [float(v) for v in (value if isinstance(value, list) else [value])]


class _AtThresholds(Counts):
    thresholds: Threshold | list[Threshold] | None = Field(None, description="Above it a prediction counts as positive; 0.5 if not given.")
    top_k: PositiveInt | None = Field(None, description="Count the k largest predictions as positive, in place of a threshold.")
    class_id: int | None = Field(None, description="The one class that is looked at.")

    def cuts(self) -> list[float]:
        return [-1e30] if self.top_k is not None and self.thresholds is None else _thresholds(self.thresholds)

    def prepared(self, y_true: Value, y_pred: Value) -> tuple[Value, Value]:
        if self.top_k is not None:
            places = top_k(y_pred, self.top_k)[1]
            chosen = reduce("sum", one_hot(places, int(y_pred.shape[-1])), -2)
            y_pred = apply("where", chosen > 0.0, y_pred, -3e38)
        if self.class_id is not None:
            y_true, y_pred = y_true[..., self.class_id], y_pred[..., self.class_id]
        return y_true, y_pred


def _ratios(a: Any, b: Any) -> Any:
    return one_or_several([part(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)])


class Precision(_AtThresholds):
    """`tp / (tp + fp)`; of several thresholds one number for each, and their mean."""

    def result(self, state: dict[str, Any]) -> Any:
        return _ratios(state["tp"], state["tp"] + state["fp"])


class Recall(_AtThresholds):
    """`tp / (tp + fn)`; of several thresholds one number for each, and their mean."""

    def result(self, state: dict[str, Any]) -> Any:
        return _ratios(state["tp"], state["tp"] + state["fn"])


class _Count(Counts):
    counted: ClassVar[str]

    thresholds: Threshold | list[Threshold] | None = Field(None, description="Above it a prediction counts as positive; 0.5 if not given.")

    def cuts(self) -> list[float]:
        return _thresholds(self.thresholds)

    def result(self, state: dict[str, Any]) -> Any:
        return one_or_several(state[self.counted].tolist())


class TruePositives(_Count):
    """How many positives are predicted as such; of several thresholds one number for each, and their mean."""

    counted: ClassVar[str] = "tp"


class FalsePositives(_Count):
    """How many negatives are predicted as positive; of several thresholds one number for each, and their mean."""

    counted: ClassVar[str] = "fp"


class TrueNegatives(_Count):
    """How many negatives are predicted as such; of several thresholds one number for each, and their mean."""

    counted: ClassVar[str] = "tn"


class FalseNegatives(_Count):
    """How many positives are predicted as negative; of several thresholds one number for each, and their mean."""

    counted: ClassVar[str] = "fn"


class _AtBound(Counts):
    """The largest value of one rate among the thresholds at which another is at least a bound."""

    num_thresholds: PositiveInt = Field(200, description="How many thresholds.")
    class_id: int | None = Field(None, description="The one class that is looked at.")

    def cuts(self) -> list[float]:
        n = self.num_thresholds
        return [0.5] if n == 1 else [0.0, *((i + 1) / (n - 1) for i in range(n - 2)), 1.0]

    def prepared(self, y_true: Value, y_pred: Value) -> tuple[Value, Value]:
        y_pred = apply("min", apply("max", y_pred, 0.0), 1.0)
        return (y_true, y_pred) if self.class_id is None else (y_true[..., self.class_id], y_pred[..., self.class_id])

    def largest(self, state: dict[str, Any], bounded: str, bound: float, wanted: str) -> float:
        """The largest rate `wanted` where the rate `bounded` is at least `bound`; 0 where it never is."""
        tp, fp, fn, tn = (state[k].tolist() for k in ("tp", "fp", "fn", "tn"))
        pairs = {"recall": zip(tp, fn, strict=True), "specificity": zip(tn, fp, strict=True), "precision": zip(tp, fp, strict=True)}
        rates = {name: [part(a, a + b) for a, b in pairs[name]] for name in (bounded, wanted)}
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
