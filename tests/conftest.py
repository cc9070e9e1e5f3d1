import gc
import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")  # compiled for one call: half the time
os.environ.pop("PYTHONUNBUFFERED", None)  # the command's streams are kept back in the tests as they are at a user's
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
