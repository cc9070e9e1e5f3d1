"""The same memory under another shape."""

from __future__ import annotations

from collections.abc import Sequence

from layerctl.ops.numpy_lines import NumpyLines, dims
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.value import Node, Op, Shape, ShapeError, Type, Unknown, Value, product, shown


class Reshape(Op):
    """Row-major order kept, shape changed."""

    name = "reshape"
    is_view = True

    def infer(self, x: Value, *, shape: Shape) -> Type:
        if int(product(shape)) != int(product(x.shape)):
            raise ShapeError(f"cannot reshape {shown(x.shape)} to {shown(shape)}: the numbers of elements differ")
        return Type(tuple(shape), x.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        return [None if grads[0] is None else reshape(grads[0], node.inputs[0].shape)]

    def numpy(self, c: NumpyLines, node: Node) -> str:
        return f"np.reshape({c.name(node.inputs[0])}, {dims(node.outputs[0].shape)})"

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        x, y = node.inputs[0], node.outputs[0]
        c.done(node, c.add("Reshape", [c.name(x), c.shape(y.shape, c.name(x), x.shape)]))


def reshape(x: Value, shape: Sequence[int]) -> Value:
    """x under another shape; one dimension may be -1 and follows from the rest."""
    shape = tuple(shape)
    if -1 in shape:
        known = product([d for d in shape if d != -1])
        if shape.count(-1) > 1 or int(known) == 0 or int(product(x.shape)) % int(known):
            raise ShapeError(f"cannot reshape {shown(x.shape)} to {shown(shape)}")
        rest = _following(x.shape, shape, int(product(x.shape)) // int(known))
        shape = tuple(rest if d == -1 else d for d in shape)
    same = len(shape) == x.rank and all(a == b and type(a) is type(b) for a, b in zip(shape, x.shape, strict=True))
    return x if same else Reshape.apply(x, shape=shape)


def _following(old: Sequence[int], new: Sequence[int], size: int) -> int:
    """The size of the dimension -1: open if an open dimension of the old shape goes into it."""
    given = [int(d) for d in new if isinstance(d, Unknown)]
    for d in old:
        if isinstance(d, Unknown) and int(d) in given:
            given.remove(int(d))
        elif isinstance(d, Unknown):
            return Unknown(size)
    return Unknown(size) if given else size


def expand_dims(x: Value, axis: int) -> Value:
    """A new dimension of size 1 before `axis` (counted in the result)."""
    rank = x.rank + 1
    if not -rank <= axis < rank:
        raise ShapeError(f"expand_dims: axis {axis} is outside of a tensor with {rank} dimensions")
    axis %= rank
    return reshape(x, (*x.shape[:axis], 1, *x.shape[axis:]))


def squeeze(x: Value, axis: int | Sequence[int] | None = None) -> Value:
    """Dimensions of size 1 taken away: the given ones, or all but open ones."""
    from layerctl.ops.reduce import normal_axes

    if axis is None:
        axes: tuple[int, ...] = tuple(i for i, d in enumerate(x.shape) if d == 1 and not isinstance(d, Unknown))
    else:
        axes = normal_axes(axis, x.rank, "squeeze")
    if any(int(x.shape[a]) != 1 for a in axes):
        raise ShapeError(f"squeeze: axes {axes} of {shown(x.shape)} do not all have size 1")
    return reshape(x, tuple(d for i, d in enumerate(x.shape) if i not in axes))
