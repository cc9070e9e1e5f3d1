"""Functions of Values as C, compiled and called: the exported form of ops beside the machine's."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from layerctl.export._c.file import _model
from layerctl.export._c.graph import Graph
from layerctl.export.base import Traced
from layerctl.ops.leaves import input_
from layerctl.ops.value import DTYPES, NAMES_OF_DTYPES, Trace, Type, product, tracing

FLAGS = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1"]
INCLUDES = "".join(f"#include <{h}.h>\n" for h in ("float", "math", "stdint", "stdio", "stdlib", "string"))


def text_of(function: Callable[..., Any], *arrays: np.ndarray) -> tuple[str, Traced]:
    """The C file of a function, with one predict function; raises AssertionError for what has no form."""
    with tracing(Trace(training=False)):
        inputs = {f"x{i}": input_(f"x{i}", Type(tuple(a.shape), NAMES_OF_DTYPES[str(a.dtype)])) for i, a in enumerate(arrays)}
        result = function(*inputs.values())
        results = list(result) if isinstance(result, (list, tuple)) else [result]
    model: Any = SimpleNamespace(weights={}, spec=SimpleNamespace(name="t", data=None), graph=SimpleNamespace(steps=[], inputs={}), schema=None)
    traced = Traced(model, inputs, {f"y{i}": v for i, v in enumerate(results)}, {})
    graph = Graph(model, traced.outputs)
    assert not graph.problems, [d.message for d in graph.problems.values()]
    return INCLUDES + "\n" + _model(traced, "t", graph), traced


def in_c(function: Callable[..., Any], *arrays: np.ndarray) -> list[np.ndarray]:
    """The results of a function of Values, computed by its C form; whatever their dtype, as float32."""
    text, traced = text_of(function, *arrays)
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "t.c", Path(folder) / "t.so"
        source.write_text(text)
        subprocess.run(["cc", *FLAGS, "-shared", "-fPIC", "-o", str(library), str(source), "-lm"], check=True)
        outs = [np.empty(int(product(v.shape)), np.float32) for v in traced.outputs.values()]
        given = [np.ascontiguousarray(a.astype(np.uint8) if a.dtype == bool else a) for a in arrays]
        code = ctypes.CDLL(str(library)).t_predict(*(ctypes.c_void_p(a.ctypes.data) for a in [*given, *outs]))
    assert code == 0
    return [o.reshape(tuple(map(int, v.shape))) for o, v in zip(outs, traced.outputs.values(), strict=True)]


__all__ = ["DTYPES", "in_c", "text_of"]
