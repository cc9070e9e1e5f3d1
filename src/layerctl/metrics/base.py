"""The base of metrics: state that a batch adds to, and a number read from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr

from layerctl.configured import Configured
from layerctl.ops.elementwise import cast
from layerctl.ops.leaves import constant
from layerctl.ops.reduce import reduce
from layerctl.ops.reshape import expand_dims
from layerctl.ops.value import Value, Weight, current


class Metric(Configured):
    """Fields are the arguments of Keras's class. State is float64 and starts at zero with every epoch.

    `update(y_true, y_pred, weights)` adds a batch to the state in the current trace; `result(state)` reads the number from the
    state's arrays, on the host, once an epoch.
    """

    kind: ClassVar[str] = "metrics"
    of_classes: ClassVar[bool] = False
    """Whether it counts right and wrong classes, and says nothing of numbers that are predicted."""

    name: str | None = Field(None, description="The name under which it is reported.")
    dtype: str | None = Field(None, description="Ignored: metrics accumulate in float64.")

    _state: dict[str, Weight] = PrivateAttr(default_factory=dict)

    def build(self, path: str, y_true: tuple[int, ...], y_pred: tuple[int, ...]) -> None:
        """Declares the state for targets and predictions of these shapes."""
        self.add_state(path, "total")
        self.add_state(path, "count")

    def add_state(self, path: str, name: str, shape: tuple[int, ...] = ()) -> None:
        """Declares one array of the state."""
        self._state[name] = Weight(f"{path}/{name}", shape, "f64", None, trainable=False)

    @property
    def state(self) -> dict[str, Weight]:
        """The arrays of the state by name."""
        return self._state

    def add(self, name: str, value: Value) -> None:
        """Adds a value (any float dtype) to an array of the state."""
        weight, trace = self._state[name], current()
        trace.update(weight, trace.read(weight) + cast(value, "f64"))

    def update(self, y_true: Value, y_pred: Value, weights: Value | None = None) -> None:
        """Adds a batch to the state."""
        raise TypeError(f"{type(self).__name__} has no rule")

    def result(self, state: dict[str, Any]) -> Any:
        """The metric's value, 0 where nothing was counted; or several by the endings of their names, '' for the metric's own."""
        count = float(state["count"])
        return float(state["total"]) / count if count else 0.0


class MeanMetric(Metric):
    """A mean over samples of `values(y_true, y_pred)`."""

    def values(self, y_true: Value, y_pred: Value) -> Value:
        """One value for each sample (or step of one)."""
        raise TypeError(f"{type(self).__name__} has no rule")

    def update(self, y_true: Value, y_pred: Value, weights: Value | None = None) -> None:
        from layerctl.losses.base import combine
        from layerctl.ops.elementwise import broadcast_to

        if y_true.rank == y_pred.rank == 1:
            mask, y_true, y_pred = y_pred.mask, expand_dims(y_true, -1), expand_dims(y_pred, -1)
            y_pred.mask = mask
        values = cast(self.values(y_true, y_pred), "f32")
        weights = combine(weights, y_pred.mask, values)
        if weights is None:
            self.add("total", reduce("sum", values, dtype="f64"))
            self.add("count", count_of(values))
        else:
            weights = broadcast_to(weights, values.shape)
            self.add("total", reduce("sum", values * weights, dtype="f64"))
            self.add("count", reduce("sum", weights, dtype="f64"))


class LossMean(Metric):
    """The mean over rows of one of a model's several losses, without its weight."""

    def record(self, loss: Value, rows: int) -> None:
        """Adds a batch's loss."""
        self.add("total", cast(loss, "f64") * float(rows))
        self.add("count", constant(float(rows), "f64"))


def several(values: Iterable[float]) -> dict[str, float]:
    """One number for each entry, reported as NAME_0, NAME_1, ..., and their mean as NAME."""
    numbers = [float(v) for v in values]
    return {"": sum(numbers) / len(numbers), **{str(i): v for i, v in enumerate(numbers)}}


def count_of(values: Value) -> Value:
    """The number of a tensor's elements (f64)."""
    from layerctl.ops.value import product

    return constant(float(int(product(values.shape))), "f64")


def as_distribution(y_true: Value, y_pred: Value) -> Value:
    """Class indices as rows of zeros with a one, where predictions have a number for each class; other targets as they are."""
    from layerctl.ops.reshape import squeeze
    from layerctl.ops.select import one_hot

    width = int(y_pred.shape[-1]) if y_pred.rank else 1
    if width > 1 and y_true.rank == y_pred.rank and int(y_true.shape[-1]) == 1:
        y_true = squeeze(y_true, -1)
    if width > 1 and y_true.rank == y_pred.rank - 1:
        return one_hot(cast(y_true, "i32"), width)
    return y_true


BY_LOSS = {"accuracy": "Accuracy", "acc": "Accuracy", "crossentropy": "Crossentropy", "ce": "Crossentropy"}
"""Names that stand for one of several metrics."""


def resolve_metric(name: str, loss: Any, y_pred: tuple[int, ...]) -> Metric | None:
    """What `accuracy` (and `crossentropy`) stand for, by the loss and the prediction's shape, as in Keras; None for other names."""
    from layerctl.catalogue import catalogue

    if name not in BY_LOSS:
        return None
    binary = int(y_pred[-1]) == 1 if y_pred else True
    multi_label = type(loss).__name__.startswith("Binary")
    sparse = getattr(loss, "classes", False)
    prefix = "Binary" if binary or multi_label else "SparseCategorical" if sparse else "Categorical"
    made = catalogue("metrics").get(prefix + BY_LOSS[name])
    if made is None:
        return None
    if BY_LOSS[name] == "Accuracy" and prefix == "Binary" and getattr(loss, "from_logits", False):
        return made(threshold=0.0, name=name)
    return made(name=name)


class ShareOfRight(MeanMetric):
    """The share of samples whose prediction is right."""

    of_classes: ClassVar[bool] = True
