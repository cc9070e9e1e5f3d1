"""The loop that runs a program, and the barrier at which its threads meet, as LLVM IR.

    run(thread, threads, state, instructions, count, steps)

An instruction is four int64: the kernel's address, its block's address, into how many shares its work may be cut (1: thread 0
alone does it), and flags (bit 0: all threads meet before it; bit 1: a thread that is done with its own shares takes others').
`state` is 64 int64, in cache lines of 8:

    [0] arrivals   [8] generation   [16] stop asked for   [17] steps done   [18] address of libc's syscall, or 0
    [19] address of sched_yield, or 0   [24] sleepers
    [25] address of the threads' claims, a cache line each
    [32] [33] the stop as thread 0 saw it at the start of an even or odd step
    [40] for the timed loop: address of `count` int64, to which thread 0 adds the ticks of each instruction
    [41] ticks when the instruction in [42] began
    [48] orders given, and the last one: [49] the loop's address (0: go home), [50] its instructions, [51] count, [52] steps
    [56] workers that sleep until the next order

An instruction's time is that from its start on thread 0 to the next one's, the meeting of threads between them included.
Two places for what was seen, because a thread may still be reading one step's while thread 0 writes the next one's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from layerctl.kernels.target import host
from layerctl.kernels.words import (
    ARRIVALS,
    BEGAN,
    CLAIMS,
    COUNT,
    CURRENT,
    DONE,
    FUNCTION,
    GENERATION,
    LEAD_NAME,
    LIST,
    NAME,
    ORDER,
    PARTS,
    SEEN,
    SERVE_NAME,
    SLEEPERS,
    STEAL,
    STEPS,
    STOP,
    SYSCALL,
    TIMED_NAME,
    TIMES,
    WAITING,
    YIELD,
)  # fmt: skip

I64 = ir.IntType(64)
# Turns before a thread sleeps, some 10 to 25 µs: measured, with 1 to 2 µs the futex wakes cost up to 6 times more than they save.
# A pause of x86 takes 40 to 140 cycles, ARM's yield about one.
SPINS = {"x86_64": 600, "aarch64": 10_000}
_AWAKE = 5
"""How many times longer a worker waits awake for the next order than a thread at a meeting."""
_WAIT, _WAKE = 128, 129  # FUTEX_WAIT and FUTEX_WAKE, private to the process
_FUTEX = {"x86_64": 202, "aarch64": 98}


def emit(timed: bool = False) -> str:
    """The module's text; `timed` for the loop that measures each instruction."""
    name = TIMED_NAME if timed else NAME
    module = ir.Module(name=name)
    module.triple = host().triple
    barrier = _barrier(module)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * 6), name)
    thread, threads, state, _, _, steps = function.args
    entry = function.append_basic_block("entry")
    b = ir.IRBuilder(entry)
    blocks = {n: function.append_basic_block(n) for n in ("step", "look", "go", "stepped", "out")}
    several, first = b.icmp_signed(">", threads, I64(1)), b.icmp_signed("==", thread, I64(0))
    restore = _floating_point(b)
    b.branch(blocks["step"])

    b.position_at_end(blocks["step"])
    s = b.phi(I64, "s")
    s.add_incoming(I64(0), entry)
    b.cbranch(b.icmp_signed("<", s, steps), blocks["look"], blocks["out"])

    b.position_at_end(blocks["look"])
    shown = _at(b, b.add(state, b.mul(b.and_(s, I64(1)), I64(8))), SEEN)
    with b.if_then(first):
        b.store_atomic(b.load_atomic(_at(b, state, STOP), "acquire", 8), shown, "release", 8)
    with b.if_then(several):
        b.call(barrier, [state, threads])
    seen = b.load_atomic(shown, "acquire", 8)
    b.cbranch(b.icmp_signed("!=", seen, I64(0)), blocks["out"], blocks["go"])

    b.position_at_end(blocks["go"])
    if timed:
        _stamp(b, state, first, I64(0), begin=True)
    _instructions(b, barrier, timed)
    if timed:
        _stamp(b, state, first, I64(0))
    b.branch(blocks["stepped"])

    b.position_at_end(blocks["stepped"])
    with b.if_then(first):
        b.store_atomic(b.add(s, I64(1)), _at(b, state, DONE), "release", 8)
    s.add_incoming(b.add(s, I64(1)), b.block)
    b.branch(blocks["step"])

    b.position_at_end(blocks["out"])
    with b.if_then(several):
        b.call(barrier, [state, threads])
    restore()
    b.ret_void()
    return str(module)


