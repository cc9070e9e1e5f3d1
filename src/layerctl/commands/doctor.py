"""`layerctl doctor`: the installation, the machine, and whether kernels compute what they should."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from layerctl import __version__
from layerctl.diagnostics import LayerctlError

PACKAGES = {
    "numpy": "", "numba": "", "llvmlite": "", "pydantic": "", "PyYAML": "", "typer": "", "rich": "",
    "onnx": "onnx", "onnxruntime": "onnx", "h5py": "keras", "pyarrow": "data", "pillow": "image", "optuna": "tune", "mlflow-skinny": "mlflow",
}  # fmt: skip
"""What layerctl runs with, and the extra that brings what it can do without."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what was found, whether it is as it should be (None: it says nothing), and what to do."""

    group: str
    name: str
    found: str
    ok: bool | None = None
    advice: str | None = None
    seconds: float | None = None


def doctor(threads: int | None = None) -> Iterator[Check]:
    """Looks at everything, in order."""
    yield from _installation()
    yield from _processor()
    yield from _threads(threads)
    yield from _store()
    yield from _kernels(threads)


def _installation() -> Iterator[Check]:
    yield Check("installation", "layerctl", __version__)
    python = f"{platform.python_version()} at {sys.executable}"
    yield Check("installation", "Python", python, sys.version_info >= (3, 11), "layerctl needs Python 3.11")
    yield Check("installation", "system", platform.platform())
    least = _least()
    for package, extra in PACKAGES.items():
        try:
            found = version(package)
        except PackageNotFoundError:
            cure = f"pip install 'layerctl{f'[{extra}]' if extra else ''}'"
            yield Check("installation", package, "not installed", None if extra else False, cure)
            continue
        wanted = least.get(package.lower())
        fits = wanted is None or _numbers(found) >= _numbers(wanted)
        yield Check("installation", package, found, fits, None if fits else f"layerctl needs {package} {wanted} or later")
    compiler = shlex.split(os.environ.get("CC") or "cc")[0]
    where = shutil.which(compiler)
    advice = None if where else "C exports are not checked without one; $CC names it"
    yield Check("installation", "C compiler", where or "none", None, advice)


def _least() -> dict[str, str]:
    """The least version of each package, as the installed layerctl asks for them."""
    try:
        lines = requires("layerctl") or []
    except PackageNotFoundError:
        return {}
    found = (re.match(r"([A-Za-z0-9_.-]+)[^;]*?>=\s*([0-9.]+)", line) for line in lines)
    return {m[1].lower(): m[2] for m in found if m}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", text)[:3])


def _processor() -> Iterator[Check]:
    from layerctl.kernels import target

    try:
        host = target.host()
    except LayerctlError as error:
        d = error.diagnostics[0]
        yield Check("processor", "processor", d.message, False, d.hint)
        return
    on = {f[1:] for f in host.features.split(",") if f.startswith("+")}
    told = [f for f in ("fma", "avx2", "avx512f", "avx512vl", "avx512dq", "neon", "sve") if f in on]
    yield Check("processor", "processor", f"{host.cpu} ({host.triple})", True)
    yield Check("processor", "vectors", f"{host.lanes} float32 lanes; it has {', '.join(told) or 'what its kind has'}", True)
    if os.environ.get(target.ENVIRONMENT):
        yield Check("processor", target.ENVIRONMENT, f"{os.environ[target.ENVIRONMENT]}: vectors are restricted")


def _threads(requested: int | None) -> Iterator[Check]:
    from layerctl.runtime.threads import count, limits

    found = limits()
    used = count(requested)
    why = [f"the machine has {found.cores} cores"]
    if found.allowed < found.cores:
        why.append(f"this process may use {found.allowed} of them (affinity)")
    if found.quota is not None:
        why.append(f"its control group grants {found.quota:g}")
    if requested is not None:
        why.append(f"--threads asks for {requested}")
    yield Check("threads", "threads", f"{used}: {', '.join(why)}", True)


def _store() -> Iterator[Check]:
    from layerctl.kernels import lowered
    from layerctl.kernels.contents import contents

    try:
        found = contents()
    except LayerctlError as error:
        yield Check("store", "kernel store", error.diagnostics[0].message, False)
        return
    yield Check("store", "kernel store", str(found.path or "none"), found.problem is None, found.problem)
    if found.path is not None:
        yield Check("store", "kernels", f"{found.kernels} kernels, {found.size / 1e6:.1f} MB{', writable' if found.writable else ''}")
    brought = len(lowered.brought())
    advice = "Numba lowers each kernel when it is first needed, some seconds for a model; installing layerctl again from these sources brings them"
    yield Check("store", "lowered", f"{brought or 'no'} kernels came with the package", None, None if brought else advice)
    if found.others:
        text = f"{found.others} kernels, {found.others_size / 1e6:.1f} MB, of other versions or processors"
        yield Check("store", "others", text, None, "the folder can be deleted at any time: what is needed is compiled again")


def _kernels(threads: int | None) -> Iterator[Check]:
    from layerctl.runtime.checkup import probes

    for p in probes(threads):
        text = p.error or f"{p.run * 1e6:,.0f} µs, ready in {p.ready * 1e3:,.0f} ms, {p.difference:.1e} from numpy"
        cure = None if p.ok else "delete the kernel store and run this again; if it stays so, report it with this output"
        yield Check("self-test", p.name, text, p.ok, cure, None if p.error else p.run)


def plain(check: Check) -> dict[str, Any]:
    """A check as data."""
    return {"event": "check", "group": check.group, "name": check.name, "found": check.found, "ok": check.ok, "advice": check.advice,
            "seconds": check.seconds}  # fmt: skip
