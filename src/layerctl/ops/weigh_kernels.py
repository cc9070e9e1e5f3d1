"""The gradient of a convolution's weights on the register tile: sums over all outputs of what their windows read by the output's gradient.

Images and weights are as in ops/conv_kernels.py. The rows of a tile are elements of the weights that are neighbours for one tap, or for a
line of taps where these are neighbours in the image; each is one chain of fma over a chunk's outputs in order.
"""

from __future__ import annotations

from layerctl.ops.kernel import kernel
from layerctl.ops.patches import PLANES, line_strip, planes_fit, planes_tile
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
    in_place: "i64",
):  # fmt: skip
    """Partial weight gradients (chunks, taps, channels / groups, filters), each over its output lines in order.

    dw[tap, c, f] = sum over outputs of x[window, tap, c] g[output, f]. Shares are cut along (chunk, piece of the planes of taps). Blocks have
    up to `together` lines, or of one of the `spans` parts of a line; `room` holds for each share (`room_size` elements) a window, kd planes of `plane_lines`
    lines of `line_size`, and g's panels where they are not used as they stand (`direct`). Where lines need no padding images are read
    `in_place`, but for the last one, behind which there may be no memory.
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
            there = in_place != 0 and image < batch - 1
            for s in range(spans):
                first = share_low(ow, s, spans)
                outputs = share_low(ow, s + 1, spans) - first
                for group in range(groups):
                    for kz in range(low // kh, low // kh if there else (high + kh - 1) // kh):
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
                    corner = (((image * d + z0 * sd - pd) * h + r0 * sh - ph) * w + first * sw - pw) * channels
                    weigh_block(
                        offset(x, corner) if there else window, panels if direct == 0 else upstream,
                        offset(dw_out, chunk * planes * size + group * outside), low, high, inside, outside, filters, count,
                        outputs, d, h, kh, kw, z0 * sd - pd, dd, r0 * sh - ph, sh, dh, sw * inside,
                        dw * inside, w * channels if there else line_size, h * dd if there else plane_lines, direct,
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
    plane = low
    while plane < high:
        kz = plane // kh
        kr = plane - kz * kh
        inner = z + kz * z_step
        planes = PLANES if joined == kw and kr + PLANES <= kh and plane + PLANES <= high else 1
        if inner >= 0 and inner < d:
            source = offset(window, (kz * plane_lines + kr * r_step) * line_size)
            for p in range((outside + width - 1) // width):
                columns = min(width, outside - p * width)
                step = filters if direct != 0 else padded(columns, g)
                weigh_planes(
                    planes, joined * inside, kw // joined, columns, source, tap_step, k_stride, line_size, r + kr * r_step, stride, r_step, h,
                    lines, outputs, offset(g, p * width if direct != 0 else p * lines * outputs * width), step,
                    offset(out, plane * kw * inside * filters + p * width), filters,
                )  # fmt: skip
        plane += planes


def weigh_planes(
    planes: int, each: int, taps: int, columns: int, a: "T*", tap_step: int, k_stride: int, line_size: int, r: int, stride: int, r_step: int,
    h: int, lines: int, outputs: int, g: "T*", g_step: int, out: "T*", filters: int,
) -> None:  # fmt: skip
    """Adds a block's share to the sums of one or a few planes of taps, `each` rows for each of `taps`, in a panel of g.

    Lines that all planes read inside of the image are summed for all of them together where there is such a tile; those before and after,
    and others, plane by plane: always in the order of lines.
    """
    low, high = lines, lines
    if planes > 1 and planes_fit(g, columns, each) != 0:
        low = min(first_output(r, stride), lines)
        high = max(low, last_output(r + (planes - 1) * r_step, stride, h, lines))
    for after in range(2):
        for plane in range(planes):
            at = r + plane * r_step
            first = max(first_output(at, stride), high if after != 0 else 0)
            last = min(last_output(at, stride, h, lines), lines if after != 0 else low)
            if last > first:
                for tap in range(taps):
                    line_strip(
                        each, columns, offset(a, (first * stride + plane * r_step) * line_size + tap * tap_step), k_stride, stride * line_size,
                        last - first, outputs, offset(g, first * outputs * g_step), g_step,
                        offset(out, (plane * taps + tap) * each * filters), filters,
                    )  # fmt: skip
        if after == 0 and high > low:
            planes_tile(
                each, columns, offset(a, low * stride * line_size), r_step * line_size, k_stride, stride * line_size, high - low, outputs,
                offset(g, low * outputs * g_step), g_step, out, filters,
            )  # fmt: skip
