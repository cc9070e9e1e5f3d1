"""The loop that runs a program, and the barrier at which its threads meet, as LLVM IR.

    run(thread, threads, state, instructions, count, steps)

An instruction is four int64: the kernel's address, its block's address, into how many shares its work may be cut (1: thread 0
alone does it), and whether all threads meet before it. `state` is 32 int64:

    [0] arrivals   [8] generation   [16] stop asked for   [17] steps done   [18] address of libc's syscall, or 0
    [19] the stop as seen by thread 0 at the start of a step
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from layerctl.kernels.target import host

NAME = "layerctl_run"
ARRIVALS, GENERATION, STOP, DONE, SYSCALL, SEEN = 0, 8, 16, 17, 18, 19
SPINS = 3000
_FUTEX = {"x86_64": 202, "aarch64": 98}


def emit() -> str:
    """The module's text."""
    module = ir.Module(name=NAME)
    module.triple = host().triple
    i64, void = ir.IntType(64), ir.VoidType()
    barrier = _barrier(module)
    function = ir.Function(module, ir.FunctionType(void, [i64] * 6), NAME)
    thread, threads, state, instructions, count, steps = function.args
    entry = function.append_basic_block("entry")
    b = ir.IRBuilder(entry)
    blocks = {
        n: function.append_basic_block(n)
        for n in ("step", "look", "go", "head", "body", "meet", "decide", "call", "next", "stepped", "out")
    }
    several = b.icmp_signed(">", threads, i64(1))
    _floating_point(b)
    b.branch(blocks["step"])

    b.position_at_end(blocks["step"])
    s = b.phi(i64, "s")
    s.add_incoming(i64(0), entry)
    b.cbranch(b.icmp_signed("<", s, steps), blocks["look"], blocks["out"])

    b.position_at_end(blocks["look"])
    with b.if_then(b.icmp_signed("==", thread, i64(0))):
        asked = b.load_atomic(_at(b, state, STOP), "acquire", 8)
        b.store_atomic(asked, _at(b, state, SEEN), "release", 8)
    with b.if_then(several):
        b.call(barrier, [state, threads])
    seen = b.load_atomic(_at(b, state, SEEN), "acquire", 8)
    b.cbranch(b.icmp_signed("!=", seen, i64(0)), blocks["out"], blocks["go"])

    b.position_at_end(blocks["go"])
    b.branch(blocks["head"])
    b.position_at_end(blocks["head"])
    i = b.phi(i64, "i")
    i.add_incoming(i64(0), blocks["go"])
    b.cbranch(b.icmp_signed("<", i, count), blocks["body"], blocks["stepped"])

    b.position_at_end(blocks["body"])
    row = b.add(instructions, b.mul(i, i64(32)))
    kernel, block, tasks, flag = (b.load(_at(b, row, k)) for k in range(4))
    b.cbranch(b.and_(several, b.icmp_signed("!=", flag, i64(0))), blocks["meet"], blocks["decide"])
    b.position_at_end(blocks["meet"])
    b.call(barrier, [state, threads])
    b.branch(blocks["decide"])

    b.position_at_end(blocks["decide"])
    shares = b.select(b.icmp_signed("<", tasks, threads), tasks, threads)
    b.cbranch(b.icmp_signed("<", thread, shares), blocks["call"], blocks["next"])
    b.position_at_end(blocks["call"])
    kind = ir.FunctionType(void, [i64] * 3).as_pointer()
    b.call(b.inttoptr(kernel, kind), [thread, shares, block])
    b.branch(blocks["next"])
    b.position_at_end(blocks["next"])
    i.add_incoming(b.add(i, i64(1)), blocks["next"])
    b.branch(blocks["head"])

    b.position_at_end(blocks["stepped"])
    with b.if_then(b.icmp_signed("==", thread, i64(0))):
        b.store_atomic(b.add(s, i64(1)), _at(b, state, DONE), "release", 8)
    s.add_incoming(b.add(s, i64(1)), b.block)
    b.branch(blocks["step"])

    b.position_at_end(blocks["out"])
    with b.if_then(several):
        b.call(barrier, [state, threads])
    b.ret_void()
    return str(module)


def _at(b: Any, base: Any, place: int) -> Any:
    i64 = ir.IntType(64)
    return b.inttoptr(b.add(base, i64(8 * place)), i64.as_pointer())


