"""The loop that runs a program, and the barrier at which its threads meet, as LLVM IR.

    run(thread, threads, state, instructions, count, steps)

An instruction is four int64: the kernel's address, its block's address, into how many shares its work may be cut (1: thread 0
alone does it), and flags (bit 0: all threads meet before it; bit 1: a thread that is done with its own shares takes others'; above: how
many instructions from here on make a chain, of which a thread follows all for one share, then for the next).
`state` is 64 int64, in cache lines of 8:

    [0] arrivals   [8] generation   [16] stop asked for   [17] steps done   [18] address of libc's syscall, or 0
    [19] address of sched_yield, or 0   [24] sleepers
    [25] address of the threads' claims, a cache line each   [26] how often waiting was in vain of late
    [32] [33] the stop as thread 0 saw it at the start of an even or odd step
    [40] for the timed loop: address of `count` int64, to which thread 0 adds the ticks of each instruction
    [41] ticks when the instruction in [42] began
    [48] orders given, and the last one: [49] the loop's address (0: go home), [50] its instructions, [51] count, [52] steps
    [56] workers that sleep until the next order   [57] whether the order is to be followed on cores apart   [58] the leader's core

An instruction's time is that from its start on thread 0 to the next one's, the meeting of threads between them included.
Two places for what was seen, because a thread may still be reading one step's while thread 0 writes the next one's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from layerctl.kernels.loops import repeat
from layerctl.kernels.meeting import I64, at, barrier, intrinsic, ticks
from layerctl.kernels.target import host
from layerctl.kernels.words import (
    BEGAN,
    CHAIN,
    CLAIMS,
    CURRENT,
    DONE,
    NAME,
    PARTS,
    SEEN,
    STEAL,
    STOP,
    TIMED_NAME,
    TIMES,
)


def emit(timed: bool = False) -> str:
    """The module's text; `timed` for the loop that measures each instruction."""
    name = TIMED_NAME if timed else NAME
    module = ir.Module(name=name)
    module.triple = host().triple
    meet = barrier(module)
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
    shown = at(b, b.add(state, b.mul(b.and_(s, I64(1)), I64(8))), SEEN)
    with b.if_then(first):
        b.store_atomic(b.load_atomic(at(b, state, STOP), "acquire", 8), shown, "release", 8)
    with b.if_then(several):
        b.call(meet, [state, threads])
    seen = b.load_atomic(shown, "acquire", 8)
    b.cbranch(b.icmp_signed("!=", seen, I64(0)), blocks["out"], blocks["go"])

    b.position_at_end(blocks["go"])
    if timed:
        _stamp(b, state, first, I64(0), begin=True)
    _instructions(b, meet, timed)
    if timed:
        _stamp(b, state, first, I64(0))
    b.branch(blocks["stepped"])

    b.position_at_end(blocks["stepped"])
    with b.if_then(first):
        b.store_atomic(b.add(s, I64(1)), at(b, state, DONE), "release", 8)
    s.add_incoming(b.add(s, I64(1)), b.block)
    b.branch(blocks["step"])

    b.position_at_end(blocks["out"])
    with b.if_then(several):
        b.call(meet, [state, threads])
    restore()
    b.ret_void()
    return str(module)


def _instructions(b: Any, meet: Any, timed: bool) -> None:
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
    tasks, flag = b.load(at(b, row, 2)), b.load(at(b, row, 3))
    length = b.lshr(flag, I64(CHAIN.bit_length() - 1))
    chained = b.icmp_signed(">", length, I64(1))
    length = b.select(chained, length, I64(1))
    with b.if_then(b.and_(several, b.trunc(flag, ir.IntType(1)))):
        b.call(meet, [state, threads])
    if timed:
        _stamp(b, state, first, i)
    stolen = b.and_(several, b.icmp_signed("!=", b.and_(flag, I64(STEAL)), I64(0)))
    with b.if_else(stolen) as (claimed, fixed):
        with claimed:
            _claim(b, tasks, chained, lambda share, total: _follow(b, row, i, length, share, total, timed))
        with fixed:
            shares = b.select(b.icmp_signed("<", tasks, threads), tasks, threads)
            total = b.select(chained, tasks, shares)
            with b.if_then(b.icmp_signed("<", thread, shares)):
                repeat(b, thread, total, threads, [], lambda share: _follow(b, row, i, length, share, total, timed))
    i.add_incoming(b.add(i, length), b.block)
    b.branch(head)
    b.position_at_end(done)