def _instructions(b: Any, barrier: Any, timed: bool) -> None:
    """One pass over the list: meet where the flag says so, then this thread's share of each instruction."""
    thread, threads, state, instructions, count, _ = b.function.args
    several, first = b.icmp_signed(">", threads, I64(1)), b.icmp_signed("==", thread, I64(0))
    before, (head, body, done) = b.block, (b.append_basic_block(n) for n in ("head", "body", "done"))
    b.branch(head)
    b.position_at_end(head)
    i = b.phi(I64, "i")
    i.add_incoming(I64(0), before)
    b.cbranch(b.icmp_signed("<", i, count), body, done)
    b.position_at_end(body)
    row = b.add(instructions, b.mul(i, I64(32)))
    kernel, block, tasks, flag = (b.load(_at(b, row, k)) for k in range(4))
    with b.if_then(b.and_(several, b.trunc(flag, ir.IntType(1)))):
        b.call(barrier, [state, threads])
    if timed:
        _stamp(b, state, first, i)
    pointer = b.inttoptr(kernel, ir.FunctionType(ir.VoidType(), [I64] * 3).as_pointer())
    stolen = b.and_(several, b.icmp_signed("!=", b.and_(flag, I64(STEAL)), I64(0)))
    with b.if_else(stolen) as (claimed, fixed):
        with claimed:
            _claim(b, pointer, block, tasks)
        with fixed:
            shares = b.select(b.icmp_signed("<", tasks, threads), tasks, threads)
            with b.if_then(b.icmp_signed("<", thread, shares)):
                b.call(pointer, [thread, shares, block])
    i.add_incoming(b.add(i, I64(1)), b.block)
    b.branch(head)
    b.position_at_end(done)


def _claim(b: Any, kernel: Any, block: Any, tasks: Any) -> None:
    """This thread's own shares, one at a time, then those that the others have not begun. The meeting before has emptied the claims."""
    thread, threads, state, *_ = b.function.args
    most = b.mul(threads, I64(PARTS))
    total = b.select(b.icmp_signed("<", tasks, most), tasks, most)
    claims = b.load(_at(b, state, CLAIMS))
    before, (head, take, call, following, done) = b.block, (b.append_basic_block(n) for n in ("whose", "take", "own", "other", "claimed"))
    b.branch(head)
    b.position_at_end(head)
    k = b.phi(I64, "k")
    k.add_incoming(I64(0), before)
    after = b.add(thread, k)
    victim = b.select(b.icmp_signed("<", after, threads), after, b.sub(after, threads))
    low, high = (b.udiv(b.mul(total, v), threads) for v in (victim, b.add(victim, I64(1))))
    place = _at(b, b.add(claims, b.mul(victim, I64(64))), 0)
    b.cbranch(b.icmp_signed("<", k, threads), take, done)
    b.position_at_end(take)
    share = b.add(low, b.atomic_rmw("add", place, I64(1), "monotonic"))
    b.cbranch(b.icmp_signed("<", share, high), call, following)
    b.position_at_end(call)
    b.call(kernel, [share, total, block])
    b.branch(take)
    b.position_at_end(following)
    k.add_incoming(b.add(k, I64(1)), following)
    b.branch(head)
    b.position_at_end(done)


def _stamp(b: Any, state: Any, first: Any, index: Any, begin: bool = False) -> None:
    """Thread 0 adds the ticks since the last stamp to the instruction that began then; instruction `index` begins now."""
    with b.if_then(first):
        if host().architecture == "aarch64":
            now = b.asm(ir.FunctionType(I64, []), "mrs $0, cntvct_el0", "=r", [], True)
        else:
            now = b.call(_intrinsic(b.module, "llvm.readcyclecounter", ir.FunctionType(I64, [])), [])
        began, current = _at(b, state, BEGAN), _at(b, state, CURRENT)
        if not begin:
            place = _at(b, b.add(b.load(_at(b, state, TIMES)), b.mul(b.load(current), I64(8))), 0)
            b.store(b.add(b.load(place), b.sub(now, b.load(began))), place)
        b.store(now, began)
        b.store(index, current)


