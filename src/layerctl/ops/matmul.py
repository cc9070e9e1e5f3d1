"""The matrix product, with a batch of any number of dimensions before it and operands read transposed at no cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerctl.ops.elementwise import as_value, broadcast, floating, sum_to
from layerctl.ops.finish import PLAIN, Finish
from layerctl.ops.kernel import Call
from layerctl.ops.numpy_lines import NumpyLines
from layerctl.ops.onnx_graph import OnnxGraph
from layerctl.ops.reshape import reshape
from layerctl.ops.value import Node, Op, ShapeError, Type, Value, product, shown


class Matmul(Op):
    """a (..., m, k) @ b (..., k, n); `ta` and `tb` read an operand with its last two dimensions exchanged. Batches broadcast."""

    name = "matmul"

    def infer(self, a: Value, b: Value, *, ta: bool, tb: bool) -> Type:
        m, k = (a.shape[-1], a.shape[-2]) if ta else a.shape[-2:]
        k2, n = (b.shape[-1], b.shape[-2]) if tb else b.shape[-2:]
        if int(k) != int(k2):
            raise ShapeError(f"cannot multiply {shown(a.shape)} by {shown(b.shape)}: {k} and {k2} differ")
        return Type((*broadcast([a.shape[:-2], b.shape[:-2]], "matmul"), m, n), a.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        (g,), (a, b), ta, tb = grads, node.inputs, node.attrs["ta"], node.attrs["tb"]
        if g is None:
            return [None, None]
        da = product_of(b, g, tb, True) if ta else product_of(g, b, False, not tb)
        db = product_of(g, a, True, ta) if tb else product_of(a, g, not ta, False)
        return [sum_to(da, a.shape), sum_to(db, b.shape)]

    def calls(self, node: Node) -> list[Call]:
        return self.finished(node, node.outputs[0], PLAIN)

    def finishes(self, node: Node) -> bool:
        """Whether the kernels add a bias and apply relu themselves."""
        from layerctl.ops.matmul_kernels import finishes

        a = node.inputs[0]
        return finishes(int(a.shape[-2] if node.attrs["ta"] else a.shape[-1]))

    def finished(self, node: Node, out: Value, finish: Finish) -> list[Call]:
        """The calls of `out`, which is the result, finished."""
        from layerctl.ops.matmul_kernels import plan

        (a, b), (c,) = node.inputs, node.outputs
        ta, tb = node.attrs["ta"], node.attrs["tb"]
        m, n = int(c.shape[-2]), int(c.shape[-1])
        k = int(a.shape[-2] if ta else a.shape[-1])
        batch = tuple(map(int, c.shape[:-2]))
        a_step, b_step = _batch_stride(a, batch), _batch_stride(b, batch)
        a_strides = (a_step, 1, m) if ta else (a_step, k, 1)
        b_strides = (b_step, 1, k) if tb else (b_step, n, 1)
        return plan(c.dtype, int(product(batch)), m, n, k, a, a_strides, b, b_strides, out, finish)

    def macs(self, node: Node) -> int:
        (a, _), (c,) = node.inputs, node.outputs
        return int(product(c.shape)) * int(a.shape[-2] if node.attrs["ta"] else a.shape[-1])

    def numpy(self, c: NumpyLines, node: Node) -> str:
        turned = (node.attrs["ta"], node.attrs["tb"])
        return " @ ".join(f"{c.name(v)}.swapaxes(-1, -2)" if t else c.name(v) for v, t in zip(node.inputs, turned, strict=True))

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        names = []
        for v, turned in zip(node.inputs, (node.attrs["ta"], node.attrs["tb"]), strict=True):
            order = [*range(v.rank - 2), v.rank - 1, v.rank - 2]
            names.append(c.add("Transpose", [c.name(v)], perm=order) if turned else c.name(v))
        c.done(node, c.add("MatMul", names))


def _batch_stride(x: Value, batch: tuple[int, ...]) -> int:
    """Elements from one matrix to the next, 0 where one matrix serves all."""
    own = int(product(x.shape[:-2]))
    return int(x.shape[-2]) * int(x.shape[-1]) if own == int(product(batch)) and own > 1 else 0


def product_of(a: Value, b: Value, ta: bool, tb: bool) -> Value:
    """The product of operands of rank 2 or more; batches that broadcast unevenly are repeated first."""
    from layerctl.ops.elementwise import broadcast_to

    batch = broadcast([a.shape[:-2], b.shape[:-2]], "matmul")
    if b.rank == 2 and a.rank > 2 and not ta:
        rows = reshape(a, (-1, a.shape[-1]))
        return reshape(Matmul.apply(rows, b, ta=False, tb=tb), (*a.shape[:-1], b.shape[-2] if tb else b.shape[-1]))
    whole = int(product(batch))
    if int(product(a.shape[:-2])) not in (1, whole):
        a = broadcast_to(a, (*batch, *a.shape[-2:]))
    if int(product(b.shape[:-2])) not in (1, whole):
        b = broadcast_to(b, (*batch, *b.shape[-2:]))
    return Matmul.apply(a, b, ta=ta, tb=tb)


def matmul(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False) -> Value:
    """a @ b by numpy's rules: vectors are rows or columns, dimensions before the last two are a batch and broadcast.

    Raises:
        ShapeError: if the inner sizes differ or an operand is a scalar.
    """
    a, b = floating(as_value(a), as_value(b))
    if a.rank == 0 or b.rank == 0:
        raise ShapeError(f"cannot multiply {shown(a.shape)} by {shown(b.shape)} as matrices")
    row, column = a.rank == 1, b.rank == 1
    if row:
        a = reshape(a, (1, a.shape[0]))
    if column:
        b = reshape(b, (b.shape[0], 1))
    out = product_of(a, b, transpose_a, transpose_b)
    if row:
        out = reshape(out, (*out.shape[:-2], out.shape[-1]))
    return reshape(out, out.shape[:-1]) if column else out
