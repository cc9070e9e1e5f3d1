"""Kernels kept as machine code: loaded in milliseconds, without Numba.

One file a kernel, in a folder whose name is the hash of all that kernels are made from: the sources of `ops/` and `kernels/`, the versions
of what compiles them, the processor. A file that is damaged or foreign is rebuilt; a folder that cannot be written to costs
time, not the run.
"""

from __future__ import annotations

import functools
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from layerctl.cache import cache_folder
from layerctl.kernels import target
from layerctl.ops.kernel import KernelRef, Loop, Ref

MAGIC = b"layerctl kernel 1\n"
Report = Callable[[str, int, int], None]
_LOADED: dict[str, int] = {}
_ENGINES: list[Any] = []
_OBJECTS: dict[str, bytes] = {}


def folder() -> Path | None:
    """The folder of this machine's kernels: made if need be; None if it cannot be trusted or written to."""
    base = cache_folder()
    if base is None:
        return None
    path = base / "kernels" / _generation()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = path.stat()
    except OSError:
        return None
    if hasattr(os, "getuid") and (owner.st_uid != os.getuid() or owner.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        return None
    return path


@functools.cache
def _generation() -> str:
    digest = hashlib.sha256(target.host().key.encode())
    for package in ("numba", "llvmlite"):
        digest.update(version(package).encode())
    root = Path(__file__).parent.parent
    for part in ("ops", "kernels"):
        for path in sorted((root / part).glob("*.py")):
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


def symbol(ref: Ref) -> str:
    """The name of a kernel's entry, unique for what it computes."""
    return "k" + hashlib.sha256(ref.key.encode()).hexdigest()[:24]


def addresses(refs: Sequence[Ref], report: Report | None = None) -> dict[str, int]:
    """The address of each kernel by its key; what is not loaded comes from the store, and what is not there is compiled."""
    wanted = {ref.key: ref for ref in refs if ref.key not in _LOADED}
    if wanted:
        place = folder()
        objects = {key: code for key, ref in wanted.items() if (code := _read(place, symbol(ref))) is not None}
        missing = [ref for key, ref in wanted.items() if key not in objects]
        if missing:
            from layerctl.kernels.build import build

            objects |= build(missing, place, report)
        _load({key: (symbol(ref), objects[key]) for key, ref in wanted.items()})
    return {ref.key: _LOADED[ref.key] for ref in refs}


def _read(place: Path | None, name: str) -> bytes | None:
    if place is None:
        return None
    try:
        data = (place / f"{name}.o").read_bytes()
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
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(MAGIC + name.encode() + b"\n" + hashlib.sha256(code).digest() + code)
            os.replace(temporary, place / f"{name}.o")
        except OSError:
            os.unlink(temporary)
    except OSError:
        return


def compiled(ref: Ref) -> bytes:
    """The object code of one kernel, compiled in this process."""
    if isinstance(ref, KernelRef):
        from layerctl.kernels.jit import object_code

        return object_code(ref, symbol(ref))
    from layerctl.kernels import loops, reductions

    return target.object_code((loops if isinstance(ref, Loop) else reductions).emit(ref, symbol(ref)))


def _load(objects: dict[str, tuple[str, bytes]]) -> None:
    llvm = target.binding()
    module = llvm.parse_assembly(f'target triple = "{target.host().triple}"')
    engine = llvm.create_mcjit_compiler(
        module, llvm.Target.from_triple(target.host().triple).create_target_machine(opt=0, jit=True, codemodel="small")
    )
    _ENGINES.append(engine)
    for _, code in objects.values():
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    for key, (name, _) in objects.items():
        _LOADED[key] = engine.get_function_address(name)


def native(name: str, emit: Callable[[], str]) -> int:
    """The address of a function that the package emits itself, kept in the store like a kernel."""
    if name not in _LOADED:
        place = folder()
        code = _read(place, name)
        if code is None:
            code = target.object_code(emit())
            keep(place, name, code)
        _load({name: (name, code)})
    return _LOADED[name]
