"""The processor that kernels are compiled for."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from layerctl.diagnostics import fail
from layerctl.kernels import shelf
from layerctl.kernels.versions import signature

ENVIRONMENT = "LAYERCTL_CPU"


@dataclass(frozen=True)
class Target:
    """A triple, a processor's name, its features, and the float32 lanes of a register tile's vectors (4, 8 or 16)."""

    triple: str
    cpu: str
    features: str
    lanes: int

    @property
    def architecture(self) -> str:
        """x86_64 or aarch64."""
        return "x86_64" if self.triple.startswith("x86_64") else "aarch64"

    @property
    def key(self) -> str:
        """What a stored kernel's fitness depends on."""
        return f"{self.triple}|{self.cpu}|{self.features}|{self.lanes}"


@functools.cache
def binding() -> Any:
    """llvmlite's binding, ready for this machine."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


_BASES = {("x86_64", 16): ("x86-64-v4", "-prefer-256-bit"), ("x86_64", 8): ("x86-64-v3", ""),
          ("x86_64", 4): ("x86-64-v3", "+prefer-128-bit"), ("aarch64", 4): ("generic", "+neon")}  # fmt: skip
"""What all processors of an architecture with as many lanes have: kernels are lowered and optimised for that."""


def based(triple: str, lanes: int) -> Target:
    """The target that kernels are lowered and optimised for: that of all processors with as many lanes."""
    architecture = Target(triple, "", "", lanes).architecture
    return Target(triple, *_BASES[architecture, lanes], lanes)


def base() -> Target:
    """The same for this machine: code that was optimised elsewhere is, to the last instruction, what would be optimised here."""
    return based(host().triple, host().lanes)


@functools.cache
def host() -> Target:
    """This machine's target; LAYERCTL_CPU=lanes4, lanes8 or lanes16 restricts its vectors.

    What LLVM says of a processor is kept in the cache, so that asking does not need LLVM.

    Raises:
        LayerctlError: for a processor without fused multiply-add, or a restriction that it cannot follow.
    """
    if _ELSEWHERE:
        return _ELSEWHERE[0]
    name = _processor()
    folder = shelf.place("kernels", "hosts") if name is not None else None
    kept = shelf.read(folder, name, ".json") if name is not None else None
    if kept is not None:
        return Target(**json.loads(kept))
    found = _asked()
    if name is not None:
        shelf.keep(folder, name, json.dumps(asdict(found)).encode(), ".json")
    return found


_ELSEWHERE: list[Target] = []


def pretend(target: Target) -> None:
    """Makes this process one that lowers kernels for another machine; before anything has asked for this one's target."""
    if host.cache_info().currsize:
        raise RuntimeError("the target of this machine is in use already")
    binding().initialize_all_targets()
    binding().initialize_all_asmprinters()
    _ELSEWHERE.append(target)


def _processor() -> str | None:
    """A name for all that `host` depends on: the first processor as Linux describes it, LLVM's version, the restriction."""
    try:
        with open("/proc/cpuinfo", "rb") as file:
            first = file.read(16384).split(b"\n\n")[0]
    except OSError:
        return None
    changing = (b"cpu MHz", b"bogomips", b"BogoMIPS", b"processor")
    told = b"\n".join(line for line in first.splitlines() if not line.startswith(changing))
    more = f"{os.uname().machine} {os.environ.get(ENVIRONMENT, '')}".encode()
    return "h" + hashlib.sha256(b"\n".join([told, more, signature("llvmlite"), Path(__file__).read_bytes()])).hexdigest()[:24]


def _asked() -> Target:
    """The target as LLVM knows it."""
    llvm = binding()
    triple, features = llvm.get_process_triple(), dict(llvm.get_host_cpu_features())
    wanted = os.environ.get(ENVIRONMENT, "")
    cpu = llvm.get_host_cpu_name()
    if triple.startswith(("aarch64", "arm64")) and wanted in ("", "lanes4"):
        return Target(triple, cpu, _flat(features), 4)
    if triple.startswith("x86_64") and not (features.get("fma") and features.get("avx2")):
        fail("cpu-without-fma", f"the processor {cpu} has no fused multiply-add (AVX2 and FMA)",
             hint="layerctl needs an x86-64 processor of 2013 (Haswell, Excavator) or later, or a 64-bit ARM")  # fmt: skip
    if not triple.startswith(("x86_64", "aarch64", "arm64")):
        fail("unknown-cpu", f"the processor {cpu} ({triple}) is neither x86-64 nor 64-bit ARM",
             hint="run layerctl on one of these; `export --to c` makes a program for any")  # fmt: skip
    wide = features.get("avx512f") and features.get("avx512vl") and features.get("avx512dq")
    if wanted in ("", "lanes16") and wide:
        return Target(triple, cpu, _flat(features) + ",-prefer-256-bit", 16)
    if triple.startswith("x86_64") and wanted in ("", "lanes8", "lanes4"):
        kept = {k: v for k, v in features.items() if not k.startswith(("avx512", "avx10", "amx", "prefer"))}
        narrow = ",+prefer-128-bit" if wanted == "lanes4" else ""
        return Target(triple, "x86-64-v3", _flat(kept) + narrow, 4 if wanted == "lanes4" else 8)
    fail(
        "bad-cpu",
        f"{ENVIRONMENT}={wanted} does not fit the processor {cpu}",
        hint="use lanes4 or lanes8, or lanes16 where there is AVX-512; a 64-bit ARM has lanes4",
    )
    raise AssertionError


def _flat(features: dict[str, bool]) -> str:
    return ",".join(("+" if on else "-") + name for name, on in sorted(features.items()))


@functools.cache
def machine(target: Target, opt: int = 2) -> Any:
    """llvmlite's target machine for a target."""
    llvm = binding()
    made = llvm.Target.from_triple(target.triple)
    return made.create_target_machine(cpu=target.cpu, features=target.features, opt=opt, reloc="pic", codemodel="small")


def optimise(module: Any, target: Target, level: int = 3) -> None:
    """Runs LLVM's usual passes, at level 3 with the loop vectoriser, for a target; none reorders floating-point operations."""
    llvm = binding()
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization, options.slp_vectorization = level == 3, False
    builder = llvm.create_pass_builder(machine(target), options)
    builder.getModulePassManager().run(module, builder)


def without_names(module: Any) -> bytes:
    """A module as bitcode, without the names of what it does not show to others."""
    llvm = binding()
    passes = llvm.create_new_module_pass_manager()
    passes.add_strip_symbols_pass()
    passes.run(module, llvm.create_pass_builder(machine(base()), llvm.create_pipeline_tuning_options()))
    return module.as_bitcode()


def finished(bitcode: bytes) -> bytes:
    """The object file of an optimised module, for this machine."""
    return machine(host()).emit_object(binding().parse_bitcode(bitcode))


def object_code(text: str) -> bytes:
    """The object file of a module as an emitter wrote it: in vectors already, so that tidying (level 1) is all it needs."""
    module = binding().parse_assembly(text)
    module.verify()
    optimise(module, host(), level=1)
    return machine(host()).emit_object(module)
