"""Convolution on the register tile, without an im2col buffer: the kernels.

Images are (batch, depth, height, width, channels); one and two dimensions are three with leading ones. Weights are Keras's:
(kd, kh, kw, channels / groups, filters). Shares go through blocks of some lines, or of a part of a long line: what a block reads is copied
into a window in the nearest caches, where the rows of a tile are neighbouring outputs of one line. Few channels stay as they are in the
image there (`joined`): a line of taps is one run of them. Taps in lines outside of the image are left out. A deep panel of weights is used
a part at a time for the whole block.
"""

from __future__ import annotations

from layerctl.ops.kernel import kernel
from layerctl.ops.patches import PIXEL, QUAD, patch_strip
from layerctl.ops.pools import max_line
from layerctl.ops.primitives import offset, share_low
from layerctl.ops.tiles import finish, pack_panel, padded, tile_width
from layerctl.ops.windowing import clear, copy_lines
from layerctl.ops.windows import first_tap, last_tap


@kernel
def spread(
    task: int, tasks: int, x: "T*", y: "T*", batch: "i64", channels: "i64", d: "i64", h: "i64", w: "i64", td: "i64", th: "i64", tw: "i64"
):  # fmt: skip
    """x's elements td, th and tw apart in y (batch, (d - 1) td + 1, …, channels), zeros between. Shares are cut along y's lines."""
    pd, ph, pw = (d - 1) * td + 1, (h - 1) * th + 1, (w - 1) * tw + 1
    lines = batch * pd * ph
    for line in range(share_low(lines, task, tasks), share_low(lines, task + 1, tasks)):
        image = line // (pd * ph)
        rest = line - image * pd * ph
        z = rest // ph
        r = rest - z * ph
        to = offset(y, line * pw * channels)
        clear(to, pw * channels)
        if z // td * td == z and r // th * th == r:
            source = offset(x, ((image * d + z // td) * h + r // th) * w * channels)
            for c in range(w):
                for i in range(channels):
                    to[c * tw * channels + i] = source[c * channels + i]


@kernel
def pack_taps(
    task: int, tasks: int, w: "T*", packed: "T*", groups: "i64", jd: "i64", jh: "i64", jw: "i64", rows: "i64", columns: "i64",
    kh: "i64", kw: "i64", start_d: "i64", start_h: "i64", start_w: "i64", step_d: "i64", step_h: "i64", step_w: "i64",
    w_group: "i64", w_tap: "i64", w_row: "i64", w_column: "i64", joined: "i64",
):  # fmt: skip
    """Weights into panels (groups, panels, k, width); tap j of each dimension is the weights' start + j * step.

    k runs over the taps and their rows, zeros behind each tap's to a multiple of four unless the taps of a line are `joined`. Shares are
    cut along the panels' taps.
    """
    width = tile_width(packed)
    panels = (columns + width - 1) // width
    taps = jd * jh * jw
    together = jw if joined != 0 else 1
    deep = together * rows if joined != 0 else (rows + QUAD - 1) // QUAD * QUAD
    for at in range(share_low(groups * panels * taps, task, tasks), share_low(groups * panels * taps, task + 1, tasks)):
        panel = at // taps
        tap = at - panel * taps
        group = panel // panels
        first = (panel - group * panels) * width
        count = min(width, columns - first)
        plane = tap // jw
        z = start_d + plane // jh * step_d
        r = start_h + (plane - plane // jh * jh) * step_h
        c = start_w + (tap - plane * jw) * step_w
        source = offset(w, group * w_group + ((z * kh + r) * kw + c) * w_tap + first * w_column)
        unit = tap // together
        inner = tap - unit * together
        line = padded(count, packed)
        to = offset(packed, panel * (taps // together) * deep * width + (unit * deep + inner * rows) * line)
        pack_panel(rows, count, source, w_row, w_column, to)
        if inner == together - 1:
            end = offset(to, rows * line)
            for i in range((deep - together * rows) * line):
                end[i] = 0


@kernel
def convolve(
    task: int, tasks: int, x: "T*", packed: "T*", y: "T*", room: "T*", tables: "i64*", bias: "T*", how: "i64", pool_h: "i64", pool_w: "i64",
    batch: "i64", groups: "i64", channels: "i64", filters: "i64",
    d: "i64", h: "i64", w: "i64", od: "i64", oh: "i64", ow: "i64", kd: "i64", kh: "i64", kw: "i64",
    sd: "i64", sh: "i64", sw: "i64", dd: "i64", dh: "i64", dw: "i64", pd: "i64", ph: "i64", pw: "i64",
    y_image: "i64", y_plane: "i64", y_line: "i64", y_pixel: "i64", joined: "i64", spans: "i64", together: "i64",
    line_size: "i64", plane_lines: "i64", room_size: "i64", lines_at: "i64", part: "i64", in_place: "i64",
):  # fmt: skip
    """y (batch, od, oh, ow, filters, by its strides) of x (batch, d, h, w, channels) padded by pd, ph, pw before.

    k runs over taps in order and the group's channels. Shares are cut along output lines, each in `spans` parts. A block is one part of up
    to `together` lines (of one where there are several); `room` holds a window for each share (`room_size` elements: kd planes of
    `plane_lines` lines of `line_size`), `tables` the places of its runs of k. Of a panel `part` elements are used at a time. Lines of
    `joined` taps that need no padding are read `in_place`, but for the last image's, behind which there may be no memory.

    What is ready is finished (see ops/tiles.py): with windows of more than one output its lines are `room`, from `lines_at` on, y is
    (batch, od, oh / pool_h, ow / pool_w, filters), and lines are whole, a multiple of pool_h to a block and in all.
    """
    inside = channels // groups
    length = kw * inside if joined != 0 else QUAD
    runs = kd * kh * runs_of_line(kw, inside, joined)
    window, table = offset(room, task * room_size), offset(tables, task * runs)
    units = batch * od * oh * spans
    reach = 0 if joined != 0 else (kw - 1) * dw // sw
    phases = 1 if joined != 0 else min(sw, (kw - 1) * dw + 1)
    placed, clean = 0, 1 if spans == 1 else 0
    pooled = 1 if pool_h * pool_w > 1 else 0
    out_line, out_pixel = ow * filters if pooled != 0 else y_line, filters if pooled != 0 else y_pixel
    unit, high = share_low(units // pool_h, task, tasks) * pool_h, share_low(units // pool_h, task + 1, tasks) * pool_h
    while unit < high:
        line = unit // spans
        first = share_low(ow, unit - line * spans, spans)
        outputs = share_low(ow, unit - line * spans + 1, spans) - first
        image = line // (od * oh)
        rest = line - image * od * oh
        z0, r0 = rest // oh, rest - rest // oh * oh
        count = min(min(together, high - unit), oh - r0)
        there = in_place != 0 and image < batch - 1
        line_step, plane_step = w * channels if there else line_size, h * dd if there else plane_lines
        kind = -1 if there else outputs
        if placed != kind:
            clear(window, 0 if there else kd * plane_lines * line_size)
            place_runs(table, kd, kh, kw, dh, dw, sw, inside, joined, phases, outputs + reach, line_step, plane_step)
            placed = kind
        out = offset(window, lines_at) if pooled != 0 else offset(y, image * y_image + z0 * y_plane + r0 * y_line + first * y_pixel)
        after = (first + outputs) * sw if spans > 1 else w * ((count - 1) * sh + (kh - 1) * dh + 1)
        ahead = ((image * d + (z0 + kd - 1) * sd - pd) * h + r0 * sh - ph) * w * channels + after * channels
        for g in range(groups):
            for kz in range(0 if there else kd):
                z = z0 * sd + kz * dd - pd
                if z >= 0 and z < d:
                    copy_lines(
                        offset(x, (image * d + z) * h * w * channels + g * inside), h, w, channels, inside, r0 * sh - ph,
                        (count - 1) * sh + (kh - 1) * dh + 1, 1 if kh > 1 else sh, first * sw - pw, sw, phases, outputs + reach,
                        (outputs - 1) * sw + kw if joined != 0 else 0, offset(window, kz * plane_lines * line_size), line_size, clean,
                    )  # fmt: skip
            corner = (((image * d + z0 * sd - pd) * h + r0 * sh - ph) * w + first * sw - pw) * channels
            convolve_block(
                offset(x, corner) if there else window, table, packed, offset(out, g * (filters // groups)), g, runs, length,
                sw * inside if joined != 0 else 0, filters // groups, count, outputs, d, h, kd, kh,
                z0 * sd - pd, dd, r0 * sh - ph, sh, dh, sh * line_step, out_line, out_pixel, part,
                x, ahead, sh * sw * channels if g == 0 else 0,
            )  # fmt: skip
        if pooled != 0:
            into = ((image * od + z0) * (oh // pool_h) + r0 // pool_h) * (ow // pool_w) * filters
            pool_lines(count // pool_h, ow // pool_w, pool_h, pool_w, out, filters, offset(y, into), bias, how)
        elif how != 0:
            for i in range(count):
                finish(outputs, filters, offset(out, i * y_line), y_pixel, bias, how)
        unit += count


def pool_lines(lines: int, outputs: int, pool_h: int, pool_w: int, x: "T*", columns: int, y: "T*", bias: "T*", how: int) -> None:
    """y (lines, outputs, columns) of x (lines pool_h, outputs pool_w, columns): the largest of each window, finished."""
    line = outputs * pool_w * columns
    for i in range(lines):
        to = offset(y, i * outputs * columns)
        max_line(columns, outputs, offset(x, i * pool_h * line), pool_w * columns, 1, 0, pool_h, line, pool_w, to)
        if how != 0:
            finish(outputs, columns, to, columns, bias, how)


def runs_of_line(kw: int, inside: int, joined: int) -> int:
    """Runs of k of one line of taps."""
    return 1 if joined != 0 else kw * ((inside + QUAD - 1) // QUAD)


def place_runs(
    table: "i64*", kd: int, kh: int, kw: int, dh: int, dw: int, sw: int, inside: int, joined: int, phases: int, pixels: int, line_size: int,
    plane_lines: int,
) -> None:  # fmt: skip
    """Where each run of k is in a window, for its first output: four elements of a pixel, or where `joined` a line of taps."""
    units = 1 if joined != 0 else kw
    fours = 1 if joined != 0 else (inside + QUAD - 1) // QUAD
    at = 0
    for plane in range(kd * kh):
        kz = plane // kh
        corner = (kz * plane_lines + (plane - kz * kh) * dh) * line_size
        for u in range(units):
            pixel = u * dw // sw
            tap = corner + ((u * dw - pixel * sw) * pixels + pixel) * PIXEL
            for q in range(fours):
                table[at] = tap + q * QUAD // PIXEL * (phases * pixels * PIXEL) + q * QUAD % PIXEL
                at += 1


def convolve_block(
    window: "T*", table: "i64*", packed: "T*", out: "T*", group: int, runs: int, length: int, row_step: int, outside: int, lines: int,
    outputs: int, d: int, h: int, kd: int, kh: int, z: int, z_step: int, r: int, stride: int, r_step: int, line_step: int, y_line: int, y_pixel: int, part: int,
    x: "T*", ahead: int, each: int,
) -> None:  # fmt: skip
    """A block's outputs of one group; its taps are in the planes z, z + z_step, …, line i's in the lines r + i stride, + r_step, …"""
    width = tile_width(packed)
    panels = (outside + width - 1) // width
    of_line = runs // (kd * kh)
    z_low = min(first_tap(z, z_step, d), kd)
    z_high = max(z_low, last_tap(z, z_step, d, kd))
    for p in range(panels):
        columns = min(width, outside - p * width)
        step = padded(columns, packed) * length
        panel = offset(packed, (group * panels + p) * runs * length * width)
        parts = (runs * step + part - 1) // part
        for piece in range(parts):
            start, end = share_low(runs, piece, parts), share_low(runs, piece + 1, parts)
            for i in range(lines):
                at = r + i * stride
                low = min(first_tap(at, r_step, h), kh)
                high = max(low, last_tap(at, r_step, h, kh))
                source, to = offset(window, i * line_step), offset(out, i * y_line + p * width)
                if z_high == z_low or high == low:
                    if piece == 0:
                        clear_pixels(to, outputs, y_pixel, columns)
                else:
                    first = (z_low * kh + low) * of_line
                    whole = high - low == kh
                    for kz in range(z_low, z_low + 1 if whole else z_high):
                        begin = max(start, (kz * kh + low) * of_line)
                        stop = min(end, (((z_high - 1) if whole else kz) * kh + high) * of_line)
                        if stop > begin:
                            patch_strip(
                                outputs, columns, source, offset(table, begin), stop - begin, length, row_step, offset(panel, begin * step), to,
                                y_pixel, 1 if begin > first else 0, x, ahead + i * outputs * each, each if piece + p == 0 else 0,
                            )  # fmt: skip


def clear_pixels(to: "T*", pixels: int, step: int, columns: int) -> None:
    """Zeros for outputs that no tap reaches."""
    for i in range(pixels):
        for j in range(columns):
            to[i * step + j] = 0
