"""What a share reads of images, copied into a window of its own that stays in the nearest caches: padded, and laid out for tiles.

For outputs a window is (planes, lines, sixteens, phases, pixels, 16): element 16 s + j of a pixel's channels in sixteen s. A
stride's phases (pixel i is i // stride of phase i % stride) make neighbours of what neighbouring outputs read. Where channels are few, and
for the gradient of the weights, it is (planes, lines, pixels, channels).
"""

from __future__ import annotations

from layerctl.ops.patches import PIXEL, spread_line
from layerctl.ops.primitives import offset
from layerctl.ops.windows import first_output, last_output


def copy_lines(
    x: "T*", h: int, w: int, channels: int, inside: int, r: int, lines: int, every: int, at: int, stride: int, phases: int, pixels: int,
    joined: int, to: "T*", line_size: int, clean: int,
) -> None:  # fmt: skip
    """The window's lines of a plane x (h, w, channels), from r on, each `every`-th of those that are inside: as `copy_pixels` has `joined`
    pixels if that is not 0, else as `spread_pixels` has them."""
    for i in range(lines):
        if r + i >= 0 and r + i < h and i % every == 0:
            line, into = offset(x, (r + i) * w * channels), offset(to, i * line_size)
            if joined != 0:
                copy_pixels(line, w, channels, inside, at, joined, into, clean)
            else:
                spread_pixels(line, w, channels, inside, at, stride, phases, pixels, into, clean)


def spread_pixels(
    line: "T*", size: int, channels: int, inside: int, at: int, stride: int, phases: int, pixels: int, to: "T*", clean: int
) -> None:  # fmt: skip
    """A line's part of a window: pixel q of phase p is the image's at + q stride + p, its first `inside` channels; 0 where that is outside,
    as it is already where `clean`."""
    for p in range(phases):
        start = at + p
        low = min(first_output(start, stride), pixels)
        high = max(low, last_output(start, stride, size, pixels))
        for s in range((inside + PIXEL - 1) // PIXEL):
            into = offset(to, (s * phases + p) * pixels * PIXEL)
            if clean == 0:
                clear(into, low * PIXEL)
                clear(offset(into, high * PIXEL), (pixels - high) * PIXEL)
            spread_line(
                high - low, min(PIXEL, inside - s * PIXEL), offset(into, low * PIXEL),
                offset(line, (start + low * stride) * channels + s * PIXEL), stride * channels,
            )  # fmt: skip


def copy_pixels(line: "T*", size: int, channels: int, inside: int, at: int, pixels: int, to: "T*", clean: int) -> None:
    """A line's part of a window that has the image's layout: the first `inside` channels of the image's pixels at to at + pixels."""
    low = min(max(0, -at), pixels)
    high = max(low, min(pixels, size - at))
    if clean == 0:
        clear(to, low * inside)
        clear(offset(to, high * inside), (pixels - high) * inside)
    middle, start = offset(to, low * inside), offset(line, (at + low) * channels)
    if inside == channels:
        for i in range((high - low) * inside):
            middle[i] = start[i]
    else:
        for q in range(high - low):
            for j in range(inside):
                middle[q * inside + j] = start[q * channels + j]


def clear(to: "T*", count: int) -> None:
    """Zeros."""
    for i in range(count):
        to[i] = 0
