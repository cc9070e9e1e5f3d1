"""How the threads of a program meet, wait for each other and for orders, as LLVM IR: see `program.py` for the words of `state`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from layerctl.kernels.loops import repeat
from layerctl.kernels.target import host
from layerctl.kernels.words import (
    APART,
    ARRIVALS,
    CLAIMS,
    COUNT,
    FUNCTION,
    GENERATION,
    HURRIED,
    IN_VAIN,
    LEAD_NAME,
    LEADER,
    LIST,
    MANY_IN_VAIN,
    ORDER,
    SERVE_NAME,
    SLEEPERS,
    STEPS,
    SYSCALL,
    WAITING,
    YIELD,
)  # fmt: skip

I64 = ir.IntType(64)
SPINS = {"x86_64": 600, "aarch64": 10_000}
"""Turns of waiting awake that take some 10 to 25 µs. A pause of x86 takes 40 to 140 cycles, ARM's yield about one."""
_AWAKE, _PATIENT = 5, 10
"""How many times longer a worker waits awake for the next order, and a thread at a meeting: who sleeps is late at the next meeting, so that
the others sleep there in turn."""
_SLICE = 5
"""How many times longer than awake a thread waits at a meeting where another's core was taken by somebody else: systems give it for some
milliseconds."""
_WAIT, _WAKE = 128, 129  # FUTEX_WAIT and FUTEX_WAKE, private to the process
_NUMBERS = {
    "futex": {"x86_64": 202, "aarch64": 98}, "getcpu": {"x86_64": 309, "aarch64": 168},
    "sched_setaffinity": {"x86_64": 203, "aarch64": 122}, "sched_getaffinity": {"x86_64": 204, "aarch64": 123},
}  # fmt: skip
"""Of Linux's system calls."""
_MASK = 16
"""Words of a set of cores."""


def at(b: Any, base: Any, place: int) -> Any:
    """The address of an int64 by its place behind an address."""
    i64 = ir.IntType(64)
    return b.inttoptr(b.add(base, i64(8 * place)), i64.as_pointer())


def intrinsic(module: Any, name: str, kind: Any) -> Any:
    """An intrinsic of LLVM, declared once in a module."""
    return module.globals.get(name) or ir.Function(module, kind, name)


def ticks(b: Any) -> Any:
    """The processor's clock."""
    if host().architecture == "aarch64":
        return b.asm(ir.FunctionType(I64, []), "mrs $0, cntvct_el0", "=r", [], True)
    return b.call(intrinsic(b.module, "llvm.readcyclecounter", ir.FunctionType(I64, [])), [])


def _pause(b: Any) -> None:
    """Tells the core that it is waiting."""
    void, i32 = ir.VoidType(), ir.IntType(32)
    if host().architecture == "aarch64":
        b.call(intrinsic(b.module, "llvm.aarch64.hint", ir.FunctionType(void, [i32])), [i32(1)])
    else:
        b.call(intrinsic(b.module, "llvm.x86.sse2.pause", ir.FunctionType(void, [])), [])