def _floating_point(b: Any) -> None:
    """Round to nearest, keep denormals as they are: the mode that every thread computes in."""
    module, i8, i32, i64 = b.module, ir.IntType(8), ir.IntType(32), ir.IntType(64)
    if host().triple.startswith("x86_64"):
        place = b.alloca(i32)
        b.store(i32(0x1F80), place)
        kind = ir.FunctionType(ir.VoidType(), [i8.as_pointer()])
        b.call(_intrinsic(module, "llvm.x86.sse.ldmxcsr", kind), [b.bitcast(place, i8.as_pointer())])
    elif host().triple.startswith("aarch64"):
        b.call(_intrinsic(module, "llvm.aarch64.set.fpcr", ir.FunctionType(ir.VoidType(), [i64])), [i64(0)])


def _intrinsic(module: Any, name: str, kind: Any) -> Any:
    return module.globals.get(name) or ir.Function(module, kind, name)


def _pause(b: Any) -> None:
    """Tells the core that it is waiting."""
    if host().triple.startswith("x86_64"):
        b.call(_intrinsic(b.module, "llvm.x86.sse2.pause", ir.FunctionType(ir.VoidType(), [])), [])
    elif host().triple.startswith("aarch64"):
        i32 = ir.IntType(32)
        b.call(_intrinsic(b.module, "llvm.aarch64.hint", ir.FunctionType(ir.VoidType(), [i32])), [i32(1)])


def _barrier(module: Any) -> Any:
    """barrier(state, threads): the last to arrive opens a new generation; the others spin for about a microsecond, then sleep."""
    i64, i32, void = ir.IntType(64), ir.IntType(32), ir.VoidType()
    function = ir.Function(module, ir.FunctionType(void, [i64, i64]), "layerctl_barrier")
    function.linkage = "internal"
    state, threads = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    last, wait, spin, pause, sleep, out = (
        function.append_basic_block(n) for n in ("last", "wait", "spin", "pause", "sleep", "out")
    )
    arrivals, generation = _at(b, state, ARRIVALS), _at(b, state, GENERATION)
    mine = b.load_atomic(generation, "acquire", 8)
    before = b.atomic_rmw("add", arrivals, i64(1), "acq_rel")
    syscall = b.load(_at(b, state, SYSCALL))
    b.cbranch(b.icmp_signed("==", before, b.sub(threads, i64(1))), last, wait)

    number = next(
        (n for arch, n in _FUTEX.items() if host().triple.startswith(arch) and "linux" in host().triple), None
    )
    kind = ir.FunctionType(i64, [i64] * 7).as_pointer()
    b.position_at_end(last)
    b.store_atomic(i64(0), arrivals, "monotonic", 8)
    b.store_atomic(b.add(mine, i64(1)), generation, "seq_cst", 8)
    if number is not None:
        with b.if_then(b.icmp_unsigned("!=", syscall, i64(0))):
            sleeping = b.load_atomic(_at(b, state, 24), "seq_cst", 8)
            with b.if_then(b.icmp_signed("!=", sleeping, i64(0))):
                address = b.ptrtoint(generation, i64)
                b.call(
                    b.inttoptr(syscall, kind), [i64(number), address, i64(129), i64(1 << 30), i64(0), i64(0), i64(0)]
                )
    b.branch(out)

    b.position_at_end(wait)
    b.branch(spin)
    b.position_at_end(spin)
    turns = b.phi(i64, "turns")
    turns.add_incoming(i64(0), wait)
    now = b.load_atomic(generation, "acquire", 8)
    b.cbranch(b.icmp_signed("==", now, mine), pause, out)
    b.position_at_end(pause)
    _pause(b)
    turns.add_incoming(b.add(turns, i64(1)), pause)
    b.cbranch(b.icmp_signed("<", turns, i64(SPINS)), spin, sleep)

    b.position_at_end(sleep)
    if number is not None:
        with b.if_then(b.icmp_unsigned("!=", syscall, i64(0))):
            counter = _at(b, state, 24)
            b.atomic_rmw("add", counter, i64(1), "seq_cst")
            address = b.ptrtoint(generation, i64)
            value = b.zext(b.trunc(mine, i32), i64)
            b.call(b.inttoptr(syscall, kind), [i64(number), address, i64(128), value, i64(0), i64(0), i64(0)])
            b.atomic_rmw("sub", counter, i64(1), "seq_cst")
    turns.add_incoming(i64(0), b.block)
    b.branch(spin)
    b.position_at_end(out)
    b.ret_void()
    return function