def _at(b: Any, base: Any, place: int) -> Any:
    i64 = ir.IntType(64)
    return b.inttoptr(b.add(base, i64(8 * place)), i64.as_pointer())


def _floating_point(b: Any) -> Callable[[], None]:
    """Sets the mode that every thread computes in: round to nearest, and no denormal flushed. Returns what puts the caller's back.

    Processors flush denormals in ways of their own (before rounding or after it); kept, they are the same bits everywhere.
    """
    module, i8, i32, i64 = b.module, ir.IntType(8), ir.IntType(32), ir.IntType(64)
    if host().architecture == "aarch64":
        get = _intrinsic(module, "llvm.aarch64.get.fpcr", ir.FunctionType(i64, []))
        put = _intrinsic(module, "llvm.aarch64.set.fpcr", ir.FunctionType(ir.VoidType(), [i64]))
        before = b.call(get, [])
        b.call(put, [i64(0)])
        return lambda: b.call(put, [before])
    kind = ir.FunctionType(ir.VoidType(), [i8.as_pointer()])
    get, put = (_intrinsic(module, f"llvm.x86.sse.{name}mxcsr", kind) for name in ("st", "ld"))
    theirs, ours = (b.bitcast(b.alloca(i32), i8.as_pointer()) for _ in range(2))
    b.call(get, [theirs])
    b.store(i32(0x1F80), b.bitcast(ours, i32.as_pointer()))
    b.call(put, [ours])
    return lambda: b.call(put, [theirs])


def _intrinsic(module: Any, name: str, kind: Any) -> Any:
    return module.globals.get(name) or ir.Function(module, kind, name)


def _pause(b: Any) -> None:
    """Tells the core that it is waiting."""
    void, i32 = ir.VoidType(), ir.IntType(32)
    if host().architecture == "aarch64":
        b.call(_intrinsic(b.module, "llvm.aarch64.hint", ir.FunctionType(void, [i32])), [i32(1)])
    else:
        b.call(_intrinsic(b.module, "llvm.x86.sse2.pause", ir.FunctionType(void, [])), [])


def _barrier(module: Any) -> Any:
    """barrier(state, threads): the last to arrive opens a new generation; the others spin for some microseconds, then sleep."""
    i64, void = ir.IntType(64), ir.VoidType()
    function = ir.Function(module, ir.FunctionType(void, [i64, i64]), "layerctl_barrier")
    function.linkage = "internal"
    state, threads = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    last, wait, spin, pause, sleep, out = (
        function.append_basic_block(n) for n in ("last", "wait", "spin", "pause", "sleep", "out")
    )
    arrivals, generation, sleepers = (_at(b, state, place) for place in (ARRIVALS, GENERATION, SLEEPERS))
    mine = b.load_atomic(generation, "acquire", 8)
    before = b.atomic_rmw("add", arrivals, i64(1), "acq_rel")
    b.cbranch(b.icmp_signed("==", before, b.sub(threads, i64(1))), last, wait)

    b.position_at_end(last)
    b.store_atomic(i64(0), arrivals, "monotonic", 8)
    _empty_claims(b, state, threads)
    b.store_atomic(b.add(mine, i64(1)), generation, "seq_cst", 8)
    with b.if_then(b.icmp_signed("!=", b.load_atomic(sleepers, "seq_cst", 8), i64(0))):
        _futex(b, state, _WAKE, i64((1 << 31) - 1))
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
    b.cbranch(b.icmp_signed("<", turns, i64(SPINS[host().architecture])), spin, sleep)

    b.position_at_end(sleep)
    b.atomic_rmw("add", sleepers, i64(1), "seq_cst")
    _futex(b, state, _WAIT, b.and_(mine, i64(0xFFFFFFFF)))
    b.atomic_rmw("sub", sleepers, i64(1), "seq_cst")
    _give_way(b, state)
    turns.add_incoming(i64(0), b.block)
    b.branch(spin)
    b.position_at_end(out)
    b.ret_void()
    return function


