"""Compiles what the store lacks: in several processes where it is worth it and several cores are allowed."""

from __future__ import annotations

import base64
import contextlib
import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Any

from layerctl.kernels import lowered, target
from layerctl.kernels.store import Report, compiled, keep, symbol
from layerctl.ops.kernel import KERNELS, ColumnSums, KernelRef, Loop, Reduction, Ref

WORTH_A_PROCESS = 0.5
EMITTED, FINISHED_BYTE, LOWERED_BYTE = 0.015, 4e-6, 1e-3
"""Seconds on one core, about: of what is emitted, of a byte of bitcode, of a byte of Python's code through Numba."""
AHEAD = 2
"""Kernels that another process has been told of: it never waits for the next one."""


def build(refs: list[Ref], place: Path | None, report: Report | None) -> dict[str, bytes]:
    """Object code of each kernel by its symbol, kept in the store where there is one.

    `report(name, done, total)` hears of each kernel as it is begun and when it is done.
    """
    jobs = _Jobs(refs, place, report)
    workers = min(cores() - 1, int(jobs.seconds / WORTH_A_PROCESS))
    threads = [threading.Thread(target=_in_process, args=(jobs,), daemon=True) for _ in range(workers)]
    with contextlib.suppress(RuntimeError):  # the system lets no thread be started: this one does it all
        for thread in threads:
            thread.start()
    try:
        while (ref := jobs.take()) is not None:
            jobs.done(ref, compiled(ref))
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        for ref in refs:
            if symbol(ref) not in jobs.out:
                jobs.done(ref, compiled(ref))
    except BaseException:
        jobs.abandon()
        raise
    return jobs.out


def _seconds(ref: Ref) -> float:
    """What compiling a kernel takes, about."""
    if not isinstance(ref, KernelRef):
        return EMITTED
    brought = lowered.find(symbol(ref))
    return FINISHED_BYTE * len(brought) if brought is not None else LOWERED_BYTE * len(ref.kernel.function.__code__.co_code)


class _Jobs:
    """What is to be compiled, shared by this thread and those that feed other processes; the longest come first."""

    def __init__(self, refs: list[Ref], place: Path | None, report: Report | None):
        found = sorted(((_seconds(ref), i) for i, ref in enumerate(refs)), key=lambda x: (-x[0], x[1]))
        self.seconds = sum(seconds for seconds, _ in found)
        self.waiting = deque(refs[i] for _, i in found)
        self.numba = any(isinstance(ref, KernelRef) and lowered.find(symbol(ref)) is None for ref in refs)
        self.place, self.report, self.total = place, report, len(refs)
        self.out: dict[str, bytes] = {}
        self.processes: list[subprocess.Popen] = []
        self._lock = threading.Lock()

    def take(self) -> Ref | None:
        """The next kernel, or None."""
        with self._lock:
            if not self.waiting:
                return None
            ref = self.waiting.popleft()
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

    def abandon(self) -> None:
        """Nothing more is compiled: the other processes end, whatever they are at."""
        self.waiting.clear()
        for process in self.processes:
            process.kill()


def _shown(ref: Ref) -> str:
    return ref.key if isinstance(ref, KernelRef) else type(ref).__name__.lower()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_process(jobs: _Jobs) -> None:
    """Has another process compile kernels; what it fails to compile, or all if it ends, is left to the caller."""
    path = os.pathsep.join(p for p in sys.path if p)
    command = [sys.executable, "-P", "-m", "layerctl.kernels.build", *(["numba"] if jobs.numba else [])]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}, start_new_session=True,
        )  # fmt: skip
    except OSError:
        return
    jobs.processes.append(process)
    with process:
        assert process.stdin is not None and process.stdout is not None
        told: deque[Ref] = deque()
        try:
            if process.stdout.readline() != READY:
                return
            while True:
                while len(told) < AHEAD and (ref := jobs.take()) is not None:
                    told.append(ref)
                    process.stdin.write(json.dumps({**ref_to_json(ref), "symbol": symbol(ref)}) + "\n")
                    process.stdin.flush()
                if not told:
                    return
                answer, ref = json.loads(process.stdout.readline() or "{}"), told.popleft()
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


READY = "ready\n"
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def main(arguments: list[str]) -> None:
    """The other process: says that it is ready, then answers each line with a kernel with its symbol and object code."""
    _end_with_the_caller()
    if "numba" in arguments:
        importlib.import_module("layerctl.kernels.jit").warm()
    target.binding()
    print(READY, end="", flush=True)
    for line in sys.stdin:
        try:
            answer = _answer(json.loads(line))
        except (TypeError, KeyError, ImportError):
            answer = {}
        print(json.dumps(answer), flush=True)


def _end_with_the_caller() -> None:
    """Where the system can: a process that has no memory to import Numba with may not come to read that nobody asks any more."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, int(signal.SIGKILL))


def _answer(asked: dict[str, Any]) -> dict[str, str]:
    """A kernel's object code; what declares it is imported only where it has to be lowered."""
    brought = lowered.find(asked["symbol"])
    if brought is not None:
        name, code = asked["symbol"], target.finished(brought)
    else:
        ref = ref_from_json(asked)
        name, code = symbol(ref), compiled(ref)
    return {"symbol": name, "code": base64.b64encode(code).decode()}


if __name__ == "__main__":
    main(sys.argv[1:])
