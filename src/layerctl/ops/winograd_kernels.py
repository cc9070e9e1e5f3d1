"""Winograd's convolution F(2×2, 3×3) as kernels and calls: 16 products where the direct way takes 36.

For 3×3 kernels of stride 1 over whole sixteens of channels, in float32. The sums over channels are shorter than direct ones, over channels and
taps, so that the result is nearer to the exact one in spite of the transforms (measured: half of the largest error).
Shares are cut along pairs of output lines. What a block of pairs takes from the image, transformed, stays in the nearest caches, as do the
products' results, until they are transformed back.
"""

from __future__ import annotations

from typing import Any

from layerctl.ops.finish import PLAIN, Finish
from layerctl.ops.kernel import Call, Scratch, kernel
from layerctl.ops.matmul_kernels import copy_lines
from layerctl.ops.patches import PIXEL, QUAD, patch_strip
from layerctl.ops.primitives import offset, share_low
from layerctl.ops.tiles import fetch_ahead, finish, pack_panel, tile_width
from layerctl.ops.value import SIZE_OF
from layerctl.ops.window import Window
from layerctl.ops.winograd import PLACES, winograd_input, winograd_output, winograd_weights

TASKS = 16
SQUARES, MOST_CHANNELS = 32, 256
"""Squares of outputs of a block, about; channels and filters at most: with more, the block leaves the second cache."""
FEWEST_ODD = 5
"""Outputs of an odd line from which on the squares' work beyond it costs less than they save."""
BEHIND = PIXEL * PIXEL
"""Elements that tiles read behind a block."""


def fits(dtype: str, groups: int, channels: int, filters: int, window: Window, out: tuple[int, ...]) -> bool:
    """Whether a convolution (or the gradient of its input, `out` lines and columns of it) is computed in this way."""
    alike = window.kernel == (1, 3, 3) and window.strides == window.dilation == (1, 1, 1) and window.size[0] == 1 and groups == 1
    sizes = all(n % PIXEL == 0 and 0 < n <= MOST_CHANNELS for n in (channels, filters))
    return dtype == "f32" and alike and sizes and all(n % 2 == 0 or n >= FEWEST_ODD for n in out[1:])