def _follow(b: Any, row: Any, index: Any, length: Any, share: Any, total: Any, timed: bool) -> list[Any]:
    """One share of an instruction, or of those of a chain one after the other. A loop carries nothing from one to the next."""
    _, _, state, *_ = b.function.args
    first = b.icmp_signed("==", b.function.args[0], I64(0))

    def one(j: Any) -> list[Any]:
        place = b.add(row, b.mul(j, I64(32)))
        if timed:
            _stamp(b, state, first, b.add(index, j))
        pointer = b.inttoptr(b.load(at(b, place, 0)), ir.FunctionType(ir.VoidType(), [I64] * 3).as_pointer())
        b.call(pointer, [share, total, b.load(at(b, place, 1))])
        return []

    return repeat(b, I64(0), length, 1, [], one)


def _claim(b: Any, tasks: Any, chained: Any, follow: Callable[[Any, Any], Any]) -> None:
    """This thread's own shares, one at a time, then those that the others have not begun. The meeting before has emptied the claims."""
    thread, threads, state, *_ = b.function.args
    most = b.mul(threads, I64(PARTS))
    total = b.select(b.or_(chained, b.icmp_signed("<", tasks, most)), tasks, most)
    claims = b.load(at(b, state, CLAIMS))
    before, (head, take, call, following, done) = b.block, (b.append_basic_block(n) for n in ("whose", "take", "own", "other", "claimed"))
    b.branch(head)
    b.position_at_end(head)
    k = b.phi(I64, "k")
    k.add_incoming(I64(0), before)
    after = b.add(thread, k)
    victim = b.select(b.icmp_signed("<", after, threads), after, b.sub(after, threads))
    low, high = (b.udiv(b.mul(total, v), threads) for v in (victim, b.add(victim, I64(1))))
    place = at(b, b.add(claims, b.mul(victim, I64(64))), 0)
    b.cbranch(b.icmp_signed("<", k, threads), take, done)
    b.position_at_end(take)
    share = b.add(low, b.atomic_rmw("add", place, I64(1), "monotonic"))
    b.cbranch(b.icmp_signed("<", share, high), call, following)
    b.position_at_end(call)
    follow(share, total)
    b.branch(take)
    b.position_at_end(following)
    k.add_incoming(b.add(k, I64(1)), following)
    b.branch(head)
    b.position_at_end(done)


def _stamp(b: Any, state: Any, first: Any, index: Any, begin: bool = False) -> None:
    """Thread 0 adds the ticks since the last stamp to the instruction that began then; instruction `index` begins now."""
    with b.if_then(first):
        now = ticks(b)
        began, current = at(b, state, BEGAN), at(b, state, CURRENT)
        if not begin:
            place = at(b, b.add(b.load(at(b, state, TIMES)), b.mul(b.load(current), I64(8))), 0)
            b.store(b.add(b.load(place), b.sub(now, b.load(began))), place)
        b.store(now, began)
        b.store(index, current)


def _floating_point(b: Any) -> Callable[[], None]:
    """Sets the mode that every thread computes in: round to nearest, and no denormal flushed. Returns what puts the caller's back.

    Processors flush denormals in ways of their own (before rounding or after it); kept, they are the same bits everywhere.
    """
    module, i8, i32, i64 = b.module, ir.IntType(8), ir.IntType(32), ir.IntType(64)
    if host().architecture == "aarch64":
        get = intrinsic(module, "llvm.aarch64.get.fpcr", ir.FunctionType(i64, []))
        put = intrinsic(module, "llvm.aarch64.set.fpcr", ir.FunctionType(ir.VoidType(), [i64]))
        before = b.call(get, [])
        b.call(put, [i64(0)])
        return lambda: b.call(put, [before])
    kind = ir.FunctionType(ir.VoidType(), [i8.as_pointer()])
    get, put = (intrinsic(module, f"llvm.x86.sse.{name}mxcsr", kind) for name in ("st", "ld"))
    theirs, ours = (b.bitcast(b.alloca(i32), i8.as_pointer()) for _ in range(2))
    b.call(get, [theirs])
    b.store(i32(0x1F80), b.bitcast(ours, i32.as_pointer()))
    b.call(put, [ours])
    return lambda: b.call(put, [theirs])
