"""layerctl: neural networks from YAML, on a small compiler of native kernels."""

from __future__ import annotations

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than all else that `--version` needs
if TYPE_CHECKING:
    from typing import Any

    from layerctl.api import Model, load

__version__ = "0.1.0"
__all__ = ["Model", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """`Model` and `load`, imported when they are first asked for."""
    if name in ("Model", "load"):
        import importlib

        return getattr(importlib.import_module("layerctl.api"), name)
    raise AttributeError(f"module 'layerctl' has no attribute {name!r}")