@kernel
def transform_taps(task: int, tasks: int, w: "T*", u: "T*", n: "i64", start: "i64", step: "i64"):
    """G g Gᵀ of the taps start, start + step, … of weights, n elements each, place after place. Shares are cut along sixteens of elements."""
    low, high = share_low(n // PIXEL, task, tasks) * PIXEL, share_low(n // PIXEL, task + 1, tasks) * PIXEL
    winograd_weights(high - low, w, start * n + low, step * n, offset(u, low), n)


@kernel
def pack_places(task: int, tasks: int, u: "T*", packed: "T*", rows: "i64", columns: "i64", u_row: "i64", u_column: "i64"):
    """Transformed taps in panels (places, panels, rows, width) for tiles. Shares are cut along the places."""
    width = tile_width(packed)
    for p in range(share_low(PLACES, task, tasks), share_low(PLACES, task + 1, tasks)):
        for panel in range((columns + width - 1) // width):
            first = panel * width
            to = offset(packed, (p * columns + first) * rows)
            pack_panel(rows, min(width, columns - first), offset(u, p * rows * columns + first * u_column), u_row, u_column, to)


@kernel
def winograd(
    task: int, tasks: int, x: "T*", packed: "T*", y: "T*", room: "T*", tables: "i64*", bias: "T*", how: "i64", batch: "i64",
    channels: "i64", filters: "i64", h: "i64", w: "i64", oh: "i64", ow: "i64", ph: "i64", pw: "i64", together: "i64", room_size: "i64",
):  # fmt: skip
    """y (batch, oh, ow, filters) of x (batch, h, w, channels) padded by ph and pw before, a block of up to `together` pairs of lines at a time.

    `room` has what is transformed, (places, sixteens, squares, 16), the products, (places, squares, filters), zeros, and a square that
    reaches beyond y, for each share; `tables` where each four channels are. Lines are finished (see ops/tiles.py) a pair at a time.
    """
    pairs, across = (oh + 1) // 2, (ow + 1) // 2
    units = batch * pairs
    most = together * across
    step, product_step = channels * most + PIXEL, filters * most + PIXEL
    turned, table = offset(room, task * room_size), offset(tables, task * (channels // QUAD))
    products = offset(turned, PLACES * step + BEHIND)
    zeros = offset(products, PLACES * product_step)
    square = offset(zeros, channels)
    for q in range(channels // QUAD):
        table[q] = q * QUAD // PIXEL * (most * PIXEL) + q * QUAD % PIXEL
    for i in range(channels):
        zeros[i] = 0
    unit, high = share_low(units, task, tasks), share_low(units, task + 1, tasks)
    while unit < high:
        count = min(together, high - unit)
        for i in range(count):
            image = (unit + i) // pairs
            source, line = offset(x, image * h * w * channels), (unit + i - image * pairs) * 2 - ph
            for j in range(across):
                to = offset(turned, (i * across + j) * PIXEL)
                winograd_input(channels, source, line, 2 * j - pw, h, w, zeros, to, step, most * PIXEL)
        after = (unit + count) // pairs
        following = (unit + count - after * pairs) * 2
        multiply_places(
            count * across, channels, filters, turned, step, table, packed, products, product_step, x,
            (after * h + following - ph + 2) * w * channels, y, (after * oh + following) * ow * filters,
        )  # fmt: skip
        for i in range(count):
            image = (unit + i) // pairs
            line = (unit + i - image * pairs) * 2
            found, line_of_y = offset(products, i * across * filters), offset(y, (image * oh + line) * ow * filters)
            lines = min(2, oh - line)
            for j in range(across):
                own, to = offset(found, j * filters), offset(line_of_y, 2 * j * filters)
                if lines == 2 and 2 * j + 2 <= ow:
                    winograd_output(filters, own, product_step, to, ow * filters)
                else:
                    winograd_output(filters, own, product_step, square, 2 * filters)
                    copy_lines(lines, min(2, ow - 2 * j) * filters, square, 2 * filters, to, ow * filters)
            if how != 0:
                finish(lines * ow, filters, line_of_y, filters, bias, how)
        unit += count


def multiply_places(
    squares: int, channels: int, filters: int, a: "T*", step: int, table: "i64*", packed: "T*", c: "T*", c_step: int, x: "T*", ahead: int,
    y: "T*", y_ahead: int,
) -> None:  # fmt: skip
    """The product of each place; meanwhile what the next block reads and writes is brought nearer."""
    width = tile_width(packed)
    panels = (filters + width - 1) // width
    each = channels // QUAD
    part = squares * filters // QUAD
    for p in range(PLACES):
        fetch_ahead(y, y_ahead + p * part, part)
        for panel in range(panels):
            columns = min(width, filters - panel * width)
            patch_strip(
                squares, columns, offset(a, p * step), table, channels // QUAD, QUAD, 0,
                offset(packed, (p * filters + panel * width) * channels), offset(c, p * c_step + panel * width), filters, 0,
                x, ahead + p * squares * each, each if panel == 0 else 0,
            )  # fmt: skip


def plan_winograd(
    batch: int, channels: int, filters: int, size: tuple[int, ...], out: tuple[int, ...], before: tuple[int, ...], x: Any, w: Any,
    taps: tuple[int, int], strides: tuple[int, int], y: Any, how: Finish = PLAIN,
) -> list[Call]:  # fmt: skip
    """The calls of y (batch, *out, filters) from x (batch, *size, channels).

    `taps`: the first tap of w and the step to the next ones; `strides`: elements of w from a channel and a filter to the next.
    """
    f32 = SIZE_OF["f32"]
    n = channels * filters
    u, packed = Scratch(f32 * PLACES * n), Scratch(f32 * PLACES * n)
    across = (out[2] + 1) // 2
    units = batch * ((out[1] + 1) // 2)
    together = min(units, max(1, SQUARES // across))
    room_size = PLACES * ((channels + filters) * together * across + 2 * PIXEL) + BEHIND + channels + 4 * filters
    tasks = min(units, TASKS)
    args = (
        x, packed, y, Scratch(f32 * tasks * room_size), Scratch(8 * tasks * channels // QUAD), *how.args(y), batch, channels, filters,
        *size[1:], *out[1:], *before[1:], together, room_size,
    )  # fmt: skip
    pixels = batch * out[1] * out[2]
    return [
        Call(transform_taps.at(T="f32"), (w, u, n, *taps), tasks=min(n // PIXEL, TASKS), work=2.0 * n, prepares=w),
        Call(pack_places.at(T="f32"), (u, packed, channels, filters, *strides), tasks=PLACES, work=0.3 * PLACES * n, prepares=w),
        Call(winograd.at(T="f32"), args, tasks=tasks, work=pixels * (0.08 * channels * filters + channels + filters), parts=batch, along=(x,)),
    ]
