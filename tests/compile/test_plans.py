"""Plans as text: fusion, places, barriers; and the checks of a plan, on planted mistakes."""

import numpy as np
import pytest
from machine import run

from layerctl.api import Model
from layerctl.compile.fuse import fuse, schedule
from layerctl.compile.memory import Arena
from layerctl.compile.program import Group, Layout
from layerctl.ops.elementwise import apply
from layerctl.ops.leaves import input_
from layerctl.ops.value import OPS, Op, Trace, Type, Weight, tracing

TEXT = """
layerctl: 1
name: plan
model:
  - Input: {shape: [4]}
  - Dense: {units: 3, activation: relu}
compile: {optimizer: {SGD: {learning_rate: 0.1, momentum: 0.9}}, loss: mse}
"""


def test_a_training_step_is_a_short_list():
    lines = [line.split()[1:3] for line in Model.from_yaml(TEXT).show("program").splitlines()]
    names = [name for line in lines for name in line if not name.startswith(("x", "batch", "loop", "matmul_", "|"))]
    assert names.count("matmul") == 3
    assert len(lines) <= 17
    assert sum("state+0" in line for line in Model.from_yaml(TEXT).show("program").splitlines()) == 1


def test_the_memory_of_values_that_do_not_live_together_is_shared():
    def chain(x):
        for _ in range(6):
            x = x @ x
        return x

    trace = Trace()
    from layerctl.compile.pipeline import compile_program

    with tracing(trace):
        program = compile_program(trace, {"y": chain(input_("x", Type((32, 32))))}, {}, Layout())
    assert program.arena_size < 9 * 4096 + 2 * 32 * 64 * 4


def test_fusion_makes_no_cycle_and_keeps_results():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, 8)).astype(np.float32)

    def tangled(v):
        a = apply("exp", v)
        b = a @ a
        c = a + b
        d = c * a
        return [d, apply("tanh", d) + b, c.__neg__()]

    a = np.exp(x)
    b = a @ a
    for got, want in zip(run(tangled, x), [(a + b) * a, np.tanh((a + b) * a) + b, -(a + b)], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4)


def test_a_cycle_would_be_noticed():
    trace = Trace()
    with tracing(trace):
        x = input_("x", Type((4,)))
        y = apply("exp", x)
        z = apply("tanh", y)
    nodes = fuse([x.node, y.node, z.node], [z])
    assert [n.op.name for n in nodes] == ["input", "fused"]
    y.node.inputs = (z,)
    with pytest.raises(AssertionError, match="cycle"):
        schedule([x.node, y.node, z.node])


def test_an_op_without_a_rule_fails_where_it_is_declared():
    with pytest.raises(TypeError, match=r"op Half lacks: calls, gradient"):
        class Half(Op):
            name = "half"

            def infer(self, x):
                return x.type
    assert "half" not in OPS


def test_the_arena_gives_back_and_joins():
    arena = Arena()
    a, b, c = arena.take(100), arena.take(200), arena.take(50)
    assert (a, b, c) == (0, 128, 384)
    arena.give(a, 100)
    arena.give(b, 200)
    assert arena.take(300) == 0 and arena.size == 448


def test_members_of_a_group_stand_side_by_side():
    w, v = Weight("w", (3, 5)), Weight("v", (7,))
    layout = Layout()
    layout.add(Group("g", [w, v]))
    assert layout.offsets[v] - layout.offsets[w] == 64 and layout.offsets[w] % 64 == 0
