"""What the fused recurrent ops share: the state's product on the tile, the states before each step, masked outputs.

A fused op runs all steps of time in one kernel. Its input share is projected beforehand, as one product for all steps. Each share owns
a range of the batch's rows for the whole time, so that shares never meet, and an element's bits do not depend on how the rows are cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerctl.ops.concat import concat, stack
from layerctl.ops.elementwise import apply, broadcast_to
from layerctl.ops.kernel import At, Call, Scratch
from layerctl.ops.leaves import constant
from layerctl.ops.matmul import matmul
from layerctl.ops.matmul_kernels import LONGEST_CHAIN, pack, packed_size
from layerctl.ops.primitives import offset
from layerctl.ops.reshape import expand_dims, reshape
from layerctl.ops.tiles import strip, tile_width
from layerctl.ops.transpose import swap_axes
from layerctl.ops.unstack import unstack
from layerctl.ops.value import SIZE_OF, Node, ShapeError, Value, product, shown

ROWS_WORTH_A_SHARE = 4


def add_product(rows: int, a: Any, a_stride: int, depth: int, packed: Any, n: int, c: Any, c_stride: int) -> None:
    """c (rows, n) += a (rows, depth) @ packed, for kernels; rows of a and c are `a_stride` and `c_stride` elements apart."""
    width = tile_width(packed)
    for p in range((n + width - 1) // width):
        strip(
            rows, min(width, n - p * width), a, a_stride, 1, offset(packed, p * depth * width), depth, offset(c, p * width), c_stride, 1
        )  # fmt: skip


FAINT = 1e-30


def fade(x: Any, n: int) -> None:
    """Zero for what is fainter than 1e-30, for kernels: gradients that many steps have shrunk soon become denormals.

    Arithmetic with those takes some processors a hundred times longer, and what they add to a weight's gradient is lost beside other steps'.
    """
    for j in range(n):
        x[j] = 0 if x[j] > -FAINT and x[j] < FAINT else x[j]


def copy_rows(rows: int, x: Any, x_stride: int, y: Any, y_stride: int, n: int) -> None:
    """y (rows, n) = x (rows, n), for kernels."""
    for row in range(rows):
        source, to = offset(x, row * x_stride), offset(y, row * y_stride)
        for j in range(n):
            to[j] = source[j]


def packed(dtype: str, b: Any, k: int, n: int, transposed: bool = False, column: int = 0, row: int = 0) -> tuple[Scratch, Call]:
    """Memory for panels of b (k, n), and the call that fills them. b is the block of a matrix with rows of `row` elements (n, or k if
    transposed, when it is 0) that starts at `column`; `transposed` reads it with its dimensions exchanged."""
    panels = Scratch(packed_size(dtype, 1, k, n))
    length = row or (k if transposed else n)
    strides = (1, length) if transposed else (length, 1)
    source = At(b, SIZE_OF[dtype] * column) if column else b
    return panels, Call(pack.at(T=dtype), (source, panels, 1, k, n, 0, *strides), tasks=k, work=0.4 * k * n, prepares=b)


def check(name: str, gates: int, x: Value, kernel: Value, *states: Value, mask: Value | None = None) -> None:
    """Compares the shapes of a fused op's operands.

    Raises:
        ShapeError: if they do not fit.
    """
    units = int(kernel.shape[0])
    wanted = (int(x.shape[0]), units)
    if x.rank != 3 or tuple(map(int, kernel.shape)) != (units, gates * units) or int(x.shape[2]) != gates * units:
        raise ShapeError(f"{name}: the projected input {shown(x.shape)} does not fit the recurrent kernel {shown(kernel.shape)}")
    for s in states:
        if tuple(map(int, s.shape)) != wanted:
            raise ShapeError(f"{name}: a state must be (batch, units) = {wanted}, got {shown(s.shape)}")
    if mask is not None and tuple(map(int, mask.shape)) != tuple(map(int, x.shape[:2])):
        raise ShapeError(f"{name}: the mask {shown(mask.shape)} is not (batch, time) of {shown(x.shape)}")


def fits(units: int, gates: int) -> bool:
    """Whether the products of a step are short enough for one chain of fma each, as the fused kernels compute them."""
    return units * gates <= LONGEST_CHAIN


def shares(batch: int) -> int:
    """The largest number of shares worth cutting."""
    return max(1, batch // ROWS_WORTH_A_SHARE)


def macs(node: Node, u: Value) -> int:
    """Multiply-accumulates of an op, or of its gradient, whose first output is (batch, time, ...): a product with u at each step."""
    return int(product(node.outputs[0].shape[:2])) * int(product(u.shape))


def before_each(start: Value, sequence: Value) -> Value:
    """The states (batch, time, units) that steps start from, from the first one's (batch, units) and those that steps end with."""
    first = expand_dims(start, 1)
    return first if int(sequence.shape[1]) == 1 else concat([first, sequence[:, :-1]], 1)


def kernel_gradient(states: Value, g: Value) -> Value:
    """The recurrent kernel's gradient: states before each step (batch, time, a) and gates' gradients (batch, time, b) -> (a, b)."""
    return matmul(reshape(states, (-1, states.shape[-1])), reshape(g, (-1, g.shape[-1])), transpose_a=True)


def zeros(like: Value) -> Value:
    """Zeros of a value's type."""
    return broadcast_to(constant(0.0, like.dtype), like.shape)


def carried(x: Value, mask: Value | None, states: Sequence[Value], step: Any) -> tuple[list[Value], list[Value]]:
    """The composition of a recurrent op: `step(x_t, states)` gives new states, which a masked step does not take.

    Returns the first state after each step, and the last states.
    """
    kept = [expand_dims(m, -1) for m in unstack(swap_axes(mask, 0, 1))] if mask is not None else [None] * int(x.shape[1])
    out: list[Value] = []
    states = list(states)
    for at, keep in zip(unstack(swap_axes(x, 0, 1)), kept, strict=True):
        new = step(at, states)
        states = new if keep is None else [apply("where", keep, n, s) for n, s in zip(new, states, strict=True)]
        out.append(states[0])
    return out, states


def over_time(steps: Sequence[Value], like: Value) -> Value:
    """Steps' values (batch, units) as (batch, time, units), batch and time those of `like`."""
    out = swap_axes(stack(steps, 0), 0, 1)
    return reshape(out, (*like.shape[:2], *out.shape[2:]))


def masked_outputs(sequence: Value, mask: Value | None, zero: bool) -> Value:
    """The outputs (batch, time, units) of the states after each step: a masked step's is 0 if `zero`, else the state that it keeps."""
    return sequence if mask is None or not zero else apply("where", expand_dims(mask, -1), sequence, 0.0)
