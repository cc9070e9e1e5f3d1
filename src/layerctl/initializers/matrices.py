"""Orthogonal and identity matrices."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from layerctl.initializers.base import Initializer


class Orthogonal(Initializer):
    """An orthogonal matrix times `gain`, from the QR factors of a normal one (Saxe et al. 2014). Leading dimensions count as rows.

    The factors are our own modified Gram-Schmidt in float64, twice over, so that the bits do not depend on a LAPACK.
    """

    aliases: ClassVar[tuple[str, ...]] = ("OrthogonalInitializer",)

    gain: float = Field(1.0, description="The factor.")
    seed: int | None = Field(None, description="Its own seed.")

    def check(self, shape: tuple[int, ...]) -> None:
        if len(shape) < 2:
            raise ValueError(f"an orthogonal matrix has at least two dimensions, got {shape}")

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        import numpy as np

        from layerctl import randoms

        rows, columns = int(np.prod(shape[:-1])), shape[-1]
        tall, narrow = max(rows, columns), min(rows, columns)
        q = np.ascontiguousarray(randoms.normal(self.key(key), tall * narrow).reshape(tall, narrow).T)
        for _ in range(2):
            for i in range(narrow):
                for j in range(i):
                    q[i] -= _dot(q[j], q[i]) * q[j]
                q[i] /= np.sqrt(_dot(q[i], q[i]))
        q = q.T if rows >= columns else q
        return (self.gain * q).reshape(shape)


def _dot(a: Any, b: Any) -> float:
    from layerctl.randoms import total

    return total(a * b)


class Identity(Initializer):
    """The identity matrix times `gain`."""

    aliases: ClassVar[tuple[str, ...]] = ("IdentityInitializer",)

    gain: float = Field(1.0, description="The factor.")

    def check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 2:
            raise ValueError(f"an identity matrix has two dimensions, got {shape}")

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        import numpy as np

        return self.gain * np.eye(*shape)
