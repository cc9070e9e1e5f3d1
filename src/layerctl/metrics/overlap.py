"""How well predicted areas cover the true ones: intersection over union."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from layerctl.losses.base import combine
from layerctl.metrics.base import Metric
from layerctl.ops.elementwise import apply, broadcast_to, cast
from layerctl.ops.matmul import matmul
from layerctl.ops.reduce import reduce
from layerctl.ops.reshape import reshape
from layerctl.ops.select import one_hot
from layerctl.ops.value import ShapeError, Value, product, shown


class _Confusion(Metric):
    """Counts of (true class, predicted class)."""

    of_classes: ClassVar[bool] = True
    num_classes: PositiveInt = Field(description="How many classes there are.")
    ignore_class: int | None = Field(None, description="A class whose samples do not count.")
    sparse_y_true: bool = Field(True, description="Whether the target holds class indices; a distribution if not.")
    sparse_y_pred: bool = Field(True, description="Whether predictions are class indices; a distribution if not.")
    axis: int = Field(-1, description="The dimension of the classes.")

    def build(self, path: str, y_true: tuple[int, ...], y_pred: tuple[int, ...]) -> None:
        self.add_state(path, "matrix", (self.num_classes, self.num_classes))

    def update(self, y_true: Value, y_pred: Value, weights: Value | None = None) -> None:
        true = y_true if self.sparse_y_true else reduce("argmax", y_true, self.axis)
        pred = y_pred if self.sparse_y_pred else reduce("argmax", y_pred, self.axis)
        if int(product(true.shape)) != int(product(pred.shape)):
            cure = "`sparse_y_pred: false` where predictions are distributions, `sparse_y_true: false` where targets are"
            raise ShapeError(f"the targets' classes have the shape {shown(true.shape)}, the predictions' {shown(pred.shape)}: say {cure}")
        ids = reshape(cast(true, "i32"), (-1,))
        weights = combine(weights, y_pred.mask, cast(true, "f32"))
        w = None if weights is None else reshape(cast(broadcast_to(weights, true.shape), "f64"), (-1, 1))
        if self.ignore_class is not None:
            kept = cast(reshape(apply("ne", ids, self.ignore_class), (-1, 1)), "f64")
            w = kept if w is None else w * kept
        rows = one_hot(ids, self.num_classes, "f64")
        columns = one_hot(reshape(cast(pred, "i32"), (-1,)), self.num_classes, "f64")
        self.add("matrix", matmul(rows if w is None else rows * w, columns, transpose_a=True))

    def wanted(self) -> list[int]:
        """The classes that are averaged."""
        return list(range(self.num_classes))

    def result(self, state: dict[str, Any]) -> float:
        matrix = state["matrix"]
        scores = []
        for c in self.wanted():
            whole = float(matrix[c].sum() + matrix[:, c].sum() - matrix[c, c])
            if whole > 1e-9:
                scores.append(float(matrix[c, c]) / whole)
        return sum(scores) / len(scores) if scores else 0.0


class MeanIoU(_Confusion):
    """The mean over classes of `tp / (tp + fp + fn)`."""

    aliases: ClassVar[tuple[str, ...]] = ("mean_iou",)


class IoU(_Confusion):
    """The mean over `target_class_ids` of `tp / (tp + fp + fn)`."""

    aliases: ClassVar[tuple[str, ...]] = ("iou",)

    target_class_ids: list[int] = Field(description="The classes that are averaged.")

    @model_validator(mode="after")
    def _known(self) -> IoU:
        for c in self.target_class_ids:
            if not 0 <= c < self.num_classes:
                raise ValueError(f"target_class_ids: the class {c} must be from 0 to {self.num_classes - 1}")
        return self

    def wanted(self) -> list[int]:
        return self.target_class_ids


class OneHotIoU(IoU):
    """IoU of targets, and of predictions unless `sparse_y_pred`, that are distributions."""

    aliases: ClassVar[tuple[str, ...]] = ("one_hot_iou",)

    sparse_y_true: bool = Field(False, description="Whether the target holds class indices; a distribution if not.")
    sparse_y_pred: bool = Field(False, description="Whether predictions are class indices; a distribution if not.")


class OneHotMeanIoU(MeanIoU):
    """MeanIoU of targets, and of predictions unless `sparse_y_pred`, that are distributions."""

    aliases: ClassVar[tuple[str, ...]] = ("one_hot_mean_iou",)

    sparse_y_true: bool = Field(False, description="Whether the target holds class indices; a distribution if not.")
    sparse_y_pred: bool = Field(False, description="Whether predictions are class indices; a distribution if not.")


class BinaryIoU(IoU):
    """IoU of two classes: predictions of at least `threshold` are class 1."""

    aliases: ClassVar[tuple[str, ...]] = ("binary_iou",)

    num_classes: Literal[2] = Field(2, description="Accepted: 2.")
    target_class_ids: list[int] = Field([0, 1], description="The classes that are averaged.")
    threshold: float = Field(0.5, description="The least prediction of class 1.")

    def update(self, y_true: Value, y_pred: Value, weights: Value | None = None) -> None:
        chosen = cast(apply("ge", y_pred, self.threshold), "i32")
        chosen.mask = y_pred.mask
        super().update(y_true, chosen, weights)
