"""The gradient of a convolution's weights on the register tile: sums over all outputs of what their windows read by the output's gradient.

Images and weights are as in ops/conv_kernels.py. The rows of a tile are elements of the weights that are neighbours for one tap, or for a
line of taps where these are neighbours in the image; each is one chain of fma over a chunk's outputs in order.
"""

from __future__ import annotations

from layerctl.ops.kernel import kernel
from layerctl.ops.patches import line_strip
from layerctl.ops.primitives import offset, share_low
from layerctl.ops.tiles import pack_panel, padded, tile_width
from layerctl.ops.windowing import clear, copy_pixels
from layerctl.ops.windows import first_output, last_output

WINDOW_END = 64
"""Elements behind a window that tiles of more rows than are wanted may read."""


@kernel
def weigh(
    task: int, tasks: int, x: "T*", g: "T*", dw_out: "T*", room: "T*", batch: "i64", chunks: "i64", groups: "i64",
    channels: "i64", filters: "i64", d: "i64", h: "i64", w: "i64", od: "i64", oh: "i64", ow: "i64", kd: "i64", kh: "i64", kw: "i64",
    sd: "i64", sh: "i64", sw: "i64", dd: "i64", dh: "i64", dw: "i64", pd: "i64", ph: "i64", pw: "i64",
    pieces: "i64", spans: "i64", together: "i64", line_size: "i64", plane_lines: "i64", room_size: "i64", direct: "i64",
):  # fmt: skip
    """Partial weight gradients (chunks, taps, channels / groups, filters), each over its output lines in order.

    dw[tap, c, f] = sum over outputs of x[window, tap, c] g[output, f]. Shares are cut along (chunk, piece of the planes of taps). Blocks have
    up to `together` lines, or of one of the `spans` parts of a line; `room` holds for each share (`room_size` elements) a window, kd planes of `plane_lines`
    lines of `line_size`, and g's panels where they are not used as they stand (`direct`).
    """
    inside, outside = channels // groups, filters // groups
    planes, lines = kd * kh, batch * od * oh
    size = kw * inside * filters
    window = offset(room, task * room_size)
    panels = offset(window, kd * plane_lines * line_size + WINDOW_END)
    clean = 1 if spans == 1 else 0
    clear(window, kd * plane_lines * line_size)
    unit, stop = share_low(chunks * pieces, task, tasks), share_low(chunks * pieces, task + 1, tasks)
    while unit < stop:
        chunk = unit // pieces
        last = min(stop, (chunk + 1) * pieces)
        low, high = share_low(planes, unit - chunk * pieces, pieces), share_low(planes, last - chunk * pieces, pieces)
        clear(offset(dw_out, (chunk * planes + low) * size), (high - low) * size)
        line, end = share_low(lines, chunk, chunks), share_low(lines, chunk + 1, chunks)
        while line < end:
            image = line // (od * oh)
            rest = line - image * od * oh
            z0 = rest // oh
            r0 = rest - z0 * oh
            count = min(min(together, end - line), oh - r0)
            for s in range(spans):
                first = share_low(ow, s, spans)
                outputs = share_low(ow, s + 1, spans) - first
                for group in range(groups):
                    for kz in range(low // kh, (high + kh - 1) // kh):
                        z = z0 * sd + kz * dd - pd
                        for i in range((count - 1) * sh + (kh - 1) * dh + 1):
                            r = r0 * sh + i - ph
                            if z >= 0 and z < d and r >= 0 and r < h and (kh > 1 or i % sh == 0):
                                copy_pixels(
                                    offset(x, ((image * d + z) * h + r) * w * channels + group * inside), w, channels, inside,
                                    first * sw - pw, (outputs - 1) * sw + (kw - 1) * dw + 1,
                                    offset(window, (kz * plane_lines + i) * line_size), clean,
                                )  # fmt: skip
                    upstream = offset(g, (line * ow + first) * filters + group * outside)
                    if direct == 0:
                        pack_lines(count * outputs, outside, upstream, filters, panels)
                    weigh_block(
                        window, panels if direct == 0 else upstream, offset(dw_out, chunk * planes * size + group * outside), low, high,
                        inside, outside, filters, count, outputs, d, h, kh, kw, z0 * sd - pd, dd, r0 * sh - ph, sh, dh, sw * inside,
                        dw * inside, line_size, plane_lines, direct,
                    )  # fmt: skip
            line += count
        unit = last


def pack_lines(outputs: int, outside: int, g: "T*", step: int, to: "T*") -> None:
    """A block's gradients of outputs into panels (panels, outputs, width)."""
    width = tile_width(to)
    for p in range((outside + width - 1) // width):
        pack_panel(outputs, min(width, outside - p * width), offset(g, p * width), step, 1, offset(to, p * outputs * width))


def weigh_block(
    window: "T*", g: "T*", out: "T*", low: int, high: int, inside: int, outside: int, filters: int, lines: int, outputs: int, d: int, h: int,
    kh: int, kw: int, z: int, z_step: int, r: int, stride: int, r_step: int, k_stride: int, tap_step: int, line_size: int, plane_lines: int,
    direct: int,
) -> None:  # fmt: skip
    """Adds a block's share to the sums of the planes of taps from low to high; names as in `convolve_block`."""
    width = tile_width(g)
    joined = kw if tap_step == inside else 1
    for plane in range(low, high):
        kz = plane // kh
        kr = plane - kz * kh
        inner = z + kz * z_step
        first = min(first_output(r + kr * r_step, stride), lines)
        last = max(first, last_output(r + kr * r_step, stride, h, lines))
        if inner >= 0 and inner < d and last > first:
            source = offset(window, (kz * plane_lines + first * stride + kr * r_step) * line_size)
            for p in range((outside + width - 1) // width):
                columns = min(width, outside - p * width)
                step = filters if direct != 0 else padded(columns, g)
                panel = offset(g, p * width if direct != 0 else p * lines * outputs * width)
                for tap in range(kw // joined):
                    line_strip(
                        joined * inside, columns, offset(source, tap * tap_step), k_stride, stride * line_size, last - first, outputs,
                        offset(panel, first * outputs * step), step, offset(out, (plane * kw + tap) * inside * filters + p * width), filters,
                    )  # fmt: skip
