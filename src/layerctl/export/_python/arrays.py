"""Ops in numpy. The functions of this file are copied into an exported file as far as it needs them, so they use numpy and math alone."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np


def sigmoid(x):
    """1 / (1 + exp(-x))."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, x.dtype.type(1), e) / (1 + e)


def softplus(x):
    """log(1 + exp(x))."""
    return np.logaddexp(x.dtype.type(0), x)


def erf(x):
    """The error function, in double precision."""
    return np.array([math.erf(v) for v in x.ravel().tolist()]).reshape(x.shape).astype(x.dtype)


def erf_inv(x):
    """The inverse of the error function: infinite at -1 and 1, NaN beyond."""

    def one(v):
        if not -1 < v < 1:
            return math.copysign(math.inf, v) if abs(v) == 1 else math.nan
        return statistics.NormalDist().inv_cdf((v + 1) / 2) / math.sqrt(2) if abs(v) > 1e-6 else v * math.sqrt(math.pi) / 2

    return np.array([one(v) for v in x.ravel().tolist()]).reshape(x.shape).astype(x.dtype)


def whole_division(a, b):
    """(a // b, a mod b) of whole numbers; both 0 where b is 0."""
    safe = np.where(b == 0, 1, b)
    return np.where(b == 0, 0, a // safe).astype(a.dtype), np.where(b == 0, 0, a % safe).astype(a.dtype)


def to_whole(x, dtype):
    """Floats as whole numbers towards zero; NaN is 0, and what does not fit the nearest that does."""
    info = np.iinfo(dtype)
    y = np.trunc(np.nan_to_num(np.asarray(x, np.float64), nan=0.0, posinf=float(info.max), neginf=float(info.min)))
    return np.where(y >= info.max, info.max, np.where(y <= info.min, info.min, y)).astype(dtype)


def reduced(function, x, axes, keepdims, dtype):
    """sum, sumsq, sumabs, prod (in double precision), max, min, any, all, argmax, argmin over axes."""
    wide = np.float64 if x.dtype.kind == "f" else np.int64
    if function in ("argmax", "argmin"):
        return getattr(np, function)(x, axis=axes[0], keepdims=keepdims).astype(dtype)
    if function in ("max", "min", "any", "all"):
        return getattr(np, function)(x, axis=axes, keepdims=keepdims).astype(dtype)
    y = x.astype(wide)
    y = y * y if function == "sumsq" else np.abs(y) if function == "sumabs" else y
    return (np.prod if function == "prod" else np.sum)(y, axis=axes, keepdims=keepdims).astype(dtype)


def softmax(x, logarithm):
    """softmax along the last axis, or its logarithm."""
    y = x - x.max(axis=-1, keepdims=True)
    e = np.exp(y)
    total = e.sum(axis=-1, keepdims=True, dtype=np.float64)
    return (y - np.log(total)).astype(x.dtype) if logarithm else (e / total).astype(x.dtype)


def embedded(x, shape, starts, steps, value):
    """x in an array of `value`, from `starts` on, its elements `steps` apart."""
    y = np.full(shape, value, x.dtype)
    y[tuple(slice(a, a + (n - 1) * s + 1 if n else a, s) for a, n, s in zip(starts, x.shape, steps, strict=True))] = x
    return y


def rows_of(table, ids):
    """table[ids]; an id below 0 counts from the end, and ids are brought into the table."""
    n = len(table)
    return table[np.clip(np.where(ids < 0, ids + n, ids), 0, n - 1)]


def selected(x, ids):
    """One element of each row along the last axis; 0 for an id outside."""
    inside = (ids >= 0) & (ids < x.shape[-1])
    y = np.take_along_axis(x, np.where(inside, ids, 0)[..., None], -1)[..., 0]
    return np.where(inside, y, x.dtype.type(0))


def one_hot(g, ids, width):
    """Rows of zeros with g at each id; nothing for an id outside."""
    return np.where(np.arange(width) == ids[..., None], g[..., None], g.dtype.type(0))


def along(x, ids):
    """Each row's elements at its own places along the last axis."""
    n = x.shape[-1]
    return np.take_along_axis(x, np.clip(np.where(ids < 0, ids + n, ids), 0, n - 1), -1)


def sorted_places(x, descending):
    """The places of each row's elements in order, equal ones in theirs; NaN is the largest."""
    if not descending:
        return np.argsort(x, axis=-1, kind="stable").astype(np.int32)
    back = np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    return (x.shape[-1] - 1 - back).astype(np.int32)


def tallied(ids, weights, width):
    """The weights of each id from 0 to width - 1, added up along the last axis."""
    return np.where(np.arange(width) == ids[..., None], weights[..., None], weights.dtype.type(0)).sum(axis=-2, dtype=weights.dtype)


def looked_up(x, keys, places, missing):
    """The keys' places; `missing` for what is no key."""
    at = np.clip(np.searchsorted(keys, x), 0, max(len(keys) - 1, 0))
    return np.where(keys[at] == x, places[at], places.dtype.type(missing)) if len(keys) else np.full(x.shape, missing, places.dtype)


def resampled(x, matrix, axis):
    """x with one dimension multiplied by a matrix (new length, old length)."""
    return np.moveaxis(np.moveaxis(x, axis, -1) @ matrix.T.astype(x.dtype), -1, axis)


def windows(x, size, strides, dilation, out):
    """For each tap of a window, the tap and the elements under it for all places: views (batch, *out, channels)."""
    for tap in itertools.product(*(range(k) for k in size)):
        places = (slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, s, n in zip(tap, dilation, strides, out, strict=True))
        yield tap, (slice(None), *places)


def conv(x, w, strides, dilation, pads, groups, out):
    """A convolution, channels last: x (batch, *spatial, channels), w (*kernel, channels / groups, filters)."""
    padded = np.pad(x, ((0, 0), *((max(a, 0), max(b, 0)) for a, b in pads), (0, 0)))
    own, made = w.shape[-2], w.shape[-1] // groups
    y = np.zeros((len(x), *out, w.shape[-1]), x.dtype)
    for tap, at in windows(padded, w.shape[:-2], strides, dilation, out):
        part = padded[at]
        for g in range(groups):
            y[..., g * made : (g + 1) * made] += part[..., g * own : (g + 1) * own] @ w[tap][:, g * made : (g + 1) * made]
    return y


def conv_transposed(y, w, strides, dilation, pads, groups, shape):
    """The reverse of a convolution: from y (batch, *out, filters) to `shape` (*spatial, channels)."""
    own, made = w.shape[-2], w.shape[-1] // groups
    out = y.shape[1:-1]
    reach = [(n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(out, strides, w.shape[:-2], dilation, strict=True)]
    size = [max(r, n + a) for r, n, (a, _) in zip(reach, shape[:-1], pads, strict=True)]
    x = np.zeros((len(y), *size, shape[-1]), y.dtype)
    for tap, at in windows(x, w.shape[:-2], strides, dilation, out):
        for g in range(groups):
            x[(*at, slice(g * own, (g + 1) * own))] += y[..., g * made : (g + 1) * made] @ w[tap][:, g * made : (g + 1) * made].T
    return x[(slice(None), *(slice(a, a + n) for n, (a, _) in zip(shape[:-1], pads, strict=True)))]


def pool(x, kind, size, strides, pads, out):
    """The largest element or the mean of windows; places outside of x count for nothing."""
    ones = (1,) * len(size)
    widths = ((0, 0), *((max(a, 0), max(b, 0)) for a, b in pads), (0, 0))
    empty = -np.inf if kind == "max" else 0
    padded = np.pad(x, widths, constant_values=empty)
    if kind == "max":
        return np.max(np.stack([padded[at] for _, at in windows(padded, size, strides, ones, out)]), axis=0)
    here = np.pad(np.ones_like(x[:1, ..., :1]), widths)
    total = sum(padded[at] for _, at in windows(padded, size, strides, ones, out))
    return (total / sum(here[at] for _, at in windows(here, size, strides, ones, out))).astype(x.dtype)


def attention(q, k, v, mask=None):
    """softmax(q @ k.T) @ v for each head: q (rows, queries, heads, size), k and v (rows, keys, heads, ...)."""
    scores = np.einsum("btnh,bsnh->bnts", q, k)
    scores = scores if mask is None else np.where(mask, scores, scores.dtype.type(np.finfo(np.float32).min))
    return np.einsum("bnts,bsnw->btnw", softmax(scores, False), v)


def lstm(x, u, h, c, mask=None):
    """(h, c) after each step; gates i, f, c, o. A step whose mask is false keeps the states."""
    hs, cs = [], []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] + h @ u, 4, axis=-1)
        new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        pair = sigmoid(o) * np.tanh(new), new
        h, c = pair if mask is None else (np.where(mask[:, t, None], a, b) for a, b in zip(pair, (h, c), strict=True))
        hs.append(h)
        cs.append(c)
    return np.stack(hs, 1), np.stack(cs, 1)


