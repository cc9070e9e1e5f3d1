"""Distributions that are 0 in most places."""

from __future__ import annotations

from typing import ClassVar

from layerctl.activations.base import Activation
from layerctl.ops.cumulative import cumulative
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.leaves import constant
from layerctl.ops.order import sort
from layerctl.ops.reduce import reduce
from layerctl.ops.slicing import flip
from layerctl.ops.transpose import move_axis
from layerctl.ops.value import Value


class Sparsemax(Activation):
    """`max(x - tau, 0)` along `axis`, tau from the sorted x as Keras computes it. After Martins and Astudillo 2016.

    Keras's tau sums all running sums of the support, where the paper takes the last one; the numbers here are Keras's.
    """

    span: ClassVar[tuple[float, float]] = (0.0, 1.0)
    distribution: ClassVar[bool] = True

    axis: int = -1

    def __call__(self, x: Value) -> Value:
        last = move_axis(x, self.axis, -1)
        down = flip(sort(last, -1), [last.rank - 1])
        sums = cumulative("sum", down)
        places = constant([float(i + 1) for i in range(int(last.shape[-1]))], x.dtype)
        support = down - (sums - 1.0) / places > 0.0
        count = reduce("sum", cast(support, x.dtype), -1, keepdims=True)
        tau = (reduce("sum", apply("where", support, sums, 0.0), -1, keepdims=True) - 1.0) / count
        return move_axis(apply("max", last - tau, 0.0), -1, self.axis)
