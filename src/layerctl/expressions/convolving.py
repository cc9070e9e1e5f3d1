"""Convolutions with kernels that are given, and sums and extremes over segments, as functions of expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layerctl.ops import conv, reduce, reshape
from layerctl.ops.elementwise import apply, as_value, cast
from layerctl.ops.matmul import matmul
from layerctl.ops.select import one_hot
from layerctl.ops.transpose import move_axis, transpose
from layerctl.ops.value import ShapeError, Value, product, shown

MOST = 1_000_000
"""Segments of a sum."""


def _each(value: Any, n: int, what: str, least: int = 1) -> list[int]:
    """A number for each dimension."""
    sizes = value if isinstance(value, (list, tuple)) else [value] * n
    if len(sizes) != n or any(type(s) is not int or s < least for s in sizes):
        raise ShapeError(f"{what} is one whole number of at least {least}, or {n} of them, got {value!r}")
    return list(sizes)


def _of_space(x: Value, kernel: Any, data_format: str | None, what: str) -> tuple[Value, Value, int]:
    """(x with its channels last, the kernel, how many dimensions of space there are)."""
    w, n = as_value(kernel, x.dtype), x.rank - 2
    if not 1 <= n <= 3 or w.rank != x.rank or data_format not in (None, "channels_last", "channels_first"):
        raise ShapeError(f"{what} takes (batch, 1 to 3 of space, channels) and a kernel of as many dimensions, got {shown(x.shape)} and {shown(w.shape)}")
    return (move_axis(x, 1, -1) if data_format == "channels_first" else x), w, n


def _restored(y: Value, data_format: str | None) -> Value:
    return move_axis(y, -1, 1) if data_format == "channels_first" else y


def _padded(padding: str, what: str) -> str:
    if padding not in ("valid", "same"):
        raise ShapeError(f"{what} takes padding 'valid' or 'same', got {padding!r}")
    return padding


def _conv(
    inputs: Value, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: str | None = None, dilation_rate: Any = 1
) -> Value:  # fmt: skip
    x, w, n = _of_space(inputs, kernel, data_format, "conv")
    groups, left = divmod(int(x.shape[-1]), int(w.shape[-2]))
    if left:
        raise ShapeError(f"conv: {x.shape[-1]} channels are no multiple of the {w.shape[-2]} of the kernel")
    steps, apart = _each(strides, n, "strides"), _each(dilation_rate, n, "dilation_rate")
    return _restored(conv.conv(x, w, steps, _padded(padding, "conv"), apart, groups), data_format)


def _depthwise(
    inputs: Value, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: str | None = None, dilation_rate: Any = 1
) -> Value:  # fmt: skip
    x, w, n = _of_space(inputs, kernel, data_format, "depthwise_conv")
    *size, channels, multiplier = w.shape
    if int(channels) != int(x.shape[-1]):
        raise ShapeError(f"depthwise_conv: the kernel is for {channels} channels, x has {x.shape[-1]}")
    each = reshape.reshape(w, (*size, 1, channels * multiplier))
    steps, apart = _each(strides, n, "strides"), _each(dilation_rate, n, "dilation_rate")
    return _restored(conv.conv(x, each, steps, _padded(padding, "depthwise_conv"), apart, int(channels)), data_format)


def _separable(
    inputs: Value, depthwise_kernel: Any, pointwise_kernel: Any, strides: Any = 1, padding: str = "valid", data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Value:  # fmt: skip
    return _conv(_depthwise(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate), pointwise_kernel, data_format=data_format)


def _transposed(
    inputs: Value, kernel: Any, strides: Any = 1, padding: str = "valid", output_padding: Any = None, data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Value:  # fmt: skip
    x, w, n = _of_space(inputs, kernel, data_format, "conv_transpose")
    extra = None if output_padding is None else _each(output_padding, n, "output_padding", 0)
    steps, apart = _each(strides, n, "strides"), _each(dilation_rate, n, "dilation_rate")
    return _restored(conv.conv_transpose(x, w, steps, _padded(padding, "conv_transpose"), apart, extra), data_format)


def _segments(kind: str) -> Callable[..., Value]:
    """`out[s]` is the sum, product or extreme of the rows whose id is s; ids outside of the segments count nowhere."""

    def function(data: Value, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Value:
        ids = as_value(segment_ids, "i32")
        if type(num_segments) is not int or not 0 < num_segments <= MOST:
            raise ShapeError(f"segment_{kind} needs num_segments, the number of segments (1 to {MOST}), got {num_segments!r}")
        if ids.rank != 1 or not data.rank or int(ids.shape[0]) != int(data.shape[0]):
            raise ShapeError(f"segment_{kind}: an id for each row of {shown(data.shape)} is needed, got {shown(ids.shape)}")
        rest = data.shape[1:]
        flat = reshape.reshape(data, (data.shape[0], int(product(rest))))
        ones = one_hot(ids, num_segments, "f32" if kind == "sum" else "i32")
        if kind == "sum":
            out = matmul(cast(transpose(ones, (1, 0)), data.dtype), flat)
        else:
            here = apply("ne", reshape.expand_dims(ones, 2), 0)
            out = reduce.reduce(kind, apply("where", here, reshape.expand_dims(flat, 1), _empty(kind, data.dtype)), 0)
        return reshape.reshape(out, (num_segments, *rest))

    return function


def _empty(kind: str, dtype: str) -> float | int:
    """What a segment without rows is."""
    if kind == "prod":
        return 1
    if dtype.startswith("f"):
        return float("-inf") if kind == "max" else float("inf")
    bits = int(dtype[1:])
    return -(1 << (bits - 1)) if kind == "max" else (1 << (bits - 1)) - 1


CONVOLVING: dict[str, Callable[..., Any]] = {
    "conv": _conv, "depthwise_conv": _depthwise, "separable_conv": _separable, "conv_transpose": _transposed,
    **{f"segment_{kind}": _segments(kind) for kind in ("sum", "prod", "max", "min")},
}  # fmt: skip
