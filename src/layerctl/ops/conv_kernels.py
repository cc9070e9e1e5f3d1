"""Convolution on the register tile, without an im2col buffer, and both of its gradients: the kernels.

Images are (batch, depth, height, width, channels); one and two dimensions are three with leading ones. Weights are Keras's:
(kd, kh, kw, channels / groups, filters). The rows of a tile are neighbouring outputs of one line, so that A's row stride is the step
between two windows; where taps of a line are neighbours in memory they make one run of k. Where runs are short, a line's patches are
gathered first, one row of the gathered matrix for each element of a window, so that the copies run along the line.
"""

from __future__ import annotations

from layerctl.ops.kernel import kernel
from layerctl.ops.primitives import offset, share_low
from layerctl.ops.tiles import call_kernel, pack_panel, padded, strip, tile_width


@kernel
def pad(
    task: int, tasks: int, x: "T*", y: "T*", batch: "i64", channels: "i64", d: "i64", h: "i64", w: "i64",
    pd: "i64", ph: "i64", pw: "i64", bd: "i64", bh: "i64", bw: "i64", td: "i64", th: "i64", tw: "i64",
):  # fmt: skip
    """y (batch, pd, ph, pw, channels): x's element i at b + i * t where that is within y, else 0. Shares are cut along y's lines."""
    lines = batch * pd * ph
    for line in range(share_low(lines, task, tasks), share_low(lines, task + 1, tasks)):
        image = line // (pd * ph)
        rest = line - image * pd * ph
        z = rest // ph - bd
        r = rest - rest // ph * ph - bh
        to = offset(y, line * pw * channels)
        inside = z >= 0 and r >= 0 and z // td * td == z and r // th * th == r and z // td < d and r // th < h
        source = offset(x, ((image * d + z // td) * h + r // th) * w * channels)
        if inside and tw == 1:
            first, last = min(max(bw, 0), pw), max(min(bw + w, pw), 0)
            for i in range(first * channels):
                to[i] = 0
            middle, start = offset(to, first * channels), offset(source, (first - bw) * channels)
            for i in range((last - first) * channels):
                middle[i] = start[i]
            end = offset(to, last * channels)
            for i in range((pw - last) * channels):
                end[i] = 0
        else:
            for i in range(pw * channels):
                to[i] = 0
            if inside:
                for c in range(w):
                    at = bw + c * tw
                    if at >= 0 and at < pw:
                        for i in range(channels):
                            to[at * channels + i] = source[c * channels + i]


@kernel
def pack_taps(
    task: int, tasks: int, w: "T*", packed: "T*", groups: "i64", jd: "i64", jh: "i64", jw: "i64", rows: "i64", columns: "i64",
    kh: "i64", kw: "i64", start_d: "i64", start_h: "i64", start_w: "i64", step_d: "i64", step_h: "i64", step_w: "i64",
    w_group: "i64", w_tap: "i64", w_row: "i64", w_column: "i64",
):  # fmt: skip
    """Weights into panels (groups, panels, taps * rows, width); tap j of each dimension is the weights' start + j * step.

    Shares are cut along the panels' taps.
    """
    width = tile_width(packed)
    panels = (columns + width - 1) // width
    taps = jd * jh * jw
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
        pack_panel(
            rows,
            count,
            source,
            w_row,
            w_column,
            offset(packed, panel * taps * rows * width + tap * rows * padded(count, packed)),
        )


def gather(
    run: int, runs: int, pixels: int, source: "T*", to: "T*", to_stride: int, step: int, kh: int, kw: int, d_step: int, h_step: int,
    w_step: int,
):  # fmt: skip
    """A line's patches, (runs * run, pixels): element j of run (z, r, c) of the window at pixel i."""
    for piece in range(runs):
        plane = piece // kw
        z = plane // kh
        corner = offset(source, z * d_step + (plane - z * kh) * h_step + (piece - plane * kw) * w_step)
        for j in range(run):
            into, line = offset(to, (piece * run + j) * to_stride), offset(corner, j)
            if step == 1:
                for i in range(pixels):
                    into[i] = line[i]
            else:
                for i in range(pixels):
                    into[i] = line[i * step]


@kernel
def convolve(
    task: int, tasks: int, x: "T*", packed: "T*", y: "T*", patches: "T*", epilogue: "i64", epilogue_block: "i64",
    batch: "i64", groups: "i64", channels: "i64", filters: "i64",
    d: "i64", h: "i64", w: "i64", od: "i64", oh: "i64", ow: "i64", kd: "i64", kh: "i64", kw: "i64",
    sd: "i64", sh: "i64", sw: "i64", dd: "i64", dh: "i64", dw: "i64",
    y_image: "i64", y_plane: "i64", y_line: "i64", y_pixel: "i64", shallow: "i64",
):  # fmt: skip
    """y (batch, od, oh, ow, filters, by its strides) of padded x (batch, d, h, w, channels); shares are cut along output lines.

    A line's k runs over taps in order and the group's channels. `shallow`: its patches are gathered into `patches` (one line's for each
    share) and multiplied as one matrix; else one strip a run of neighbouring taps, added up in y. The `epilogue`, if not 0, is called
    on every finished line.
    """
    width = tile_width(packed)
    inside = channels // groups
    outside = filters // groups
    panels = (outside + width - 1) // width
    k = kd * kh * kw * inside
    joined = kw if dw == 1 and groups == 1 else 1
    across = kw // joined
    run = joined * inside
    runs = kd * kh * across
    d_step, h_step, w_step = dd * h * w * channels, dh * w * channels, dw * channels
    room = offset(patches, task * ow * k)
    lines = batch * od * oh
    for line in range(share_low(lines, task, tasks), share_low(lines, task + 1, tasks)):
        image = line // (od * oh)
        rest = line - image * od * oh
        z = rest // oh
        r = rest - z * oh
        corner = offset(x, ((image * d + z * sd) * h + r * sh) * w * channels)
        out = offset(y, image * y_image + z * y_plane + r * y_line)
        for g in range(groups):
            if shallow != 0:
                gather(
                    run,
                    runs,
                    ow,
                    offset(corner, g * inside),
                    room,
                    ow,
                    sw * channels,
                    kh,
                    across,
                    d_step,
                    h_step,
                    w_step,
                )
            for p in range(panels):
                columns = min(width, outside - p * width)
                panel, to = offset(packed, (g * panels + p) * k * width), offset(out, g * outside + p * width)
                if shallow != 0:
                    strip(ow, columns, room, 1, ow, panel, k, to, y_pixel, 0)
                else:
                    for piece in range(runs):
                        plane = piece // across
                        kz = plane // kh
                        at = kz * d_step + (plane - kz * kh) * h_step + (piece - plane * across) * w_step
                        strip(
                            ow, columns, offset(corner, at + g * inside), sw * channels, 1,
                            offset(panel, piece * run * padded(columns, packed)), run, to, y_pixel, piece,
                        )  # fmt: skip
        if epilogue != 0:
            call_kernel(epilogue, line, lines, epilogue_block)


@kernel
def pack_lines(task: int, tasks: int, g: "T*", packed: "T*", rows: "i64", groups: "i64", filters: "i64"):
    """The output's gradient (rows, filters) into panels (groups, panels, rows, width); shares are cut along rows."""
    width = tile_width(packed)
    outside = filters // groups
    panels = (outside + width - 1) // width
    low, high = share_low(rows, task, tasks), share_low(rows, task + 1, tasks)
    for panel in range(groups * panels):
        group = panel // panels
        first = (panel - group * panels) * width
        columns = min(width, outside - first)
        to = offset(packed, panel * rows * width + low * padded(columns, packed))
        pack_panel(high - low, columns, offset(g, low * filters + group * outside + first), filters, 1, to)


@kernel
def weigh(
    task: int, tasks: int, x: "T*", packed: "T*", dw_out: "T*", patches: "T*", batch: "i64", chunks: "i64", groups: "i64",
    channels: "i64", filters: "i64", d: "i64", h: "i64", w: "i64", od: "i64", oh: "i64", ow: "i64", kd: "i64", kh: "i64", kw: "i64",
    sd: "i64", sh: "i64", sw: "i64", dd: "i64", dh: "i64", dw: "i64", pieces: "i64", together: "i64",
):  # fmt: skip
    """Partial weight gradients (chunks, taps, channels / groups, filters), each over its output lines in order.

    dw[tap, c, f] = sum over outputs of x[window, tap, c] g[output, f]. Shares are cut along (chunk, run of taps), or along chunks where
    `together` lines' patches are gathered first (into `patches`, one matrix for each share): then `pieces` is 1, else the number of runs.
    """
    width = tile_width(packed)
    inside = channels // groups
    outside = filters // groups
    panels = (outside + width - 1) // width
    joined = kw if dw == 1 and groups == 1 else 1
    across = kw // joined
    run = joined * inside
    runs = kd * kh * across
    k = runs * run
    d_step, h_step, w_step = dd * h * w * channels, dh * w * channels, dw * channels
    lines = batch * od * oh
    room, span = offset(patches, task * k * together * ow), together * ow
    for unit in range(share_low(chunks * pieces, task, tasks), share_low(chunks * pieces, task + 1, tasks)):
        chunk = unit // pieces
        piece = unit - chunk * pieces
        plane = piece // across
        kz = plane // kh
        tap = kz * d_step + (plane - kz * kh) * h_step + (piece - plane * across) * w_step
        first, last = share_low(lines, chunk, chunks), share_low(lines, chunk + 1, chunks)
        for g in range(groups):
            to = offset(dw_out, (chunk * runs + piece) * run * filters + g * outside)
            line = first
            while line < last:
                count = min(max(together, 1), last - line)
                source = x
                for i in range(count):
                    image = (line + i) // (od * oh)
                    rest = line + i - image * od * oh
                    z = rest // oh
                    r = rest - z * oh
                    source = offset(x, ((image * d + z * sd) * h + r * sh) * w * channels + g * inside)
                    if together != 0:
                        gather(
                            run,
                            runs,
                            ow,
                            source,
                            offset(room, i * ow),
                            span,
                            sw * channels,
                            kh,
                            across,
                            d_step,
                            h_step,
                            w_step,
                        )
                for p in range(panels):
                    columns = min(width, outside - p * width)
                    at = (g * panels + p) * lines * ow * width + line * ow * padded(columns, packed)
                    panel, into = offset(packed, at), offset(to, p * width)
                    if together != 0:
                        strip(k, columns, room, span, 1, panel, count * ow, into, filters, line - first)
                    else:
                        strip(
                            run, columns, offset(source, tap), 1, sw * channels, panel, ow, into, filters, line - first
                        )
                line += count
