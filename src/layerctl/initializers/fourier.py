"""A Fourier transform as a convolution's kernel, and the windows that go with it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from layerctl.expressions.frequencies import COSINES, window_of
from layerctl.initializers.base import Initializer


def _window(value: Any) -> Any:
    if value is None or (isinstance(value, str) and value in COSINES):
        return value
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in value):
        return list(value)
    raise ValueError(f"expected one of {', '.join(COSINES)}, a list of numbers, or null, got {value!r}")


WindowField = Annotated[Any, BeforeValidator(_window)]
"""A window by name, as a list of numbers, or none."""


class STFT(Initializer):
    """A convolution's kernel (frame, 1, fft / 2 + 1) whose result is the real or the imaginary part of the windowed frame's transform.

    `cos(-2 pi t f / fft) * window / scale`, or sin; the scale is the root of the window's sum of squares (density) or its sum (spectrum).
    The angles are products of float32 as in Keras, whose rounding shows for long frames.
    """

    aliases: ClassVar[tuple[str, ...]] = ("STFTInitializer", "stft")

    side: Literal["real", "imag"] = Field("real", description="The part of the transform.")
    window: WindowField = Field("hann", description="The window by name, as numbers, or none.")
    scaling: Literal["density", "spectrum"] | None = Field("density", description="By what the window is divided: see above.")
    periodic: bool = Field(False, description="Whether the window is one period of a longer one.")

    def check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 3 or shape[1] != 1:
            raise ValueError(f"the kernel of a Fourier transform has the shape (frame, 1, bins), got {shape}")
        window_of(self.window, shape[0], self.periodic)

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        import numpy as np

        frame, _, bins = shape
        window = window_of(self.window, frame, self.periodic)
        scale = 1.0
        if self.window is not None and self.scaling is not None:
            scale = np.sqrt((window**2).sum()) if self.scaling == "density" else np.abs(window).sum()
        frequency = np.arange(bins, dtype=np.float32) / np.float32((bins - 1) * 2)
        angle = np.float32(-2) * np.arange(frame, dtype=np.float32)[:, None] * frequency * np.float32(np.pi)
        wave = np.cos(angle.astype(np.float64)) if self.side == "real" else np.sin(angle.astype(np.float64))
        return (wave * window[:, None] / scale).reshape(shape)
