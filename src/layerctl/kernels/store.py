"""Kernels kept as machine code: loaded in milliseconds, without Numba.

One file a kernel, in a folder whose name is the hash of all that kernels are made from: the sources of `ops/` and `kernels/`, the versions
of what compiles them, the processor. A file that is damaged or foreign is rebuilt; a folder that cannot be written to costs
time, not the run.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import types as python
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerctl.kernels import lowered, selftest, shelf, target
from layerctl.kernels.elf import Unlinkable, link
from layerctl.kernels.mapped import mapped
from layerctl.kernels.shelf import keep, read
from layerctl.kernels.versions import signature, sources

if TYPE_CHECKING:
    from layerctl.ops.kernel import KernelRef, Ref

Report = Callable[[str, int, int], None]
_LOADED: dict[str, int] = {}


def folder() -> Path | None:
    """The folder of this machine's kernels: made if need be; None if it cannot be had or others may write to it."""
    return shelf.place("kernels", generation())


@functools.cache
def generation() -> str:
    """The hash of what every kernel depends on."""
    digest = hashlib.sha256(target.host().key.encode())
    for package in ("numba", "llvmlite", "numpy"):
        digest.update(signature(package))
    digest.update(sources().encode())
    return digest.hexdigest()[:24]


def symbol(ref: Ref) -> str:
    """The name of a kernel's entry, unique for what it computes; a kernel from outside `ops/` brings its source into it."""
    return _symbol(ref.key, getattr(getattr(ref, "kernel", None), "function", None))


def symbol_of(key: str) -> str:
    """The same for a kernel of `ops/`, by its key alone: whoever calls one need not import what declares it."""
    return _symbol(key, None)


@functools.lru_cache(maxsize=4096)
def _symbol(key: str, function: Any) -> str:
    digest = hashlib.sha256(key.encode())
    for part in _foreign(function, set()) if function is not None else ():
        digest.update(part)
    return "k" + digest.hexdigest()[:24]


def _foreign(function: Any, seen: set[Any]) -> Iterator[bytes]:
    """The code and constants of a function and all that it calls, as far as they are not of `ops/`, which the folder's name covers."""
    if function in seen or function.__module__.startswith(("layerctl.ops.", "layerctl.kernels.")):
        return
    from layerctl.ops.kernel import Kernel

    seen.add(function)
    code = function.__code__
    yield f"{code.co_name} {code.co_varnames} {code.co_names} {code.co_consts} {function.__defaults__}".encode()
    yield code.co_code
    for name in code.co_names:
        value = function.__globals__.get(name)
        value = value.function if isinstance(value, Kernel) else value
        if isinstance(value, python.FunctionType):
            yield from _foreign(value, seen)
        elif isinstance(value, (Number, str, tuple)):
            yield f"{name}={value!r}".encode()


def addresses(refs: Sequence[Ref], report: Report | None = None) -> dict[str, int]:
    """The address of each kernel by its key; what is not loaded comes from the store, and what is not there is compiled.

    `report(name, done, total)` is told before and after each kernel that has to be compiled, possibly from other threads.
    """
    wanted = {symbol(ref): ref for ref in refs}
    load({name: ref for name, ref in wanted.items() if name not in _LOADED}, report)
    return {ref.key: _LOADED[name] for name, ref in wanted.items()}


def load(wanted: dict[str, Ref], report: Report | None = None) -> None:
    """Loads kernels by their symbols. Where the self-test of what the store held fails, all of it is compiled again.

    Raises:
        RuntimeError: if the self-test fails for kernels that were compiled just now.
    """
    place = folder() if wanted else None
    found = {name: code for name in wanted if (code := read(place, name)) is not None}
    test = read(place, selftest.NAME)
    if found and not _accept(found, test or _fresh_test(place)):
        found = {}
    missing = [ref for name, ref in wanted.items() if name not in found]
    if missing:
        from layerctl.kernels.build import build

        fresh = _fresh_test(place)
        if not _accept(build(missing, place, report), fresh):
            raise RuntimeError("kernels compiled just now fail their self-test on this processor")


def _fresh_test(place: Path | None) -> bytes:
    """The self-test, compiled in this process and kept."""
    code = selftest.object_code()
    keep(place, selftest.NAME, code)
    return code


def compiled(ref: Ref) -> bytes:
    """The object code of one kernel, compiled in this process."""
    from layerctl.ops.kernel import ColumnSums, KernelRef, Loop

    if isinstance(ref, KernelRef):
        name = symbol(ref)
        return target.finished(lowered.find(name) or _lower(ref, name))
    from layerctl.kernels import column_sums, loops, reductions

    emitter: Any = loops if isinstance(ref, Loop) else column_sums if isinstance(ref, ColumnSums) else reductions
    return target.object_code(emitter.emit(ref, symbol(ref)))


def _lower(ref: KernelRef, name: str) -> bytes:
    """What Numba and the optimiser make of a kernel that the package does not bring."""
    from layerctl.kernels.jit import bitcode

    return bitcode(ref, name)


def _accept(objects: dict[str, bytes], test: bytes) -> bool:
    """Links object files in memory and takes their addresses; False, and nothing is taken, if the self-test beside them fails."""
    held, found = _linked({**objects, selftest.NAME: test})
    if not selftest.passes(found[selftest.NAME]):
        return False
    _hold(held)
    _LOADED.update((name, found[name]) for name in objects)
    return True


def _hold(code: Any) -> None:
    """Keeps loaded code in memory until the process ends: threads may run it while the interpreter lets go of every module's objects."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(code))


def _linked(objects: Mapping[str, bytes]) -> tuple[Any, dict[str, int]]:
    """Object files by their symbols, ready to run: (what keeps them in memory, addresses). By our own code where it can, else by LLVM."""
    try:
        block = link(objects)
        found = mapped(block)
    except Unlinkable:
        found = None
    if found is None:
        return linked_by_llvm(objects)
    held, start = found
    return held, {name: start + block.entries[name] for name in objects}


def linked_by_llvm(objects: Mapping[str, bytes]) -> tuple[Any, dict[str, int]]:
    """The same by llvmlite. The code model is `small`: with `jitdefault` each object would read the first one's constants. llvmlite's own
    memory manager keeps an engine's sections together: LLVM's may put them farther apart than `small` reaches, in a process that has mapped
    much."""
    llvm, triple = target.binding(), target.host().triple
    maker = llvm.Target.from_triple(triple).create_target_machine(opt=0, jit=True, codemodel="small")
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(f'target triple = "{triple}"'), maker, use_lmm=True)
    for code in objects.values():
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine, {name: engine.get_function_address(name) for name in objects}


def known(names: Sequence[str]) -> dict[str, int] | None:
    """The addresses of what was compiled before, by symbols; None if the store lacks one of them. Never compiles."""
    wanted = [name for name in dict.fromkeys(names) if name not in _LOADED]
    if wanted:
        place = folder()
        found = {name: code for name in wanted if (code := read(place, name)) is not None}
        test = read(place, selftest.NAME)
        if len(found) < len(wanted) or test is None or not _accept(found, test):
            return None
    return {name: _LOADED[name] for name in names}


def native(name: str, emit: Callable[[], str]) -> int:
    """The address of a function that the package emits itself, kept in the store like a kernel."""
    if name not in _LOADED:
        place = folder()
        code = read(place, name)
        if code is None:
            code = target.object_code(emit())
            keep(place, name, code)
        held, found = _linked({name: code})
        _hold(held)
        _LOADED[name] = found[name]
    return _LOADED[name]
