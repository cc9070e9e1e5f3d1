"""Ops of fewer layers as ONNX nodes: transposed convolutions, sorting, running sums, resampling."""

from __future__ import annotations

import numpy as np

from layerctl.export._onnx_ops import CONVERTERS, Converter, converts, done, first, last
from layerctl.ops.value import Node, Unknown, Value

__all__ = ["CONVERTERS"]


@converts("conv_input_gradient")
def _conv_transpose(c: Converter, node: Node) -> None:
    (x, w), a = node.inputs, node.attrs
    if a["groups"] != 1:
        raise ValueError("a transposed convolution in groups has no form here")
    kernel = c.add("Transpose", [c.name(w)], perm=[w.rank - 1, w.rank - 2, *range(w.rank - 2)])
    begin, end = [b for b, _ in a["pads"]], [e for _, e in a["pads"]]
    made = c.add(
        "ConvTranspose", [first(c, x), kernel], strides=list(a["strides"]), dilations=list(a["dilation"]),
        pads=[*begin, *(max(e, 0) for e in end)], output_padding=[max(-e, 0) for e in end],
    )  # fmt: skip
    done(c, node, last(c, made, x.rank))


@converts("argsort")
def _argsort(c: Converter, node: Node) -> None:
    (x,) = node.inputs
    width = c.constant(np.array([int(x.shape[-1])], np.int64))
    places = c.fresh()
    c.nodes.append(c.helper.make_node("TopK", [c.name(x), width], [c.fresh(), places], axis=-1, largest=int(node.attrs["descending"]), sorted=1))
    done(c, node, c.add("Cast", [places], to=c.dtype("i32")))


@converts("take_along")
def _take_along(c: Converter, node: Node) -> None:
    x, ids = node.inputs
    done(c, node, c.add("GatherElements", [c.name(x), c.name(ids)], axis=-1))


@converts("cumulative_sum")
def _cumulative_sum(c: Converter, node: Node) -> None:
    (x,) = node.inputs
    axis = c.constant(np.array(x.rank - 1, np.int64))
    done(c, node, c.add("CumSum", [c.name(x), axis], reverse=int(node.attrs["reverse"])))


@converts("resample")
def _resample(c: Converter, node: Node) -> None:
    x, axis = node.inputs[0], node.attrs["axis"]
    if isinstance(x.shape[axis], Unknown):
        done(c, node, _repeated(c, x, axis, np.asarray(node.attrs["matrix"])))
        return
    order = [*(i for i in range(x.rank) if i != axis), axis]
    matrix = c.constant(np.asarray(node.attrs["matrix"]).T.astype(np.float64 if x.dtype == "f64" else np.float32))
    made = c.add("MatMul", [c.add("Transpose", [c.name(x)], perm=order), matrix])
    done(c, node, c.add("Transpose", [made], perm=[order.index(i) for i in range(x.rank)]))


def _repeated(c: Converter, x: Value, axis: int, matrix: np.ndarray) -> str:
    """An open dimension whose places are repeated, each as often as the others."""
    times = len(matrix) // max(int(x.shape[axis]), 1)
    if not np.array_equal(matrix, np.repeat(np.eye(int(x.shape[axis])), times, axis=0)):
        raise ValueError("an open dimension is resized to a length that is known beforehand alone: give the input's open dimension a size")
    scales = c.constant(np.array([times if i == axis else 1 for i in range(x.rank)], np.float32))
    return c.add("Resize", [c.name(x), "", scales], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")


@converts("bins")
def _bins(c: Converter, node: Node) -> None:
    """How many boundaries are not above each number: NaN is below none of them."""
    x, boundaries = (c.name(v) for v in node.inputs)
    behind = c.constant(np.array([-1], np.int64))
    passed = c.add("Not", [c.add("Less", [c.add("Unsqueeze", [x, behind]), boundaries])])
    done(c, node, c.add("ReduceSum", [c.add("Cast", [passed], to=c.dtype("i32")), behind], keepdims=0))


@converts("tally")
def _tally(c: Converter, node: Node) -> None:
    """Each id as a row of zeros with its weight, the rows added up."""
    ids, weights = (c.name(v) for v in node.inputs)
    behind = c.constant(np.array([-1], np.int64))
    kinds = c.constant(np.arange(int(node.attrs["width"]), dtype=np.int32))
    hits = c.add("Cast", [c.add("Equal", [c.add("Unsqueeze", [ids, behind]), kinds])], to=c.dtype(node.inputs[1].dtype))
    shares = c.add("Mul", [hits, c.add("Unsqueeze", [weights, behind])])
    done(c, node, c.add("ReduceSum", [shares, c.constant(np.array([-2], np.int64))], keepdims=0))
