"""Lowers the kernels that the package brings: `python -m layerctl.commands.lowered`, for this machine and beside the sources unless told otherwise.

An installation does it (hatch_build.py): a wheel has the kernels of all processors of the architecture that it is built on, or of the targets it
is told (x86_64-unknown-linux-gnu:8, aarch64-unknown-linux-gnu:4), of which this one need be none.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import pkgutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from layerctl.kernels import lowered, target
from layerctl.kernels.build import cores, ref_from_json, ref_to_json
from layerctl.kernels.store import symbol
from layerctl.ops.kernel import KERNELS, KernelRef

PACKAGES = ("layerctl.ops", "layerctl.data.native")
"""Where kernels are declared."""
USUAL_LANES = {"x86_64": (16, 8), "aarch64": (4,)}
"""Those that processors have; fewer are a restriction that somebody asks for."""


def usual(only: Sequence[str] = ("",)) -> list[KernelRef]:
    """Every kernel of the package whose name begins as one of `only`, for the dtypes that it is often called for; the longest first."""
    for package in PACKAGES:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            importlib.import_module(f"{package}.{module.name}")
    declared = [k for k in KERNELS.values() if k.function.__module__.startswith(PACKAGES) and k.name.startswith(tuple(only))]
    found = [ref for kernel in sorted(declared, key=lambda k: k.name) for ref in kernel.usual()]
    return sorted(found, key=lambda ref: -len(ref.kernel.function.__code__.co_code))


def lower(base: target.Target, refs: Sequence[KernelRef], processes: int) -> dict[str, bytes]:
    """Bitcode by symbols, in the order of `refs`, made in processes that take the base for their machine."""
    start = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, start, target.pretend, (base,)) as pool:
        return dict(pool.map(_lowered, map(ref_to_json, refs)))


def _lowered(described: dict[str, object]) -> tuple[str, bytes]:
    from layerctl.kernels.jit import bitcode

    ref = ref_from_json(described)
    if not isinstance(ref, KernelRef):
        raise TypeError("only plain kernels are lowered")
    return symbol(ref), bitcode(ref, symbol(ref))


def wanted(targets: Sequence[str], architecture: bool) -> list[target.Target]:
    """The bases of targets; without any, this machine's, or all that kernels are usually made for on its architecture."""
    if targets:
        return [target.based(triple, int(lanes)) for triple, _, lanes in (text.rpartition(":") for text in targets)]
    if not architecture:
        return [target.base()]
    here = target.host()
    return [target.based(here.triple, lanes) for lanes in USUAL_LANES[here.architecture]]


def main() -> None:
    """Writes a file for each target."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=lowered.FOLDER, help="the folder of the files")
    options.add_argument("--only", action="append", help="how the names of kernels begin; may be given several times")
    options.add_argument("--architecture", action="store_true", help="for all processors of this machine's architecture")
    options.add_argument("targets", nargs="*", metavar="TRIPLE:LANES")
    given = options.parse_args()
    refs = usual(given.only or [""])
    for base in wanted(given.targets, given.architecture):
        path = lowered.path_for(base, given.out)
        lowered.write(path, base, lower(base, refs, cores()))
        print(f"{path.name}: {len(refs)} kernels, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