def gru(x, u, b, h, mask=None):
    """h after each step; gates z, r, h, the reset after the state's product."""
    hs = []
    for t in range(x.shape[1]):
        (xz, xr, xh), (hz, hr, hh) = np.split(x[:, t], 3, axis=-1), np.split(h @ u + b, 3, axis=-1)
        z = sigmoid(xz + hz)
        new = z * h + (1 - z) * np.tanh(xh + sigmoid(xr + hr) * hh)
        h = new if mask is None else np.where(mask[:, t, None], new, h)
        hs.append(h)
    return np.stack(hs, 1)


def gru_before(x, u, h, mask=None):
    """h after each step; the reset before the state's product."""
    hs, n = [], u.shape[0]
    for t in range(x.shape[1]):
        xz, xr, xh = np.split(x[:, t], 3, axis=-1)
        z, r = (sigmoid(a) for a in np.split(np.concatenate([xz, xr], -1) + h @ u[:, : 2 * n], 2, axis=-1))
        new = z * h + (1 - z) * np.tanh(xh + (r * h) @ u[:, 2 * n :])
        h = new if mask is None else np.where(mask[:, t, None], new, h)
        hs.append(h)
    return np.stack(hs, 1)


def simple_rnn(x, u, h, mask=None):
    """h after each step: tanh(x + h @ u)."""
    hs = []
    for t in range(x.shape[1]):
        new = np.tanh(x[:, t] + h @ u)
        h = new if mask is None else np.where(mask[:, t, None], new, h)
        hs.append(h)
    return np.stack(hs, 1)
