"""The base of initializers: what fills a weight before training."""

from __future__ import annotations

from typing import Any, ClassVar

from layerctl.configured import Configured


class Initializer(Configured):
    """Called with a shape and a key (from the model's seed and the weight's path), gives a float64 numpy array."""

    kind: ClassVar[str] = "initializers"

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        """Values of the weight, float64, of `shape`. The same key gives the same values on every machine."""
        raise TypeError(f"{type(self).__name__} has no rule")

    def check(self, shape: tuple[int, ...]) -> None:
        """Looks at the shape of a weight before there are numbers.

        Raises:
            ValueError: if it cannot fill such a weight.
        """

    def key(self, key: int) -> int:
        """The key to draw with: the initializer's own seed where it has one."""
        seed = getattr(self, "seed", None)
        if seed is None:
            return key
        from layerctl.randoms import key_of

        return key_of("initializer", seed)
