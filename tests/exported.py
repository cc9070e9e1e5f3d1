"""Functions of Values in their exported forms, compiled or run: what is compared with the machine."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from layerctl.compile.differentiate import ancestors
from layerctl.export._c.file import model_part
from layerctl.export._c.graph import Graph
from layerctl.export.base import Traced
from layerctl.ops.leaves import input_
from layerctl.ops.numpy_lines import NumpyLines, texts
from layerctl.ops.value import NAMES_OF_DTYPES, Trace, Type, product, tracing

STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]
SANITIZED = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
INCLUDES = "".join(f"#include <{h}.h>\n" for h in ("float", "math", "stdint", "stdio", "stdlib", "string"))
MODEL: Any = SimpleNamespace(weights={}, spec=SimpleNamespace(name="t", data=None), graph=SimpleNamespace(steps=[], inputs={}), schema=None)


def traced(function: Callable[..., Any], *arrays: np.ndarray) -> Traced:
    """A function of Values as a model without weights."""
    with tracing(Trace(training=False)):
        inputs = {f"x{i}": input_(f"x{i}", Type(tuple(a.shape), NAMES_OF_DTYPES[str(a.dtype)])) for i, a in enumerate(arrays)}
        result = function(*inputs.values())
        results = list(result) if isinstance(result, (list, tuple)) else [result]
    return Traced(MODEL, inputs, {f"y{i}": v for i, v in enumerate(results)}, {})


def in_c(function: Callable[..., Any], *arrays: np.ndarray, flags: tuple[str, ...] = ("-O2",)) -> list[np.ndarray]:
    """The results by the C form, as float32; AssertionError for what has none."""
    made = traced(function, *arrays)
    graph = Graph(MODEL, made.outputs)
    assert not graph.problems, [d.message for d in graph.problems.values()]
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "t.c", Path(folder) / "t.so"
        source.write_text(INCLUDES + "\n" + f"int t_predict({', '.join(_parameters(made))});\n\n" + model_part(made, "t", graph))
        subprocess.run(["cc", *STRICT, *flags, "-shared", "-fPIC", "-o", str(library), str(source), "-lm"], check=True)
        outs = [np.empty(int(product(v.shape)), np.float32) for v in made.outputs.values()]
        given = [np.ascontiguousarray(a.astype(np.uint8) if a.dtype == bool else a) for a in arrays]
        code = ctypes.CDLL(str(library)).t_predict(*(ctypes.c_void_p(a.ctypes.data) for a in [*given, *outs]))
    assert code == 0
    return [o.reshape(tuple(map(int, v.shape))) for o, v in zip(outs, made.outputs.values(), strict=True)]


def _parameters(made: Traced) -> list[str]:
    from layerctl.export._c.functions import C_TYPES

    return [*(f"const {C_TYPES[v.dtype]} *in_{n}" for n, v in made.inputs.items()), *(f"float *out_{n}" for n in made.outputs)]


def in_numpy(function: Callable[..., Any], *arrays: np.ndarray) -> list[np.ndarray]:
    """The results by the numpy form; NoForm for what has none."""
    made = traced(function, *arrays)
    lines = NumpyLines({})
    for node in ancestors(made.outputs.values()):
        lines.node(node)
    scope: dict[str, Any] = {"np": np, "x": {f"x{i}": a for i, a in enumerate(arrays)}, "w": lines.arrays}
    with np.errstate(all="ignore"):
        exec("\n".join([*texts(), *lines.lines]), scope)
        return [np.asarray(eval(lines.name(v), scope)) for v in made.outputs.values()]
