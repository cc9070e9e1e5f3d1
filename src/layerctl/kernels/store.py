"""Kernels kept as machine code: loaded in milliseconds, without Numba.

One file a kernel, in a folder whose name is the hash of all that kernels are made from: the sources of `ops/` and `kernels/`, the versions
of what compiles them, the processor. A file that is damaged or foreign is rebuilt; a folder that cannot be written to costs
time, not the run.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import tempfile
import types as python
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from numbers import Number
from pathlib import Path
from typing import Any

from layerctl.cache import cache_folder
from layerctl.kernels import selftest, target
from layerctl.ops.kernel import ColumnSums, Kernel, KernelRef, Loop, Ref

MAGIC = b"layerctl kernel 2\n"
Report = Callable[[str, int, int], None]
_LOADED: dict[str, int] = {}
_ENGINES: list[Any] = []


def folder() -> Path | None:
    """The folder of this machine's kernels: made if need be; None if it cannot be had or others may write to it."""
    base = cache_folder()
    if base is None:
        return None
    path = base / "kernels" / _generation()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path if _trusted(path.stat()) else None
    except OSError:
        return None


@dataclass(frozen=True)
class Contents:
    """What the store holds: this generation's kernels and bytes, those of all others, whether new ones can be kept; what is wrong."""

    path: Path | None
    kernels: int = 0
    size: int = 0
    others: int = 0
    others_size: int = 0
    writable: bool = False
    problem: str | None = None


def contents() -> Contents:
    """Looks into the store without loading anything."""
    base = cache_folder()
    if base is None:
        return Contents(None, problem="there is no home directory, and LAYERCTL_CACHE is not set: kernels are compiled in every run")
    here = folder()
    if here is None:
        path = base / "kernels"
        others = path.exists() and os.access(path, os.W_OK)
        why = "other users may write to it, so that nothing is loaded from there" if others else "it cannot be made or written to"
        return Contents(path, problem=f"{why}: kernels are compiled in every run; LAYERCTL_CACHE names another folder")
    sizes = {p: p.stat().st_size for p in here.parent.glob("*/*.o")}
    own = [n for p, n in sizes.items() if p.parent == here]
    writable = os.access(here, os.W_OK)
    problem = None if writable else "it cannot be written to: what is not there is compiled in every run"
    return Contents(here, len(own), sum(own), len(sizes) - len(own), sum(sizes.values()) - sum(own), writable, problem)


def _trusted(file: os.stat_result) -> bool:
    """Whether only we (or root) can have written it: what is loaded from here runs."""
    return not hasattr(os, "getuid") or (
        file.st_uid in (os.getuid(), 0) and not file.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


@functools.cache
def _generation() -> str:
    """The hash of what every kernel depends on."""
    digest = hashlib.sha256(target.host().key.encode())
    for package in ("numba", "llvmlite", "numpy"):
        try:
            digest.update(f"{package} {version(package)}\n".encode())
        except PackageNotFoundError:
            digest.update(f"{package}\n".encode())
    root = Path(__file__).parent.parent
    for part in ("ops", "kernels"):
        for path in sorted((root / part).glob("*.py")):
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


def symbol(ref: Ref) -> str:
    """The name of a kernel's entry, unique for what it computes; a kernel from outside `ops/` brings its source into it."""
    return _symbol(ref.key, ref.kernel.function if isinstance(ref, KernelRef) else None)


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
    if found and not _accept(found, read(place, selftest.NAME)):
        found = {}
    missing = [ref for name, ref in wanted.items() if name not in found]
    if missing:
        from layerctl.kernels.build import build

        fresh = selftest.object_code()
        if not found:
            keep(place, selftest.NAME, fresh)
        if not _accept(build(missing, place, report), fresh):
            raise RuntimeError("kernels compiled just now fail their self-test on this processor")


def read(place: Path | None, name: str) -> bytes | None:
    """A kernel's object code from the store; None where there is none, or none that is whole and ours."""
    if place is None:
        return None
    try:
        with open(place / f"{name}.o", "rb") as file:
            data = file.read() if _trusted(os.fstat(file.fileno())) else b""
    except OSError:
        return None
    head = MAGIC + name.encode() + b"\n"
    if not data.startswith(head):
        return None
    digest, code = data[len(head) : len(head) + 32], data[len(head) + 32 :]
    return code if hashlib.sha256(code).digest() == digest else None


def keep(place: Path | None, name: str, code: bytes) -> None:
    """Writes a kernel into the store, whole or not at all; a store that cannot be written to stays as it is."""
    if place is None:
        return
    try:
        handle, temporary = tempfile.mkstemp(dir=place, prefix=".layerctl-tmp.")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(MAGIC + name.encode() + b"\n" + hashlib.sha256(code).digest() + code)
        os.replace(temporary, place / f"{name}.o")
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def compiled(ref: Ref) -> bytes:
    """The object code of one kernel, compiled in this process."""
    if isinstance(ref, KernelRef):
        from layerctl.kernels.jit import object_code

        return object_code(ref, symbol(ref))
    from layerctl.kernels import column_sums, loops, reductions

    emitter: Any = loops if isinstance(ref, Loop) else column_sums if isinstance(ref, ColumnSums) else reductions
    return target.object_code(emitter.emit(ref, symbol(ref)))


def _accept(objects: dict[str, bytes], test: bytes | None) -> bool:
    """Links object files in memory and takes their addresses; False, and nothing is taken, if the self-test beside them fails."""
    engine = _linked([*objects.values(), test or selftest.object_code()])
    if not selftest.passes(engine.get_function_address(selftest.NAME)):
        return False
    _ENGINES.append(engine)
    _LOADED.update((name, engine.get_function_address(name)) for name in objects)
    return True


def _linked(objects: Iterable[bytes]) -> Any:
    """The code model is `small`: with `jitdefault` each object would read the first one's constants. llvmlite's own memory manager keeps an
    engine's sections together: LLVM's may put them farther apart than `small` reaches, in a process that has mapped much."""
    llvm, triple = target.binding(), target.host().triple
    maker = llvm.Target.from_triple(triple).create_target_machine(opt=0, jit=True, codemodel="small")
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(f'target triple = "{triple}"'), maker, use_lmm=True)
    for code in objects:
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def native(name: str, emit: Callable[[], str]) -> int:
    """The address of a function that the package emits itself, kept in the store like a kernel."""
    if name not in _LOADED:
        place = folder()
        code = read(place, name)
        if code is None:
            code = target.object_code(emit())
            keep(place, name, code)
        engine = _linked([code])
        _ENGINES.append(engine)
        _LOADED[name] = engine.get_function_address(name)
    return _LOADED[name]
