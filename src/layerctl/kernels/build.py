"""Compiles what the store lacks: in several processes where several kernels need Numba and several cores are allowed."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from layerctl.kernels.store import Report, _read, compiled, keep, symbol
from layerctl.ops.kernel import KERNELS, KernelRef, Ref

WORTH_A_PROCESS = 4


def build(refs: list[Ref], place: Path | None, report: Report | None) -> dict[str, bytes]:
    """Object code of each kernel by its key, kept in the store where there is one."""
    out: dict[str, bytes] = {}
    lock = threading.Lock()

    def done(ref: Ref, code: bytes) -> None:
        with lock:
            out[ref.key] = code
            if report is not None:
                report(_shown(ref), len(out), len(refs))

    heavy = [r for r in refs if isinstance(r, KernelRef)]
    light = [r for r in refs if not isinstance(r, KernelRef)]
    worker = None
    if place is not None and len(heavy) >= WORTH_A_PROCESS and _cores() > 1:
        share, heavy = heavy[1::2], heavy[0::2]
        worker = threading.Thread(target=_in_process, args=(share, place, done), daemon=True)
        worker.start()
    for ref in [*light, *heavy]:
        code = compiled(ref)
        keep(place, symbol(ref), code)
        done(ref, code)
    if worker is not None:
        worker.join()
    for ref in refs:
        if ref.key not in out:
            code = compiled(ref)
            keep(place, symbol(ref), code)
            done(ref, code)
    return out


def _shown(ref: Ref) -> str:
    return ref.key if isinstance(ref, KernelRef) else type(ref).__name__.lower()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_process(refs: list[Ref], place: Path, done: Any) -> None:
    """Has another process compile kernels into the store; what it does not finish is left to the caller."""
    rows = [[r.kernel.function.__module__, r.kernel.name, list(r.dtypes)] for r in refs if isinstance(r, KernelRef)]
    try:
        process = subprocess.Popen([sys.executable, "-m", "layerctl.kernels.build", str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)  # fmt: skip
    except OSError:
        return
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(json.dumps(rows))
        process.stdin.close()
        by_name = {symbol(r): r for r in refs}
        for line in process.stdout:
            ref = by_name.get(line.strip())
            code = _read(place, line.strip())
            if ref is not None and code is not None:
                done(ref, code)
    except OSError:
        process.kill()
    process.wait()


def main() -> None:
    """The other process: reads kernels' names as JSON, compiles each into the folder given, prints its symbol."""
    place = Path(sys.argv[1])
    for module, name, dtypes in json.load(sys.stdin):
        importlib.import_module(module)
        ref = KERNELS[name].at(**dict(dtypes))
        keep(place, symbol(ref), compiled(ref))
        print(symbol(ref), flush=True)


if __name__ == "__main__":
    main()