def _empty_claims(b: Any, state: Any, threads: Any) -> None:
    """Before a new generation begins nobody has claimed anything."""
    claims = b.load(_at(b, state, CLAIMS))
    before, (head, body, done) = b.block, (b.append_basic_block(n) for n in ("claims", "empty", "emptied"))
    b.branch(head)
    b.position_at_end(head)
    k = b.phi(I64, "k")
    k.add_incoming(I64(0), before)
    b.cbranch(b.icmp_signed("<", k, threads), body, done)
    b.position_at_end(body)
    b.store_atomic(I64(0), _at(b, b.add(claims, b.mul(k, I64(64))), 0), "monotonic", 8)
    k.add_incoming(b.add(k, I64(1)), body)
    b.branch(head)
    b.position_at_end(done)


def emit_lead() -> str:
    """`lead(threads, state, function, instructions, count, steps)`: gives the workers an order and does thread 0's part of it."""
    module = ir.Module(name=LEAD_NAME)
    module.triple = host().triple
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * 6), LEAD_NAME)
    threads, state, loop, *rest = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    for place, value in zip((FUNCTION, LIST, COUNT, STEPS), (loop, *rest), strict=True):
        b.store(value, _at(b, state, place))
    b.atomic_rmw("add", _at(b, state, ORDER), I64(1), "seq_cst")
    with b.if_then(b.icmp_signed("!=", b.load_atomic(_at(b, state, WAITING), "seq_cst", 8), I64(0))):
        _futex(b, state, _WAKE, I64((1 << 31) - 1), ORDER)
    with b.if_then(b.icmp_signed("!=", loop, I64(0))):
        _call_loop(b, I64(0), threads, state, loop, *rest)
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
    order = _at(b, state, ORDER)
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
    sleepers = _at(b, state, WAITING)
    b.atomic_rmw("add", sleepers, I64(1), "seq_cst")
    _futex(b, state, _WAIT, b.and_(last, I64(0xFFFFFFFF)), ORDER)
    b.atomic_rmw("sub", sleepers, I64(1), "seq_cst")
    _give_way(b, state)
    turns.add_incoming(I64(0), b.block)
    b.branch(spin)
    b.position_at_end(follow)
    loop, *rest = (b.load(_at(b, state, place)) for place in (FUNCTION, LIST, COUNT, STEPS))
    b.cbranch(b.icmp_signed("==", loop, I64(0)), home, work)
    b.position_at_end(work)
    _call_loop(b, thread, threads, state, loop, *rest)
    last.add_incoming(now, work)
    b.branch(wait)
    b.position_at_end(home)
    b.ret_void()
    return str(module)


def _call_loop(b: Any, thread: Any, threads: Any, state: Any, loop: Any, *rest: Any) -> None:
    b.call(b.inttoptr(loop, ir.FunctionType(ir.VoidType(), [I64] * 6).as_pointer()), [thread, threads, state, *rest])


def _give_way(b: Any, state: Any) -> None:
    """Where there is no futex, lets others have the core."""
    with b.if_then(b.icmp_unsigned("!=", b.load(_at(b, state, YIELD)), I64(0))):
        kind = ir.FunctionType(ir.IntType(32), []).as_pointer()
        b.call(b.inttoptr(b.load(_at(b, state, YIELD)), kind), [])


def _futex(b: Any, state: Any, operation: int, value: Any, at: int = GENERATION) -> None:
    """futex(the low half of the word `at`, operation, value), where there is one: sleep while it is `value`, or wake so many."""
    number = _FUTEX[host().architecture]
    i64 = ir.IntType(64)
    kind = ir.FunctionType(i64, [i64] * 7).as_pointer()
    address = b.load(_at(b, state, SYSCALL))
    with b.if_then(b.icmp_unsigned("!=", address, i64(0))):
        place = b.add(state, i64(8 * at))
        b.call(b.inttoptr(address, kind), [i64(number), place, i64(operation), value, i64(0), i64(0), i64(0)])
