"""Compiles emitted LLVM IR for this machine or one like it, and calls it."""

import ctypes

import llvmlite.binding as llvm
import numpy as np

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

NUMPY = {"f32": np.float32, "f64": np.float64, "i32": np.int32, "i64": np.int64, "bool": np.bool_}


def machines() -> list[tuple[str, str]]:
    """(cpu, features) of differing vector widths that run here."""
    if not llvm.get_process_triple().startswith("x86_64"):
        return [(llvm.get_host_cpu_name(), "")]
    has = llvm.get_host_cpu_features()
    wide = [("x86-64-v4", "")] if has.get("avx512vl") and has.get("avx512dq") else []
    return [("x86-64-v3", ""), ("x86-64-v3", "-avx2"), *wide]


def target(cpu: str | None = None, features: str = "") -> llvm.TargetMachine:
    """A machine to compile for; by default this one."""
    return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=cpu or llvm.get_host_cpu_name(), features=features, opt=2, codemodel="small", reloc="pic"
    )


class Kernel:
    """A compiled kernel; called with tasks and the block's entries, arrays standing for their addresses."""

    def __init__(self, text: str, cpu: str | None = None, features: str = ""):
        module = llvm.parse_assembly(text)
        module.verify()
        self.engine = llvm.create_mcjit_compiler(module, target(cpu, features))
        self.engine.finalize_object()
        self.entry = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(self.engine.get_function_address("kernel"))

    def __call__(self, *entries, tasks: int = 1) -> None:
        block = np.array([e.ctypes.data if isinstance(e, np.ndarray) else e for e in entries], np.int64)
        for task in range(tasks):
            self.entry(task, tasks, block.ctypes.data)
