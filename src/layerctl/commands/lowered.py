"""Lowers the kernels that the package brings: `python -m layerctl.commands.lowered [--out FOLDER] [TRIPLE:LANES …]`.

Without a target for this machine, beside the sources; the wheel's build (hatch_build.py) asks for those of the architecture it runs on.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import pkgutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from layerctl.kernels import lowered, target
from layerctl.kernels.build import ref_from_json, ref_to_json
from layerctl.kernels.store import symbol
from layerctl.ops.kernel import KERNELS, KernelRef

PACKAGES = ("layerctl.ops", "layerctl.data.native")
"""Where kernels are declared."""


def usual() -> list[KernelRef]:
    """Every kernel of the package for the dtypes that it is often called for, those that take longest to lower first."""
    for package in PACKAGES:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            importlib.import_module(f"{package}.{module.name}")
    declared = [k for k in KERNELS.values() if k.function.__module__.startswith(PACKAGES)]
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


def main() -> None:
    """Writes a file for each target."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=lowered.FOLDER)
    options.add_argument("targets", nargs="*", metavar="TRIPLE:LANES")
    given = options.parse_args()
    asked = [text.rpartition(":") for text in given.targets]
    bases = [target.based(triple, int(lanes)) for triple, _, lanes in asked] or [target.base()]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    refs = usual()
    for base in bases:
        path = lowered.path_for(base, given.out)
        lowered.write(path, base, lower(base, refs, cores))
        print(f"{path.name}: {len(refs)} kernels, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
