"""Examples of ops: `EXAMPLES` in the files below tests/ops, by name (a function of Values, the arrays that it takes)."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np

Example = tuple[Callable[..., Any], *tuple[np.ndarray, ...]]
RNG = np.random.default_rng(5)


def f32(*shape: int) -> np.ndarray:
    """Normal numbers."""
    return RNG.standard_normal(shape).astype(np.float32)


def ids(high: int, *shape: int) -> np.ndarray:
    """Whole numbers, some outside on both sides."""
    return RNG.integers(-1, high + 1, shape).astype(np.int32)


def examples() -> dict[str, Example]:
    """Those of all files."""
    found: dict[str, Example] = {}
    for path in sorted((Path(__file__).parent / "ops").glob("test_*.py")):
        if "\nEXAMPLES = {" not in path.read_text(encoding="utf-8"):
            continue
        spec = spec_from_file_location(f"examples_of_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        own = module.EXAMPLES
        assert not found.keys() & own.keys(), f"{path.name} repeats {sorted(found.keys() & own.keys())}"
        found |= own
    return found
