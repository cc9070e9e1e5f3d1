"""Functions of expressions that turn numbers over time into frequencies and back; what is complex is a pair [real, imaginary part]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layerctl.ops.elementwise import as_value
from layerctl.ops.gather import take
from layerctl.ops.leaves import constant
from layerctl.ops.matmul import matmul
from layerctl.ops.slicing import pad
from layerctl.ops.transpose import swap_axes
from layerctl.ops.value import ShapeError, Value, shown

COSINES = {
    "hann": (0.5, 0.5), "hamming": (0.54, 0.46), "blackman": (0.42, 0.5, 0.08), "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168), "boxcar": (1.0,),
}  # fmt: skip
"""Windows that are sums of cosines (Harris 1978): the weights of cos(2 pi k n / (length - 1)) with alternating signs."""
LONGEST = 4096
"""A transform is a product with a matrix, whose side this is at most."""


def window_of(window: Any, length: int, periodic: bool) -> Any:
    """A window's numbers, float64.

    Raises:
        ValueError: for a list of another length.
    """
    import numpy as np

    if window is None:
        return np.ones(length)
    if not isinstance(window, str):
        if len(window) != length:
            raise ValueError(f"the window has {len(window)} numbers, the frame {length}")
        return np.asarray(window, np.float64)
    if length == 1:
        return np.ones(1)
    angle = 2 * np.pi * np.arange(length) / (length if periodic else length - 1)
    return sum((-1) ** k * a * np.cos(k * angle) for k, a in enumerate(COSINES[window]))


def fourier_matrices(window: Any, fft: int) -> tuple[Any, Any]:
    """The real and the imaginary part of the transform of a frame of `fft` numbers times a window, as matrices (fft, fft // 2 + 1)."""
    import numpy as np

    # the angle's whole turns are taken off in integers, so that long frames lose nothing
    turns = np.outer(np.arange(fft), np.arange(fft // 2 + 1)) % fft
    angle = -2 * np.pi * turns / fft
    return np.cos(angle) * window[:, None], np.sin(angle) * window[:, None]


def _length(n: Any) -> int:
    if not isinstance(n, int) or not 0 < n <= LONGEST:
        raise ShapeError(f"a Fourier transform is of 1 to {LONGEST} numbers, got {n!r}")
    return int(n)


def _turns(rows: int, columns: int, n: int) -> Any:
    """The angles `2 pi i j / n`; whole turns are taken off in integers, so that long transforms lose nothing."""
    import numpy as np

    return 2 * np.pi / n * (np.outer(np.arange(rows), np.arange(columns)) % n)


def _pair(x: Any, what: str) -> tuple[Value, Value]:
    if not isinstance(x, (list, tuple)) or len(x) != 2:
        raise ShapeError(f"{what} takes [real part, imaginary part]")
    real, imag = (as_value(v) for v in x)
    if tuple(real.shape) != tuple(imag.shape):
        raise ShapeError(f"{what}: the real part has shape {shown(real.shape)}, the imaginary one {shown(imag.shape)}")
    return real, imag


def _fitted(x: Value, n: int) -> Value:
    """The last dimension cut, or filled with zeros, to n."""
    size = int(x.shape[-1])
    return x[..., :n] if size > n else pad(x, [*[(0, 0)] * (x.rank - 1), (0, n - size)]) if size < n else x


def _transform(x: Any, sign: int, axis: int, what: str) -> list[Value]:
    """`sum over t of x[t] exp(sign 2 pi i t f / n)` along an axis."""
    import numpy as np

    real, imag = (swap_axes(v, axis, -1) for v in _pair(x, what))
    n = _length(int(real.shape[-1]))
    angle = _turns(n, n, n)
    c, s = constant(np.cos(angle), real.dtype), constant(sign * np.sin(angle), real.dtype)
    return [swap_axes(v, axis, -1) for v in (matmul(real, c) - matmul(imag, s), matmul(real, s) + matmul(imag, c))]


def _fft2(sign: int, what: str) -> Callable[[Any], list[Value]]:
    def function(x: Any) -> list[Value]:
        both = _transform(_transform(x, sign, -1, what), sign, -2, what)
        size = int(both[0].shape[-1]) * int(both[0].shape[-2]) if sign > 0 else 1
        return [v * (1 / size) for v in both] if size > 1 else both

    return function


def _rfft(x: Value, fft_length: int | None = None) -> list[Value]:
    import numpy as np

    n = _length(int(x.shape[-1]) if fft_length is None else fft_length)
    return [matmul(_fitted(x, n), constant(m, x.dtype)) for m in fourier_matrices(np.ones(n), n)]


def _irfft(x: Any, fft_length: int | None = None) -> Value:
    import numpy as np

    real, imag = _pair(x, "irfft")
    n = _length(2 * (int(real.shape[-1]) - 1) if fft_length is None else fft_length)
    bins = n // 2 + 1
    angle = _turns(bins, n, n)
    once = np.arange(bins) * 2 % n == 0  # what lies between has a mirror image
    weight = np.where(once, 1.0, 2.0)[:, None] / n
    real, imag = _fitted(real, bins), _fitted(imag, bins)
    return matmul(real, constant(weight * np.cos(angle), real.dtype)) - matmul(imag, constant(weight * np.sin(angle), imag.dtype))


def _stft(x: Value, sequence_length: int, sequence_stride: int, fft_length: int, window: Any = "hann", center: bool = True) -> list[Value]:
    import numpy as np

    n = _length(fft_length)
    if sequence_length > n or not isinstance(sequence_stride, int) or sequence_stride < 1 or (isinstance(window, str) and window not in COSINES):
        raise ShapeError(f"stft takes a sequence_length of at most fft_length ({n}), a positive sequence_stride and a window among {', '.join(COSINES)} "
                         f"or of numbers, got {sequence_length}, {sequence_stride} and {window!r}")  # fmt: skip
    before = (n - sequence_length) // 2
    weights = np.pad(window_of(window, sequence_length, True), (before, n - sequence_length - before)) if window is not None else np.ones(n)
    frames = take(x, constant(_frames(int(x.shape[-1]), n, sequence_stride, center, x), "i32"), -1)
    return [matmul(frames, constant(m, x.dtype)) for m in fourier_matrices(weights, n)]


def _frames(time: int, n: int, stride: int, center: bool, x: Value) -> Any:
    """The places of each frame's numbers; `center`: the first frame's middle is the first number, and the ends are mirrored."""
    import numpy as np

    half = n // 2 if center else 0
    count = (time + 2 * half - n) // stride + 1
    if count < 1 or half >= max(time, 2):
        raise ShapeError(f"stft: {shown(x.shape)} is too short for frames of {n}")
    at = np.abs(np.arange(count)[:, None] * stride + np.arange(n) - half)
    return np.where(at >= time, 2 * (time - 1) - at, at)


FREQUENCIES: dict[str, Callable[..., Any]] = {
    "fft": lambda x: _transform(x, -1, -1, "fft"), "fft2": _fft2(-1, "fft2"), "ifft2": _fft2(1, "ifft2"), "rfft": _rfft, "irfft": _irfft, "stft": _stft,
}  # fmt: skip
PAIRED = ("fft", "fft2", "ifft2", "irfft")
"""Those whose first argument is a pair."""