def barrier(module: Any) -> Any:
    """barrier(state, threads): the last to arrive opens a new generation; the others spin for some microseconds, then sleep."""
    i64, void = ir.IntType(64), ir.VoidType()
    function = ir.Function(module, ir.FunctionType(void, [i64, i64]), "layerctl_barrier")
    function.linkage = "internal"
    state, threads = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    last, wait, spin, pause, sleep, out = (
        function.append_basic_block(n) for n in ("last", "wait", "spin", "pause", "sleep", "out")
    )
    arrivals, generation, sleepers = (at(b, state, place) for place in (ARRIVALS, GENERATION, SLEEPERS))
    mine = b.load_atomic(generation, "acquire", 8)
    before = b.atomic_rmw("add", arrivals, i64(1), "acq_rel")
    b.cbranch(b.icmp_signed("==", before, b.sub(threads, i64(1))), last, wait)

    b.position_at_end(last)
    b.store_atomic(i64(0), arrivals, "monotonic", 8)
    hurried = at(b, state, HURRIED)
    left = b.load_atomic(hurried, "monotonic", 8)
    with b.if_then(b.icmp_signed("!=", left, i64(0))):
        b.store_atomic(b.sub(left, i64(1)), hurried, "monotonic", 8)
    _empty_claims(b, state, threads)
    b.store_atomic(b.add(mine, i64(1)), generation, "seq_cst", 8)
    with b.if_then(b.icmp_signed("!=", b.load_atomic(sleepers, "seq_cst", 8), i64(0))):
        _futex(b, state, _WAKE, i64((1 << 31) - 1))
    b.branch(out)

    b.position_at_end(wait)
    spins, hurried = SPINS[host().architecture], at(b, state, HURRIED)
    patient = b.icmp_signed("<", b.load_atomic(hurried, "monotonic", 8), i64(MANY_IN_VAIN))
    most = b.select(patient, i64(_PATIENT * spins), i64(spins))
    begun = ticks(b)
    b.branch(spin)
    b.position_at_end(spin)
    turns = b.phi(i64, "turns")
    turns.add_incoming(i64(0), wait)
    now = b.load_atomic(generation, "acquire", 8)
    b.cbranch(b.icmp_signed("==", now, mine), pause, out)
    b.position_at_end(pause)
    _pause(b)
    turns.add_incoming(b.add(turns, i64(1)), pause)
    b.cbranch(b.icmp_signed("<", turns, most), spin, sleep)

    b.position_at_end(sleep)
    awake = b.sub(ticks(b), begun)
    b.atomic_rmw("add", sleepers, i64(1), "seq_cst")
    _futex(b, state, _WAIT, b.and_(mine, i64(0xFFFFFFFF)))
    b.atomic_rmw("sub", sleepers, i64(1), "seq_cst")
    long = b.icmp_unsigned(">", b.sub(ticks(b), begun), b.mul(awake, i64(_SLICE)))
    with b.if_then(b.and_(patient, long)):
        b.store_atomic(b.add(b.load_atomic(hurried, "monotonic", 8), i64(IN_VAIN)), hurried, "monotonic", 8)
    _give_way(b, state)
    turns.add_incoming(i64(0), b.block)
    b.branch(spin)
    b.position_at_end(out)
    b.ret_void()
    return function


def _empty_claims(b: Any, state: Any, threads: Any) -> None:
    """Before a new generation begins nobody has claimed anything."""
    claims = b.load(at(b, state, CLAIMS))

    def empty(k: Any) -> list[Any]:
        b.store_atomic(I64(0), at(b, b.add(claims, b.mul(k, I64(64))), 0), "monotonic", 8)
        return []

    repeat(b, I64(0), threads, 1, [], empty)


def emit_lead() -> str:
    """`lead(threads, state, function, instructions, count, steps)`: gives the workers an order and does thread 0's part of it."""
    module = ir.Module(name=LEAD_NAME)
    module.triple = host().triple
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * 6), LEAD_NAME)
    threads, state, loop, *rest = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    for place, value in zip((FUNCTION, LIST, COUNT, STEPS), (loop, *rest), strict=True):
        b.store(value, at(b, state, place))
    end = alone(b, state, worker=False)
    b.atomic_rmw("add", at(b, state, ORDER), I64(1), "seq_cst")
    with b.if_then(b.icmp_signed("!=", b.load_atomic(at(b, state, WAITING), "seq_cst", 8), I64(0))):
        _futex(b, state, _WAKE, I64((1 << 31) - 1), ORDER)
    with b.if_then(b.icmp_signed("!=", loop, I64(0))):
        _call_loop(b, I64(0), threads, state, loop, *rest)
    end()
    b.ret_void()
    return str(module)


