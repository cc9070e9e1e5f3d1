"""Compiles what the store lacks: in several processes where several kernels need Numba and several cores are allowed."""

from __future__ import annotations

import base64
import importlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Any

from layerctl.kernels.store import Report, compiled, keep, symbol
from layerctl.ops.kernel import KERNELS, ColumnSums, KernelRef, Loop, Reduction, Ref

WORTH_A_PROCESS = 4


def build(refs: list[Ref], place: Path | None, report: Report | None) -> dict[str, bytes]:
    """Object code of each kernel by its symbol, kept in the store where there is one.

    `report(name, done, total)` hears of each kernel as it is begun and when it is done.
    """
    jobs = _Jobs(refs, place, report)
    workers = min(_cores() - 1, len(jobs.heavy) // WORTH_A_PROCESS)
    threads = [threading.Thread(target=_in_process, args=(jobs,), daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        for ref in jobs.light:
            jobs.done(ref, compiled(ref))
        while (ref := jobs.take()) is not None:
            jobs.done(ref, compiled(ref))
        for thread in threads:
            thread.join()
        for ref in refs:
            if symbol(ref) not in jobs.out:
                jobs.done(ref, compiled(ref))
    finally:
        jobs.heavy.clear()
    return jobs.out


class _Jobs:
    """What is to be compiled, shared by this thread and those that feed other processes; the longest come first."""

    def __init__(self, refs: list[Ref], place: Path | None, report: Report | None):
        kernels = [r for r in refs if isinstance(r, KernelRef)]
        self.heavy = deque(sorted(kernels, key=lambda r: -len(r.kernel.function.__code__.co_code)))
        self.light = [r for r in refs if not isinstance(r, KernelRef)]
        self.place, self.report, self.total = place, report, len(refs)
        self.out: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def take(self) -> KernelRef | None:
        """The next kernel that needs Numba, or None."""
        with self._lock:
            if not self.heavy:
                return None
            ref = self.heavy.popleft()
            if self.report is not None:
                self.report(_shown(ref), len(self.out), self.total)
            return ref

    def done(self, ref: Ref, code: bytes) -> None:
        """Keeps a compiled kernel."""
        keep(self.place, symbol(ref), code)
        with self._lock:
            self.out[symbol(ref)] = code
            if self.report is not None:
                self.report(_shown(ref), len(self.out), self.total)


def _shown(ref: Ref) -> str:
    return ref.key if isinstance(ref, KernelRef) else type(ref).__name__.lower()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_process(jobs: _Jobs) -> None:
    """Has another process compile kernels, one at a time; what it fails to compile, or all if it ends, is left to the caller."""
    path = os.pathsep.join(p for p in sys.path if p)
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "layerctl.kernels.build"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env=os.environ | {"PYTHONPATH": path}, start_new_session=True,
        )  # fmt: skip
    except OSError:
        return
    with process:
        assert process.stdin is not None and process.stdout is not None
        try:
            while process.stdout.readline() and (ref := jobs.take()) is not None:
                process.stdin.write(json.dumps(ref_to_json(ref)) + "\n")
                process.stdin.flush()
                answer = json.loads(process.stdout.readline() or "{}")
                if answer.get("symbol") == symbol(ref):
                    jobs.done(ref, base64.b64decode(answer["code"]))
        except (OSError, ValueError):
            process.kill()


def ref_to_json(ref: Ref) -> dict[str, Any]:
    """A kernel's description as plain data, from which another process makes the same one."""
    if isinstance(ref, KernelRef):
        return {"kernel": ref.kernel.name, "module": ref.kernel.function.__module__, "dtypes": dict(ref.dtypes)}
    if isinstance(ref, ColumnSums):
        return {"inputs": ref.inputs, "instructions": ref.instructions, "outputs": ref.outputs, "sums": ref.sums}
    if isinstance(ref, Loop):
        return {"inputs": ref.inputs, "instructions": ref.instructions, "outputs": ref.outputs, "dims": ref.dims}
    return {"function": ref.function, "dtype": ref.dtype, "out_dtype": ref.out_dtype}


def ref_from_json(data: dict[str, Any]) -> Ref:
    """The kernel that `ref_to_json` described."""
    if "kernel" in data:
        importlib.import_module(data["module"])
        return KERNELS[data["kernel"]].at(**data["dtypes"])
    if "sums" in data:
        return ColumnSums(*(_tuples(data[k]) for k in ("inputs", "instructions", "outputs", "sums")))
    if "instructions" in data:
        return Loop(_tuples(data["inputs"]), _tuples(data["instructions"]), _tuples(data["outputs"]), data["dims"])
    return Reduction(data["function"], data["dtype"], data["out_dtype"])


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, (list, tuple)) else value


def main() -> None:
    """The other process: says that it is ready, then answers each line with a kernel with its symbol and object code."""
    importlib.import_module("layerctl.kernels.jit").warm()
    print("{}", flush=True)
    for line in sys.stdin:
        try:
            ref = ref_from_json(json.loads(line))
            answer = {"symbol": symbol(ref), "code": base64.b64encode(compiled(ref)).decode()}
        except (TypeError, KeyError, ImportError):
            answer = {}
        print(json.dumps(answer), flush=True)
        print("{}", flush=True)


if __name__ == "__main__":
    main()
