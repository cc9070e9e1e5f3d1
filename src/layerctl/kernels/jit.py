"""Plain kernels to LLVM IR, by Numba: the one place where it is used, and where its flags stand.

Only Numba's type inference and lowering run. Its wrappers, run time, optimiser and machine code are left out: helpers are linked in as they
are lowered, an entry that unpacks the argument block is added, and the whole module is optimised once, for the base of our target: what all
processors with as many lanes have in common, so that a module may be made elsewhere (kernels/lowered.py).
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import sys
import types as python
from collections.abc import Iterator
from typing import Any

from layerctl.kernels.target import base, binding, machine, optimise, without_names
from layerctl.limits import bounded
from layerctl.ops.kernel import Kernel, KernelRef

ALLOWED = {"memcpy", "memset", "memmove"}
OPTIONS = {"nopython": True, "nogil": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True,
           "boundscheck": False}  # fmt: skip
_UNUSED = "_ZN08NumbaEnv"
"""How the names of variables begin through which Numba's code would raise."""
_LLVM = {"f32": "float", "f64": "double", "i32": "i32", "i64": "i64", "u8": "i8"}


def module(ref: KernelRef, name: str) -> Any:
    """The optimised LLVM module of a kernel, with one entry, `name(task, tasks, block)`.

    Raises:
        TypeError: if the code is not a kernel: Numba cannot type it, or it needs something from outside (it raises, allocates, or
            calls what is no primitive).
    """
    llvm = binding()
    with _front_end() as codegen:
        library, entered = _lower(ref)
        library.finalize()
        whole = library._final_module
        whole.link_in(llvm.parse_assembly(_entry(name, entered, ref.layout, codegen)))
    for number, function in enumerate(whole.functions):
        if not function.is_declaration and function.name != name:
            # Numba's names have a counter in them, and the optimiser notes the names of what it takes apart.
            function.linkage, function.name = "internal", f"f{number}"
    for variable in whole.global_variables:
        if variable.name.startswith(_UNUSED):
            variable.linkage = "internal"
    optimise(whole, base())
    outside = {f.name for f in whole.functions if f.is_declaration and not f.name.startswith("llvm.")} - ALLOWED
    if outside:
        names = ", ".join(sorted(outside))
        raise TypeError(
            f"kernel {ref.key} needs {names}: a kernel may not raise, allocate or call what is no primitive"
        )
    return whole


def _lower(ref: KernelRef) -> tuple[Any, str]:
    """A kernel's library of unoptimised code, and the name of its function there."""
    from numba.core import compiler, errors, types
    from numba.core.registry import cpu_target

    kinds = {"f32": types.float32, "f64": types.float64, "i32": types.int32, "i64": types.int64, "u8": types.uint8}
    arguments = [types.CPointer(kinds[k[:-1]]) if k.endswith("*") else kinds[k] for k in ref.layout]
    flags = compiler.Flags()
    flags.no_cpython_wrapper = flags.no_cfunc_wrapper = flags.no_compile = True
    flags.nrt = flags.enable_pyobject = flags.boundscheck = False
    flags.error_model = OPTIONS["error_model"]
    typing, target = cpu_target.typing_context, cpu_target.target_context
    typing.refresh()
    target.refresh()
    function = linked(ref.kernel.function)
    try:
        result = compiler.compile_extra(
            typing, target, function, (types.intp, types.intp, *arguments), types.void, flags, {}
        )
    except errors.NumbaError as e:
        raise TypeError(f"kernel {ref.key} does not compile: {e}") from e
    return result.library, result.fndesc.llvm_func_name


@contextlib.contextmanager
def _front_end() -> Iterator[Any]:
    """Numba, with our code generator in the place of its own while it compiles for us; a user's own use of Numba sees nothing of it."""
    from numba.core.compiler_lock import global_compiler_lock
    from numba.core.registry import cpu_target

    _without_blas()
    with global_compiler_lock:
        context = cpu_target.target_context
        theirs, context._internal_codegen = context._internal_codegen, _codegen()
        try:
            yield context._internal_codegen
        finally:
            context._internal_codegen = theirs


@functools.cache
def _without_blas() -> None:
    """Where memory may be refused, Numba does not find scipy's OpenBLAS, which no kernel needs: that one asks again for ever."""
    if not bounded() or "scipy.linalg" in sys.modules:
        return
    sys.modules["scipy.linalg"] = None  # type: ignore[assignment]
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        del sys.modules["scipy.linalg"]


