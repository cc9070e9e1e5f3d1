"""Functions of expressions that cut and join: blocks and patches of images, pooling, products over dimensions of one's choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layerctl.ops import concat as joining
from layerctl.ops import reduce, reshape, slicing, transpose
from layerctl.ops.einsum import einsum
from layerctl.ops.elementwise import apply, as_value
from layerctl.ops.value import ShapeError, Value, shown


def _moments(x: Value, axes: Any, keepdims: bool = False) -> list[Value]:
    return [reduce.mean(x, axes, keepdims), reduce.variance(x, axes, keepdims)]


def _unstack(x: Value, num: int | None = None, axis: int = 0) -> list[Value]:
    axis %= x.rank
    if num is not None and num != int(x.shape[axis]):
        raise ShapeError(f"unstack: there are {int(x.shape[axis])} along axis {axis}, not {num}")
    key = (slice(None),) * axis
    return [x[(*key, i)] for i in range(int(x.shape[axis]))]


def _depth_to_space(x: Value, block_size: int) -> Value:
    if x.rank != 4 or int(x.shape[3]) % (block_size * block_size):
        raise ShapeError(f"depth_to_space needs (batch, height, width, {block_size}² times as many channels), got {shown(x.shape)}")
    b, h, w, c = x.shape
    parts = reshape.reshape(x, (b, h, w, block_size, block_size, c // (block_size * block_size)))
    return reshape.reshape(transpose.transpose(parts, (0, 1, 3, 2, 4, 5)), (b, h * block_size, w * block_size, c // (block_size * block_size)))


def _space_to_depth(x: Value, block_size: int) -> Value:
    if x.rank != 4 or int(x.shape[1]) % block_size or int(x.shape[2]) % block_size:
        raise ShapeError(f"space_to_depth needs (batch, height, width, channels), sizes divisible by {block_size}, got {shown(x.shape)}")
    b, h, w, c = x.shape
    parts = reshape.reshape(x, (b, h // block_size, block_size, w // block_size, block_size, c))
    return reshape.reshape(transpose.transpose(parts, (0, 1, 3, 2, 4, 5)), (b, h // block_size, w // block_size, c * (block_size * block_size)))


def _pool(kind: str) -> Callable[..., Value]:
    """A pooling layer as a function."""

    def function(x: Value, *given: Any, **arguments: Any) -> Value:
        from layerctl.catalogue import catalogue

        arguments = {**dict(zip(("pool_size", "strides", "padding"), given, strict=False)), **arguments}
        return catalogue("layers").get(f"{kind}Pooling{x.rank - 2}D")(**arguments).call(x)

    return function


def _extract_patches(x: Value, size: Any, strides: Any = None, padding: str = "valid") -> Value:
    (h, w), (down, right) = ([v, v] if isinstance(v, int) else list(v) for v in (size, size if strides is None else strides))
    if x.rank != 4 or padding not in ("valid", "same"):
        raise ShapeError(f"extract_patches takes (batch, height, width, channels) and padding 'valid' or 'same', got {shown(x.shape)} and {padding!r}")
    if padding == "same":
        lost = [max((-(-int(n) // step) - 1) * step + k - int(n), 0) for n, k, step in zip(x.shape[1:3], (h, w), (down, right), strict=True)]
        x = slicing.pad(x, [(0, 0), *((n // 2, n - n // 2) for n in lost), (0, 0)], 0.0)
    rows, columns = (int(x.shape[1]) - h) // down + 1, (int(x.shape[2]) - w) // right + 1
    if rows < 1 or columns < 1:
        raise ShapeError(f"extract_patches: patches of {h} by {w} do not fit into {shown(x.shape)}")
    if (h, w) == (down, right):
        b, _, _, c = x.shape
        whole = reshape.reshape(x[:, : rows * h, : columns * w], (b, rows, h, columns, w, c))
        return reshape.reshape(transpose.transpose(whole, (0, 1, 3, 2, 4, 5)), (b, rows, columns, h * w * c))
    parts = [x[:, i : i + (rows - 1) * down + 1 : down, j : j + (columns - 1) * right + 1 : right] for i in range(h) for j in range(w)]
    return joining.concat(parts, -1)


def _resize(x: Value, size: Any, interpolation: str = "bilinear") -> Value:
    from layerctl.catalogue import catalogue

    height, width = [size, size] if isinstance(size, int) else size
    return catalogue("layers").get("Resizing")(height=height, width=width, interpolation=interpolation).call(x)


def _nan_to_num(x: Value, nan: float = 0.0) -> Value:
    return apply("where", apply("isnan", x), nan, _finite(x))


def _finite(x: Value) -> Value:
    """x with infinities as the largest numbers of float32."""
    return apply("min", apply("max", x, -_LARGEST), _LARGEST)


_LARGEST = 3.4028234663852886e38


def _tensordot(a: Value, b: Any, axes: Any = 2) -> Value:
    b = as_value(b, a.dtype)
    if isinstance(axes, int):
        left, right = list(range(a.rank - axes, a.rank)), list(range(axes))
    else:
        left, right = ([v] if isinstance(v, int) else list(v) for v in axes)
    left, right = [i % a.rank for i in left], [i % b.rank for i in right]
    first = [chr(97 + i) for i in range(a.rank)]
    second = [chr(65 + i) for i in range(b.rank)]
    for i, j in zip(left, right, strict=True):
        second[j] = first[i]
    kept = [v for i, v in enumerate(first) if i not in left] + [v for j, v in enumerate(second) if j not in right]
    return einsum(f"{''.join(first)},{''.join(second)}->{''.join(kept)}", a, b)


def _divide_no_nan(a: Value, b: Value) -> Value:
    nothing = apply("eq", b, 0.0)
    return apply("where", nothing, 0.0, a / apply("where", nothing, 1.0, b))


FURTHER: dict[str, Callable[..., Any]] = {
    "moments": _moments, "unstack": _unstack, "depth_to_space": _depth_to_space, "space_to_depth": _space_to_depth,
    "extract_patches": _extract_patches, "resize": _resize, "max_pool": _pool("Max"), "average_pool": _pool("Average"),
    "nan_to_num": _nan_to_num,
    "tensordot": _tensordot, "inner": lambda a, b: _tensordot(a, b, [[-1], [-1]]), "divide_no_nan": _divide_no_nan,
}  # fmt: skip
