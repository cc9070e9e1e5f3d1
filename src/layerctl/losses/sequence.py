"""Losses of sequences whose alignment is not known."""

from __future__ import annotations

from typing import ClassVar

from layerctl.losses.base import Loss
from layerctl.ops.ctc import ctc
from layerctl.ops.softmax import softmax
from layerctl.ops.value import Value


class CTC(Loss):
    """`-log` of the probability of the labels under any alignment; predictions are logits, class 0 is the blank. Graves et al. 2006.

    Shapes: labels (batch, length), padded with 0; predictions (batch, time, classes).
    """

    classes: ClassVar[bool] = True

    def per_sample(self, y_true: Value, y_pred: Value) -> Value:
        return ctc(y_true, softmax(y_pred, -1, logarithm=True))
