"""The geometry of a convolution, and how its outputs are cut where sums run over all of them."""

from __future__ import annotations

from dataclasses import dataclass

from layerctl.ops.matmul_kernels import MOST_PARTIAL

Sizes = tuple[int, int, int]
CHAIN = 4096
"""Outputs that one chunk of the weights' gradient should have at most."""


@dataclass(frozen=True)
class Window:
    """A convolution's geometry in three dimensions: input and output sizes, kernel, strides, dilation, padding before each."""

    size: Sizes
    out: Sizes
    kernel: Sizes
    strides: Sizes
    dilation: Sizes
    before: Sizes

    @property
    def padded(self) -> Sizes:
        """Sizes that hold every window."""
        return tuple(
            max((o - 1) * s + (k - 1) * d + 1, n + b)
            for o, s, k, d, n, b in zip(
                self.out, self.strides, self.kernel, self.dilation, self.size, self.before, strict=True
            )
        )  # type: ignore[return-value]

    @property
    def taps(self) -> int:
        """Elements of the kernel."""
        return self.kernel[0] * self.kernel[1] * self.kernel[2]

    @property
    def pointwise(self) -> bool:
        """Whether every output is of the one input at its place."""
        return self.taps == 1 and self.size == self.out and self.strides == (1, 1, 1) and not any(self.before)


def chunks_of_lines(lines: int, rows: int, n: int) -> int:
    """Into how many chunks of lines the outputs (`rows` of them) are cut for the gradient of n weights: by shapes alone."""
    wanted = max(-(-rows // CHAIN), 8 if n < MOST_PARTIAL // 256 else 2)
    return max(1, min(lines, wanted, MOST_PARTIAL // n))
