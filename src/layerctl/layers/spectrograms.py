"""Sound as frequencies over time."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from layerctl.expressions.frequencies import fourier_matrices, window_of
from layerctl.initializers.fourier import STFT, WindowField
from layerctl.layers._arguments import DataFormat
from layerctl.layers._spectra import mel_matrix
from layerctl.layers.base import Layer
from layerctl.ops.concat import concat
from layerctl.ops.conv import conv
from layerctl.ops.elementwise import FLOATING, apply, cast
from layerctl.ops.gather import take
from layerctl.ops.leaves import constant
from layerctl.ops.matmul import matmul
from layerctl.ops.reduce import reduce
from layerctl.ops.reshape import reshape
from layerctl.ops.slicing import pad
from layerctl.ops.transpose import move_axis, transpose
from layerctl.ops.value import Shape, ShapeError, Value, Weight, current, shown

EPSILON = 1e-7


class STFTSpectrogram(Layer):
    """The short-time Fourier transform `sum over t of window[t] x[step m + t] exp(-2 pi i t f / fft_length)`, by a convolution.

    Its kernels are weights and can be trained. Shapes: (batch, time, channels) → (batch, frames, channels * frequencies), frequencies being
    fft_length / 2 + 1, twice that for stft; with expand_dims (batch, frames, frequencies, channels).
    """

    category: ClassVar[str] = "preprocessing"

    mode: Literal["log", "magnitude", "psd", "real", "imag", "angle", "stft"] = Field(
        "log", description="The magnitude's logarithm, the magnitude, the power, the real part, the imaginary part, the phase, both parts."
    )
    frame_length: PositiveInt = Field(256, description="Numbers a frame.")
    frame_step: PositiveInt | None = Field(None, description="Numbers from frame to frame; half a frame if not given.")
    fft_length: PositiveInt | None = Field(None, description="The transform's length; the power of two that holds a frame if not given.")
    window: WindowField = Field("hann", description="The window by name, as a list of numbers, or null.")
    periodic: bool = Field(False, description="Whether the window's period is its length, in place of one less.")
    scaling: Literal["density", "spectrum"] | None = Field("density", description="What the window is divided by: its root sum of squares, its sum, nothing.")
    padding: Literal["valid", "same"] = Field("valid", description="valid: whole frames only; same: frames may reach beyond the ends.")
    expand_dims: bool = Field(False, description="Whether channels and frequencies are dimensions of their own.")
    data_format: DataFormat = Field(None, description="Where the channels stand; last if not given.")

    _real: Weight
    _imag: Weight

    @model_validator(mode="after")
    def _lengths(self) -> STFTSpectrogram:
        if self.frame_step is not None and self.frame_step > self.frame_length:
            raise ValueError(f"frame_step {self.frame_step} is more than frame_length {self.frame_length}")
        if self.fft_length is not None and self.fft_length < self.frame_length:
            raise ValueError(f"fft_length {self.fft_length} is less than frame_length {self.frame_length}")
        window_of(self.window, self.frame_length, self.periodic)
        return self

    def build(self, input_shape: Shape) -> None:
        fft = self.fft_length or 1 << (self.frame_length - 1).bit_length()
        shape = (self.frame_length, 1, fft // 2 + 1)
        for side in ("real", "imag"):
            if self.mode != {"real": "imag", "imag": "real"}[side]:
                made = STFT(side=side, window=self.window, scaling=self.scaling, periodic=self.periodic)
                setattr(self, f"_{side}", self.add_weight(f"{side}_kernel", shape, made))

    def call(self, inputs: Value) -> Value:
        if inputs.rank != 3 or inputs.dtype not in FLOATING:
            raise ShapeError(f"STFTSpectrogram needs floats of shape (batch, time, channels), got {inputs.dtype} {shown(inputs.shape)}")
        if self.mode in ("real", "imag"):
            return self._arranged(self._part(inputs, self._real if self.mode == "real" else self._imag))
        real, imag = self._part(inputs, self._real), self._part(inputs, self._imag)
        if self.mode == "stft":
            return self._arranged(concat([real, imag], axis=2))
        if self.mode == "angle":
            return self._arranged(apply("atan2", imag, real))
        power = real * real + imag * imag
        if self.mode == "psd":
            doubled = pad(power[:, :, 1:-1], [(0, 0), (0, 0), (1, 1), (0, 0)])
            return self._arranged(power + doubled)
        size = self._arranged(apply("sqrt", apply("max", power, EPSILON)))
        return size if self.mode == "magnitude" else apply("log", apply("max", size, EPSILON))

    def _part(self, x: Value, kernel: Weight) -> Value:
        """One part of the transform, (batch, channels, frequencies, frames)."""
        x = x if self.data_format == "channels_first" else transpose(x, (0, 2, 1))
        batch, channels, time = x.shape
        step = self.frame_step or max(self.frame_length // 2, 1)
        y = conv(reshape(x, (batch * channels, time, 1)), current().read(kernel), (step,), self.padding)
        return reshape(transpose(y, (0, 2, 1)), (batch, channels, y.shape[2], y.shape[1]))

    def _arranged(self, y: Value) -> Value:
        first = self.data_format == "channels_first"
        if self.expand_dims:
            return transpose(y, (0, 1, 3, 2) if first else (0, 3, 2, 1))
        flat = reshape(y, (y.shape[0], y.shape[1] * y.shape[2], y.shape[3]))
        return flat if first else transpose(flat, (0, 2, 1))


class MelSpectrogram(Layer):
    """The power of `num_mel_bins` bands on the mel scale over time: `filters · |transform of windowed frames| ** mag_exp`, in decibels.

    Frames are centred, the ends mirrored. Decibels are 10 log10(power / ref_power), at least the batch's largest less `top_db`.
    Shapes: (batch, time) → (batch, num_mel_bins, time / sequence_stride + 1).
    """

    category: ClassVar[str] = "preprocessing"

    fft_length: int = Field(2048, gt=1, description="The transform's length.")
    sequence_stride: PositiveInt = Field(512, description="Numbers from frame to frame.")
    sequence_length: PositiveInt | None = Field(None, description="The window's length; fft_length if not given.")
    window: WindowField = Field("hann", description="The window by name, as a list of numbers, or null.")
    sampling_rate: PositiveInt = Field(16000, description="Numbers a second.")
    num_mel_bins: PositiveInt = Field(128, description="How many bands.")
    min_freq: float = Field(20.0, ge=0, description="The lowest band's lower edge in hertz.")
    max_freq: float | None = Field(None, gt=0, description="The highest band's upper edge; half the sampling rate if not given.")
    power_to_db: bool = Field(True, description="Whether the result is in decibels.")
    top_db: float = Field(80.0, description="How far below the largest the least result is.")
    mag_exp: float = Field(2.0, description="The magnitude's exponent: 1 for magnitude, 2 for power.")
    min_power: float = Field(1e-10, gt=0, description="The least power that decibels are made of.")
    ref_power: float = Field(1.0, description="The power of 0 decibels.")

    @model_validator(mode="after")
    def _fits(self) -> MelSpectrogram:
        if (self.sequence_length or 0) > self.fft_length:
            raise ValueError(f"sequence_length {self.sequence_length} is more than fft_length {self.fft_length}")
        window_of(self.window, self.sequence_length or self.fft_length, True)
        return self

    def call(self, inputs: Value) -> Value:
        import math

        if inputs.rank != 2:
            raise ShapeError(f"MelSpectrogram needs sounds of shape (batch, time), got {shown(inputs.shape)}")
        x = cast(inputs, self.compute_dtype)
        power = self._power(self._frames(x))
        high = self.max_freq or self.sampling_rate // 2
        filters = mel_matrix(self.num_mel_bins, self.fft_length // 2 + 1, self.sampling_rate, self.min_freq, high)
        y = matmul(power, constant(filters, x.dtype))
        if self.power_to_db:
            y = apply("log", apply("max", y, self.min_power)) * (10.0 / math.log(10.0))
            y = y - 10.0 * math.log10(max(abs(self.ref_power), self.min_power))
            y = apply("max", y, reduce("max", y) - self.top_db)
        return move_axis(y, -1, -2)

    def _frames(self, x: Value) -> Value:
        """(batch, frames, fft_length), the ends mirrored without the last number itself."""
        import numpy as np

        time, half = int(x.shape[1]), self.fft_length // 2
        count = (time + 2 * half - self.fft_length) // self.sequence_stride + 1
        if count < 1:
            raise ShapeError(f"MelSpectrogram: {shown(x.shape)} is too short for a frame of {self.fft_length}")
        at = np.arange(count)[:, None] * self.sequence_stride + np.arange(self.fft_length) - half
        period = max(2 * (time - 1), 1)
        at = np.abs((at + time - 1) % period - (time - 1)) if time > 1 else at * 0
        return take(x, constant(at, "i32"), 1)

    def _power(self, frames: Value) -> Value:
        import numpy as np

        length = self.sequence_length or self.fft_length
        before = (self.fft_length - length) // 2
        window = np.pad(window_of(self.window, length, True), (before, self.fft_length - length - before))
        real, imag = (matmul(frames, constant(m, frames.dtype)) for m in fourier_matrices(window, self.fft_length))
        power = real * real + imag * imag
        return power if self.mag_exp == 2.0 else apply("pow", power, self.mag_exp / 2)
