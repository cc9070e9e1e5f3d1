"""From a trace to a program: the passes, in order.

prune       what nobody needs is left out
trim        convolutions compute no more than the pooling after them reads
fuse        elementwise neighbours become one node each; the order respects data
fuse_sums   sums over leading dimensions join the pass that computes what they add up
finish      products and convolutions pool, add biases and apply relu themselves
project     recurrent ops project their input themselves, and keep what is read alone
call        each node's kernel calls
hoist       what does not change from step to step is computed before the first
chain       neighbours that keep to parts of the batch run share by share
place       liveness, the arena, updates in place
share       which calls are worth several threads, and where these have to meet
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from layerctl.compile.chain import before, chains
from layerctl.compile.differentiate import ancestors
from layerctl.compile.finish import finish
from layerctl.compile.fuse import fuse
from layerctl.compile.fuse_sums import fuse_sums
from layerctl.compile.hoist import Unchanging
from layerctl.compile.memory import Planner
from layerctl.compile.program import Chain, Layout, Location, Planned, Program
from layerctl.compile.project import project
from layerctl.compile.trim import trim
from layerctl.ops.copying import plan_copy
from layerctl.ops.elementwise import Elementwise
from layerctl.ops.kernel import Call
from layerctl.ops.value import SIZE_OF, Node, Trace, Value, Weight, product, tracing, unviewed

WORTH_SHARING = 6000.0
"""Nanoseconds of work below which a call stays on one thread: two meetings cost about a fifth of that."""
WORTH_IN_STEP, IN_STEP = 2500.0, 8
"""The same for a call of a node that has so many of one kernel: threads that come from the one before meet at once."""
AWAKE, WORTH_WAKING = 10_000.0, 80_000.0
"""Nanoseconds of work by one thread after which the others sleep, and of work that they are worth waking for then."""


def compile_program(
    trace: Trace, outputs: Mapping[str, Value], updates: Mapping[Weight, Value], layout: Layout
) -> Program:
    """Compiles what is needed for `outputs` and `updates`. Weights without a place in `layout` are given one."""
    with tracing(trace):
        outputs = {name: _own(value) for name, value in outputs.items()}
        updates = {w: _own(v) for w, v in updates.items()}
    keep = [*outputs.values(), *updates.values()]
    trim(keep)
    nodes = project(finish(fuse_sums(fuse(ancestors(keep), keep), keep), keep), keep)
    for node in nodes:
        if node.op.name == "parameter":
            layout.add(node.attrs["weight"])
    for weight in updates:
        layout.add(weight)
    once = Unchanging(nodes, updates, keep, layout)
    planner = Planner(nodes, layout, outputs.values(), dict(updates))
    with tracing(trace):
        trace.lasting, trace.placed = once.values, planner.placed()
        calls = {id(n): n.op.calls(n) for n in nodes if not n.op.is_view}
    planner.keep(*once.lasting(nodes, calls))

    def those(first: bool) -> dict[int, list[Call]]:
        return {id(n): [c for c in calls.get(id(n), ()) if once.call(n, c) is first] for n in nodes}

    found = chains(planner, those(False))
    memory = planner.plan(calls, found)
    _drop_done_copies(nodes, calls, memory.locations)
    planned = share(nodes, those(False), found)
    locations = memory.locations
    for weight, value in planner.late.items():
        planned.append(_copy_back(weight, value, layout, locations))
    inputs = {n.attrs["label"]: (locations[id(n.outputs[0])], n.outputs[0].type) for n in nodes if n.op.name == "input"}
    return Program(
        nodes, planned, locations, memory.scratch, inputs, {k: (locations[id(v)], v.type) for k, v in outputs.items()},
        layout, memory.arena_size, memory.constants, memory.constants_size, share(nodes, those(True)),
    )  # fmt: skip


def _own(value: Value) -> Value:
    """The value, or a copy where it is a leaf (or a view of one) whose memory the program does not own."""
    if unviewed(value).node.op.name in ("parameter", "constant", "input"):
        return Elementwise.apply(value, fn="identity", dtype=value.dtype)
    return value


def _drop_done_copies(nodes: list[Node], calls: dict[int, list[Call]], locations: dict) -> None:
    """A pack's copies of operands that were computed in place fall away."""
    for node in nodes:
        if node.op.name != "pack":
            continue
        base = locations[id(node.outputs[0])]
        calls[id(node)] = [
            call for call, v, start in zip(calls[id(node)], node.inputs, node.attrs["starts"], strict=True)
            if locations[id(v)] != type(base)(base.space, base.offset + SIZE_OF[v.dtype] * start)
        ]  # fmt: skip


def _copy_back(weight: Weight, value: Value, layout: Layout, locations: dict[int, Location]) -> Planned:
    """Writes an update whose weight was still being read while it was computed."""
    n = int(product(weight.shape))
    target = Value(weight.type, value.node)
    locations[id(target)] = Location("state", layout.offsets[weight])
    call = plan_copy(value, target, (n,), (1,), (1,))
    return Planned(call, value.node, 1, True)


def share(nodes: list[Node], calls: dict[int, list[Call]], found: Sequence[Chain] = (), worth: float = WORTH_SHARING) -> list[Planned]:
    """Decides each call's number of shares, and puts a barrier wherever work by one thread follows work by several or the reverse."""
    out: list[Planned] = []
    starts = {c.first: c for c in found}
    inside = {key for c in found for key in c.nodes}
    for place, node in enumerate(nodes):
        if place in starts:
            chain = starts[place]
            both = [(n, c) for n in nodes[place : chain.last + 1] if id(n) in chain.nodes for c in calls[id(n)]]
            out += [_alone(c, n, worth) for n, c in both if before(c)]
            linked = [Planned(c, n, chain.shares, barrier=False) for n, c in both if not before(c)]
            linked[0].chain = len(linked)
            out += linked
        if id(node) not in inside:
            own = calls.get(id(node), ())
            often = Counter(c.ref for c in own)
            out += [_alone(c, node, min(worth, WORTH_IN_STEP) if often[c.ref] >= IN_STEP else worth) for c in own]
    _keep_asleep(out)
    shared_before, left = False, 0
    for p in out:
        left = p.chain if p.chain > 1 else left - 1
        p.barrier = (shared_before or p.tasks > 1) and (p.chain > 1 or left <= 0)
        shared_before = p.tasks > 1
    return out


def _alone(call: Call, node: Node, worth: float) -> Planned:
    return Planned(call, node, call.tasks if call.tasks > 1 and call.work >= worth else 1, barrier=False)


def _keep_asleep(planned: list[Planned]) -> None:
    """Leaves to one thread what is not worth waking the others for, who fall asleep while one works alone for long."""
    gap, group, work = 0.0, list[Planned](), 0.0

    def end() -> None:
        if work < WORTH_WAKING and before >= AWAKE:
            for p in group:
                p.tasks = 1

    before = 0.0
    for p in planned:
        if p.tasks > 1:
            if not group:
                before = gap
            group.append(p)
            work, gap = work + p.call.work, 0.0
            continue
        gap += p.call.work
        if group and gap >= AWAKE:
            end()
            group, work = [], 0.0
    if group:
        end()
