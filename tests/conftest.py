import gc
import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
sys.path.insert(0, str(Path(__file__).parent))

_MOST_MAPPINGS = 20_000
"""A process may have 65,530 pieces of memory (Linux, vm.max_map_count); what JAX compiles takes several a function."""


@pytest.fixture(autouse=True)
def _room():
    """Lets JAX forget what it compiled before the process runs out of mappings."""
    yield
    if "jax" in sys.modules:
        with open("/proc/self/maps", "rb") as maps:
            many = sum(1 for _ in maps) > _MOST_MAPPINGS
        if many:
            sys.modules["jax"].clear_caches()
            gc.collect()
