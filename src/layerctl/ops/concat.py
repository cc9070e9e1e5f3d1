"""Tensors joined along a dimension."""

from __future__ import annotations

from collections.abc import Sequence

from layerctl.ops.copying import plan_copy, row_strides
from layerctl.ops.elementwise import cast, promote
from layerctl.ops.kernel import Call
from layerctl.ops.numpy_lines import NumpyLines
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.slicing import slice_
from layerctl.ops.value import Node, Op, ShapeError, Type, Value, product, shown


class Concat(Op):
    """Operands of one dtype, equal in all dimensions but `axis`."""

    name = "concat"

    def infer(self, *inputs: Value, axis: int) -> Type:
        first = inputs[0]
        for v in inputs[1:]:
            if v.rank != first.rank or any(
                int(a) != int(b) for i, (a, b) in enumerate(zip(v.shape, first.shape, strict=True)) if i != axis
            ):
                raise ShapeError(
                    f"cannot join {', '.join(shown(v.shape) for v in inputs)} along axis {axis}: the other dimensions must be equal"
                )
        total = sum(v.shape[axis] for v in inputs)
        return Type((*first.shape[:axis], total, *first.shape[axis + 1 :]), first.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        (g,), axis = grads, node.attrs["axis"]
        if g is None:
            return [None] * len(node.inputs)
        out, at = [], 0
        for v in node.inputs:
            starts, ends = [0] * g.rank, list(g.shape)
            starts[axis], ends[axis] = at, at + int(v.shape[axis])
            at += int(v.shape[axis])
            out.append(slice_(g, starts, ends))
        return out

    def calls(self, node: Node) -> list[Call]:
        (y,), axis = node.outputs, node.attrs["axis"]
        strides, at, out = row_strides(y.shape), 0, []
        for v in node.inputs:
            if int(product(v.shape)):
                out.append(plan_copy(v, y, v.shape, row_strides(v.shape), strides, y0=at * strides[axis]))
            at += int(v.shape[axis])
        return out

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np.concatenate([{c.names(node)}], axis={node.attrs['axis']})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        c.done(node, c.add("Concat", [c.name(v) for v in node.inputs], axis=node.attrs["axis"]))


def concat(values: Sequence[Value], axis: int = -1) -> Value:
    """Joins tensors along a dimension; dtypes are promoted."""
    if not values:
        raise ShapeError("nothing to join")
    rank = values[0].rank
    if not -rank <= axis < rank:
        raise ShapeError(f"concatenate: axis {axis} is outside of a tensor with {rank} dimensions")
    dtype = promote([v.dtype for v in values])
    values = [cast(v, dtype) for v in values]
    return values[0] if len(values) == 1 else Concat.apply(*values, axis=axis % rank)


def stack(values: Sequence[Value], axis: int = 0) -> Value:
    """Joins tensors of one shape along a new dimension."""
    from layerctl.ops.reshape import expand_dims

    return concat([expand_dims(v, axis) for v in values], axis)
