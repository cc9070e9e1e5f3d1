"""Plain kernels to LLVM IR, by Numba: the one place where it is used, and where its flags stand.

Only Numba's type inference, lowering and optimiser run. Its own loading, wrappers and run time are left out: the entry that unpacks
the argument block is written as IR, and the object file is made by `target.object_code`.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import types as python
from typing import Any

from layerctl.kernels.target import host
from layerctl.ops.kernel import Kernel, KernelRef

ALLOWED = {"memcpy", "memset", "memmove"}
_LLVM = {"f32": "float", "f64": "double", "i32": "i32", "i64": "i64", "u8": "i8"}


def numba() -> Any:
    """Numba, set to compile for the host target. Importing it takes about half a second."""
    target = host()
    os.environ.setdefault("NUMBA_CPU_NAME", target.cpu)
    os.environ.setdefault("NUMBA_CPU_FEATURES", target.features)
    import numba as module

    return module


def llvm_ir(ref: KernelRef, name: str) -> str:
    """The module of a kernel: an entry `name(task, tasks, block)` and the compiled function it calls.

    Raises:
        TypeError: if the code needs anything from outside (it raises, allocates, or calls what is no primitive).
    """
    nb = numba()
    from numba.core import compiler
    from numba.core.registry import cpu_target

    kinds = {"f32": nb.float32, "f64": nb.float64, "i32": nb.int32, "i64": nb.int64, "u8": nb.uint8}
    arguments = [nb.types.CPointer(kinds[k[:-1]]) if k.endswith("*") else kinds[k] for k in ref.layout]
    flags = compiler.Flags()
    flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    flags.nrt = flags.enable_pyobject = flags.boundscheck = False
    flags.error_model = "numpy"
    typing, target = cpu_target.typing_context, cpu_target.target_context
    typing.refresh()
    target.refresh()
    function = _linked(ref.kernel.function, {})
    result = compiler.compile_extra(typing, target, function, (nb.intp, nb.intp, *arguments), nb.void, flags, {})
    text = result.library.get_llvm_str()
    _check(text, ref)
    return text + _entry(name, result.fndesc.llvm_func_name, ref.layout)


@functools.cache
def _primitives() -> dict[str, Any]:
    """The machine's versions of what kernels may call, from every module here that has some."""
    table: dict[str, Any] = {}
    for module in ("primitives", "tile"):
        if importlib.util.find_spec(f"layerctl.kernels.{module}") is not None:
            table |= importlib.import_module(f"layerctl.kernels.{module}").PRIMITIVES
    return table


def _linked(function: Any, done: dict[int, Any]) -> Any:
    """The function with the machine's primitives under their names, and its helpers compiled with it."""
    table = _primitives()
    scope = dict(function.__globals__)
    for name in function.__code__.co_names:
        value = scope.get(name)
        if isinstance(value, Kernel):
            value = value.function
        if not isinstance(value, python.FunctionType):
            continue
        if value.__name__ in table and value.__module__ in ("layerctl.ops.primitives", "layerctl.ops.tiles"):
            scope[name] = table[value.__name__]
        elif value.__module__.startswith("layerctl."):
            if id(value) not in done:
                done[id(value)] = numba().njit(error_model="numpy", nogil=True, inline="never")(_linked(value, done))
            scope[name] = done[id(value)]
    linked = python.FunctionType(function.__code__, scope, function.__name__, function.__defaults__)
    linked.__module__ = function.__module__
    return linked


def _check(text: str, ref: KernelRef) -> None:
    outside = set(re.findall(r"^declare [^@]*@\"?([\w.]+)", text, re.MULTILINE))
    wrong = {n for n in outside if not n.startswith("llvm.") and n not in ALLOWED}
    if wrong:
        raise TypeError(
            f"kernel {ref.key} needs {', '.join(sorted(wrong))}: a kernel may not raise, allocate or call what is no primitive"
        )


def _entry(name: str, function: str, layout: tuple[str, ...]) -> str:
    lines = [
        f'\ndefine void @"{name}"(i64 %task, i64 %tasks, i64 %block) {{',
        "  %result = alloca ptr", "  %raised = alloca ptr", "  %row = inttoptr i64 %block to ptr",
    ]  # fmt: skip
    given = ["ptr %result", "ptr %raised", "i64 %task", "i64 %tasks"]
    for i, kind in enumerate(layout):
        lines.append(f"  %p{i} = getelementptr i64, ptr %row, i64 {i}")
        if kind.endswith("*"):
            lines += [f"  %w{i} = load i64, ptr %p{i}", f"  %a{i} = inttoptr i64 %w{i} to ptr"]
            given.append(f"ptr %a{i}")
        else:
            lines.append(f"  %a{i} = load {_LLVM[kind]}, ptr %p{i}")
            given.append(f"{_LLVM[kind]} %a{i}")
    return "\n".join([*lines, f'  %status = call i32 @"{function}"({", ".join(given)})', "  ret void", "}", ""])