def emit_serve() -> str:
    """`serve(thread, threads, state)`: a worker's life, which follows every order until it is sent home.

    It waits for some ten microseconds awake, so that short runs one after the other meet it so, and sleeps then.
    """
    module = ir.Module(name=SERVE_NAME)
    module.triple = host().triple
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * 3), SERVE_NAME)
    thread, threads, state = function.args
    entry, wait, spin, pause, sleep, follow, work, home = (
        function.append_basic_block(n) for n in ("entry", "wait", "spin", "pause", "sleep", "follow", "work", "home")
    )
    b = ir.IRBuilder(entry)
    order = at(b, state, ORDER)
    b.branch(wait)
    b.position_at_end(wait)
    last = b.phi(I64, "last")
    last.add_incoming(I64(0), entry)
    b.branch(spin)
    b.position_at_end(spin)
    turns = b.phi(I64, "turns")
    turns.add_incoming(I64(0), wait)
    now = b.load_atomic(order, "acquire", 8)
    b.cbranch(b.icmp_signed("==", now, last), pause, follow)
    b.position_at_end(pause)
    _pause(b)
    turns.add_incoming(b.add(turns, I64(1)), pause)
    b.cbranch(b.icmp_signed("<", turns, I64(_AWAKE * SPINS[host().architecture])), spin, sleep)
    b.position_at_end(sleep)
    sleepers = at(b, state, WAITING)
    b.atomic_rmw("add", sleepers, I64(1), "seq_cst")
    _futex(b, state, _WAIT, b.and_(last, I64(0xFFFFFFFF)), ORDER)
    b.atomic_rmw("sub", sleepers, I64(1), "seq_cst")
    _give_way(b, state)
    turns.add_incoming(I64(0), b.block)
    b.branch(spin)
    b.position_at_end(follow)
    loop, *rest = (b.load(at(b, state, place)) for place in (FUNCTION, LIST, COUNT, STEPS))
    b.cbranch(b.icmp_signed("==", loop, I64(0)), home, work)
    b.position_at_end(work)
    end = alone(b, state, worker=True)
    _call_loop(b, thread, threads, state, loop, *rest)
    end()
    last.add_incoming(now, b.block)
    b.branch(wait)
    b.position_at_end(home)
    b.ret_void()
    return str(module)


def _call_loop(b: Any, thread: Any, threads: Any, state: Any, loop: Any, *rest: Any) -> None:
    b.call(b.inttoptr(loop, ir.FunctionType(ir.VoidType(), [I64] * 6).as_pointer()), [thread, threads, state, *rest])


def _give_way(b: Any, state: Any) -> None:
    """Where there is no futex, lets others have the core."""
    with b.if_then(b.icmp_unsigned("!=", b.load(at(b, state, YIELD)), I64(0))):
        kind = ir.FunctionType(ir.IntType(32), []).as_pointer()
        b.call(b.inttoptr(b.load(at(b, state, YIELD)), kind), [])


def _futex(b: Any, state: Any, operation: int, value: Any, place: int = GENERATION) -> None:
    """futex(the low half of the word `place`, operation, value), where there is one: sleep while it is `value`, or wake so many."""
    with b.if_then(b.icmp_unsigned("!=", b.load(at(b, state, SYSCALL)), I64(0))):
        _system(b, state, "futex", b.add(state, I64(8 * place)), I64(operation), value)


def _system(b: Any, state: Any, name: str, *args: Any) -> Any:
    """A call of the system through libc's `syscall`, which there must be."""
    kind = ir.FunctionType(I64, [I64] * 7).as_pointer()
    given = [I64(_NUMBERS[name][host().architecture]), *args, *[I64(0)] * (6 - len(args))]
    return b.call(b.inttoptr(b.load(at(b, state, SYSCALL)), kind), given)


def alone(b: Any, state: Any, worker: bool) -> Callable[[], None]:
    """Where the order asks for it: the leader stays on its core while it is followed, and workers on the others. Returns what ends that.

    Left to itself the system likes to put threads that wake each other together, where they run by turns for milliseconds.
    """
    asked = b.icmp_signed("!=", b.load(at(b, state, APART)), I64(0))
    with b.goto_entry_block():
        mask, sets = (b.ptrtoint(b.alloca(ir.ArrayType(I64, _MASK)), I64) for _ in range(2))
        size, core = b.alloca(I64), b.alloca(I64)
    for place in (size, core):
        b.store(I64(0), place)
    with b.if_then(asked):
        b.store(_system(b, state, "sched_getaffinity", I64(0), I64(8 * _MASK), mask), size)
        if worker:
            b.store(b.load(at(b, state, LEADER)), core)
        else:
            _system(b, state, "getcpu", b.ptrtoint(core, I64))
            b.store(b.load(core), at(b, state, LEADER))
    got, mine = b.load(size), b.load(core)
    known = b.and_(b.icmp_signed(">", got, I64(0)), b.icmp_unsigned("<", mine, I64(64 * _MASK)))
    with b.if_then(known):
        word, bit = b.lshr(mine, I64(6)), b.shl(I64(1), b.and_(mine, I64(63)))
        for k in range(_MASK):
            own = b.select(b.icmp_signed("==", word, I64(k)), bit, I64(0))
            b.store(b.and_(b.load(at(b, mask, k)), b.not_(own)) if worker else own, at(b, sets, k))
        _system(b, state, "sched_setaffinity", I64(0), got, sets)

    def end() -> None:
        with b.if_then(known):
            _system(b, state, "sched_setaffinity", I64(0), got, mask)

    return end
