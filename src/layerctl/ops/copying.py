"""The copy between two strided views of up to six dimensions, and the filling of a buffer: the kernels of all movement of data."""

from __future__ import annotations

from typing import Any

from layerctl.ops.elementwise import collapse
from layerctl.ops.kernel import Call, kernel
from layerctl.ops.primitives import share_low
from layerctl.ops.value import Shape, ShapeError, Value, product

_RANK = 6


@kernel(often=("f32", "i32", "i64", "u8"))
def strided(
    task: int, tasks: int, x: "T*", y: "T*", x0: i64, y0: i64,
    d0: i64, d1: i64, d2: i64, d3: i64, d4: i64, d5: i64,
    xs0: i64, xs1: i64, xs2: i64, xs3: i64, xs4: i64, xs5: i64,
    ys0: i64, ys1: i64, ys2: i64, ys3: i64, ys4: i64, ys5: i64,
):  # fmt: skip
    """y[y0 + i . ys] = x[x0 + i . xs] for every index i below d; strides in elements. Shares are cut along the rows of d5."""
    rows = d0 * d1 * d2 * d3 * d4
    for row in range(share_low(rows, task, tasks), share_low(rows, task + 1, tasks)):
        q4 = row // d4
        q3 = q4 // d3
        q2 = q3 // d2
        q1 = q2 // d1
        i4, i3, i2, i1 = row - q4 * d4, q4 - q3 * d3, q3 - q2 * d2, q2 - q1 * d1
        a = x0 + q1 * xs0 + i1 * xs1 + i2 * xs2 + i3 * xs3 + i4 * xs4
        b = y0 + q1 * ys0 + i1 * ys1 + i2 * ys2 + i3 * ys3 + i4 * ys4
        if xs5 == 1 and ys5 == 1:
            for i in range(d5):
                y[b + i] = x[a + i]
        else:
            for i in range(d5):
                y[b + i * ys5] = x[a + i * xs5]


@kernel(often=("f32", "f64", "i32", "i64", "u8"))
def fill(task: int, tasks: int, y: "T*", n: i64, value: T):
    """y[:n] = value."""
    low = share_low(n, task, tasks)
    for i in range(share_low(n, task + 1, tasks) - low):
        y[low + i] = value


def row_strides(shape: Shape) -> tuple[int, ...]:
    """The strides, in elements, of a contiguous row-major buffer."""
    out, step = [0] * len(shape), 1
    for i in reversed(range(len(shape))):
        out[i] = step
        step *= int(shape[i])
    return tuple(out)


def plan_copy(x: Value, y: Any, sizes: Shape, x_strides: Shape, y_strides: Shape, x0: int = 0, y0: int = 0) -> Call:
    """The call that copies a box of `sizes` between two views.

    Raises:
        ShapeError: if the box has more than six dimensions that cannot be merged.
    """
    box, (xs, ys) = collapse(tuple(map(int, sizes)), [tuple(x_strides), tuple(y_strides)])
    if len(box) > _RANK:
        raise ShapeError(
            f"a tensor of {len(box)} dimensions that cannot be merged is more than the six that can be moved"
        )
    pad = _RANK - len(box)
    n = product(box)
    args = (x, y, x0, y0, *(1,) * pad, *box, *(0,) * pad, *xs, *(0,) * pad, *ys)
    contiguous = xs[-1] == 1 and ys[-1] == 1
    return Call(
        strided.at(T=x.dtype),
        args,
        tasks=max(1, n // max(box[-1], 1)),
        work=n * (0.15 if contiguous else 1.0) + 4 * n / max(box[-1], 1),
    )


def plan_fill(y: Any, n: int, value: float, dtype: str) -> Call:
    """The call that sets n elements."""
    number = int(value) if dtype in ("i32", "i64", "bool") else float(value)
    return Call(fill.at(T=dtype), (y, n, number), tasks=max(1, n // 4096), work=0.1 * n, parts=n)
