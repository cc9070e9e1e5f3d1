"""Lines of windows over neighbouring channels: the plain Python twins, and the cut of a line where taps leave the image."""

from __future__ import annotations

import numpy as np

from layerctl.ops.primitives import fma, offset


def window_line(
    columns: int, outputs: int, x: np.ndarray, at: int, x_step: int, rows: int, row_step: int, across: int, tap_step: int, w: np.ndarray,
    w_row: int, w_tap: int, out: np.ndarray, out_step: int, keep: int,
) -> None:  # fmt: skip
    """out[o, c] (+)= sum over r and t of x[at + o x_step + r row_step + t tap_step + c] w[r w_row + t w_tap + c]: one chain of fma."""
    for o in range(outputs):
        for c in range(columns):
            total = out[o * out_step + c] if keep else out.dtype.type(0)
            for r in range(rows):
                for t in range(across):
                    total = fma(x[at + o * x_step + r * row_step + t * tap_step + c], w[r * w_row + t * w_tap + c], total)
            out[o * out_step + c] = total


def window_sums(
    columns: int, outputs: int, x: np.ndarray, at: int, x_step: int, across: int, tap_step: int, g: np.ndarray, g_step: int,
    sums: np.ndarray, s_tap: int,
) -> None:  # fmt: skip
    """sums[t s_tap + c] += sum over o of x[at + o x_step + t tap_step + c] g[o g_step + c]: one chain of fma each."""
    for t in range(across):
        for c in range(columns):
            for o in range(outputs):
                sums[t * s_tap + c] = fma(x[at + o * x_step + t * tap_step + c], g[o * g_step + c], sums[t * s_tap + c])


def first_output(at: int, stride: int) -> int:
    """The first output whose tap is inside, for a tap that is at element `at` for output 0."""
    if at >= 0:
        return 0
    return -at if stride == 1 else (stride - 1 - at) // stride


def last_output(at: int, stride: int, size: int, outputs: int) -> int:
    """One more than the last output whose tap is inside; at least 0."""
    if at >= size:
        return 0
    return min(outputs, size - at if stride == 1 else (size - 1 - at) // stride + 1)


def first_tap(at: int, step: int, size: int) -> int:
    """The first tap t with 0 <= at + t * step < size, for an output whose tap 0 is at element `at`."""
    if step > 0:
        return first_output(at, step)
    if at < size:
        return 0
    return at - size + 1 if step == -1 else (at - size) // -step + 1


def last_tap(at: int, step: int, size: int, across: int) -> int:
    """One more than the last tap inside."""
    if step > 0:
        return last_output(at, step, size, across)
    if at < 0:
        return 0
    return min(across, at + 1 if step == -1 else at // -step + 1)


def windows(
    x: "T*", line: int, size: int, channels: int, rows: int, row_step: int, across: int, step: int, start: int, stride: int, w: "T*",
    w_row: int, to: "T*", outputs: int, keep: int,
) -> None:  # fmt: skip
    """One line of outputs from `rows` lines of x (size, channels), the first at element `line`: output o's tap t is at o stride + start
    + t step, and left out where that is outside. w (rows by w_row elements, across, channels)."""
    reach = (across - 1) * step
    first = min(first_output(start + min(0, reach), stride), outputs)
    last = max(first, last_output(start + max(0, reach), stride, size, outputs))
    for o in range(first):
        border(x, line, size, channels, rows, row_step, across, step, o * stride + start, w, w_row, to, o, keep)
    window_line(
        channels, last - first, x, line + (first * stride + start) * channels, stride * channels, rows, row_step, across, step * channels, w,
        w_row, channels, offset(to, first * channels), channels, keep,
    )  # fmt: skip
    for o in range(last, outputs):
        border(x, line, size, channels, rows, row_step, across, step, o * stride + start, w, w_row, to, o, keep)


def border(
    x: "T*", line: int, size: int, channels: int, rows: int, row_step: int, across: int, step: int, at: int, w: "T*", w_row: int, to: "T*",
    o: int, keep: int,
) -> None:  # fmt: skip
    """One output at the edge, of the taps that are inside."""
    first = min(first_tap(at, step, size), across)
    last = max(first, last_tap(at, step, size, across))
    window_line(
        channels, 1, x, line + (at + first * step) * channels, 0, rows, row_step, last - first, step * channels, offset(w, first * channels), w_row,
        channels, offset(to, o * channels), channels, keep,
    )  # fmt: skip