@functools.cache
def _codegen() -> Any:
    """A code generator for our target that lowers and links, and neither optimises nor makes machine code."""
    from numba.core import codegen

    class Library(codegen.JITCodeLibrary):
        def _optimize_functions(self, ll_module: Any) -> None:
            ll_module.data_layout = self._codegen._data_layout

        def _optimize_final_module(self) -> None:
            pass

        def _finalize_final_module(self) -> None:
            self._finalized = True

        def get_pointer_to_function(self, name: str) -> int:
            return 0

    class Codegen(codegen.JITCPUCodegen):
        _library_class = Library

        def _init(self, llvm_module: Any) -> None:
            super()._init(llvm_module)
            self._target_data = machine(base()).target_data
            self._data_layout = str(self._target_data)

        def _create_empty_module(self, name: str) -> Any:
            made = super()._create_empty_module(name)
            made.triple = base().triple
            return made

        def set_env(self, env_name: str, env: Any) -> None:
            pass

        def _customize_tm_features(self) -> str:
            return ""

        def _customize_tm_options(self, options: dict[str, Any]) -> None:
            options |= {"reloc": "pic", "codemodel": "small", "jit": True}

    return Codegen("layerctl")


TWINS = tuple(f"layerctl.ops.{name}" for name in ("primitives", "tiles", "transposes", "windows", "rows", "bits", "patches", "pools", "winograd"))
"""Modules of the plain twins, which are exchanged for the machine's versions."""


@functools.cache
def _primitives() -> dict[str, Any]:
    """The machine's versions of what kernels may call, from every module here that has some."""
    table: dict[str, Any] = {}
    for name in ("primitives", "tile", "transposes", "windows", "rows", "bits", "patches", "pools", "winograd"):
        if importlib.util.find_spec(f"layerctl.kernels.{name}") is not None:
            table |= importlib.import_module(f"layerctl.kernels.{name}").PRIMITIVES
    return table


def linked(function: Any) -> Any:
    """The function with the machine's primitives under their names, and its helpers as functions that Numba can compile."""
    table = _primitives()
    scope = dict(function.__globals__)
    for name in function.__code__.co_names:
        value = scope.get(name)
        if isinstance(value, Kernel):
            value = value.function
        if not isinstance(value, python.FunctionType):
            continue
        if value.__name__ in table and value.__module__ in TWINS:
            scope[name] = table[value.__name__]
        else:
            scope[name] = _helper(value)
    result = python.FunctionType(function.__code__, scope, function.__name__, function.__defaults__)
    result.__module__, result.__kwdefaults__ = function.__module__, function.__kwdefaults__
    return result


@functools.cache
def _helper(function: Any) -> Any:
    """A helper, compiled once for each signature however many kernels call it."""
    from numba.core.registry import CPUDispatcher

    return CPUDispatcher(linked(function), {}, dict(OPTIONS))


def _entry(name: str, function: str, layout: tuple[str, ...], codegen: Any) -> str:
    """`name(task, tasks, block)`: loads the block's values and calls the function, whose first two arguments Numba's callers expect.

    The call of `raise` goes in the optimiser where no path leads to it: what keeps it is a function that can raise.
    """
    lines, given, kinds = (
        ["  %row = inttoptr i64 %block to ptr"],
        ["%result", "%raised", "%task", "%tasks"],
        ["ptr", "ptr", "i64", "i64"],
    )
    for i, kind in enumerate(layout):
        lines.append(f"  %p{i} = getelementptr i64, ptr %row, i64 {i}")
        if kind.endswith("*"):
            lines += [f"  %w{i} = load i64, ptr %p{i}", f"  %a{i} = inttoptr i64 %w{i} to ptr"]
        else:
            lines.append(f"  %a{i} = load {_LLVM[kind]}, ptr %p{i}")
        given.append(f"%a{i}")
        kinds.append("ptr" if kind.endswith("*") else _LLVM[kind])
    arguments = ", ".join(f"{k} {v}" for k, v in zip(kinds, given, strict=True))
    return "\n".join([
        f'target datalayout = "{codegen._data_layout}"', f'target triple = "{base().triple}"',
        f'declare i32 @"{function}"({", ".join(kinds)})', "declare void @raise()", f'define void @"{name}"(i64 %task, i64 %tasks, i64 %block) {{',
        "  %result = alloca ptr", "  %raised = alloca ptr", *lines, f'  %status = call i32 @"{function}"({arguments})',
        "  %failed = icmp ne i32 %status, 0", "  br i1 %failed, label %raised_one, label %done", "raised_one:", "  call void @raise()",
        "  br label %done", "done:", "  ret void", "}", "",
    ])  # fmt: skip


def bitcode(ref: KernelRef, name: str) -> bytes:
    """The optimised module of a kernel as bitcode: the same bytes wherever it is made for the same lanes."""
    return without_names(module(ref, name))


def warm() -> None:
    """Imports Numba and readies its tables, which takes about half a second."""
    from numba.core.registry import cpu_target

    _primitives()
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()
