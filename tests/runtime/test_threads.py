"""Threads and the barrier: order, stopping, one core, interrupts, the floating-point mode; how many there should be."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from layerctl.kernels import words
from layerctl.kernels.store import addresses
from layerctl.ops.kernel import Loop
from layerctl.runtime import threads
from layerctl.runtime.threads import Team, count

STEP = Loop(
    (("f32", 1),), (("mul", "f32", (0, ("const", "f32", 0.5))), ("add", "f32", (1, ("const", "f32", 1.0)))), (2,)
)
COPY = Loop((("f32", 1), ("f32", 1)), (("add", "f32", (0, 1)),), (2,))


class Program:
    """Instruction rows, with the memory that their blocks speak of."""

    def __init__(self):
        self.rows, self.memory = [], []

    def add(self, ref, *args, tasks=8, meet=1):
        block = np.array([a.ctypes.data if isinstance(a, np.ndarray) else a for a in args], np.int64)
        self.memory += [block, *args]
        self.rows.append((addresses([ref])[ref.key], block.ctypes.data, tasks, meet))

    @property
    def instructions(self):
        return np.array(self.rows, np.int64).reshape(-1, 4)


@pytest.fixture(params=[1, 2, 3])
def team(request):
    made = Team(request.param)
    yield made
    made.close()


def relay(length=40, n=23):
    """Each instruction reads, in reverse shares, what the last one wrote: a missing barrier shows."""
    program, buffers = Program(), [np.zeros(n, np.float32) for _ in range(length)]
    for i in range(length):
        program.add(STEP, n, buffers[i - 1], buffers[i], tasks=8 if i % 3 else 1)
    return program, buffers


def test_short_instructions_keep_their_order(team):
    program, buffers = relay()
    assert team.run(program.instructions, 500) == 500
    expected = np.float32(0)
    for _ in range(40 * 500):
        expected = np.float32(expected * np.float32(0.5) + 1)
    assert all((b == expected).all() for b in buffers[-1:])
    one, alone = relay()
    Team(1).run(one.instructions, 500)
    assert [b.tobytes() for b in buffers] == [b.tobytes() for b in alone]


def test_steps_are_apart_without_a_barrier_in_them(team):
    total, one = np.zeros(1, np.float32), np.ones(1, np.float32)
    program = Program()
    program.add(COPY, 1, total, one, total, tasks=1, meet=0)
    program.add(STEP, 1, one, np.zeros(64, np.float32), tasks=4, meet=0)
    for i in range(1, 30):
        assert team.run(program.instructions, 100) == 100
        assert total[0] == 100 * i


def test_nothing_to_do(team):
    program, _ = relay(4)
    assert team.run(program.instructions, 0) == 0
    assert team.run(np.zeros((0, 4), np.int64), 3) == 3


def test_stop_ends_after_a_whole_step(team):
    program, _ = relay(4)
    counter, one = np.zeros(1, np.float32), np.ones(1, np.float32)
    program.add(COPY, 1, counter, one, counter, tasks=1)
    timer = threading.Timer(0.05, team.stop)
    timer.start()
    done = team.run(program.instructions, 1 << 40)
    assert 0 < done == counter[0] or counter[0] == 2**24
    assert team.run(program.instructions, 3) == 3


def test_a_stop_between_runs_counts_for_the_next(team):
    program, _ = relay(4)
    team.stop()
    assert team.run(program.instructions, 5) == 0
    assert team.run(program.instructions, 5) == 5


def test_many_stops_never_hang(team):
    program, _ = relay(2, 1)
    asking = threading.Event()

    def ask():
        while not asking.is_set():
            team.stop()
            time.sleep(0.0003)

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for _ in range(150):
            assert team.run(program.instructions, 2000) <= 2000
    finally:
        asking.set()
        asker.join()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupt_leaves_a_team_that_works(monkeypatch, moment):
    team, (program, _) = Team(2), relay(4)
    lead = team._lead

    def interrupted(*order):
        if moment == "after":
            lead(*order)
        team._lead = lead
        raise KeyboardInterrupt

    team._lead = interrupted
    with pytest.raises(KeyboardInterrupt):
        team.run(program.instructions, 10)
    assert team.run(program.instructions, 10) == 10
    team.close()


def test_denormals_are_kept_and_the_callers_mode_is_restored(team):
    tiny = np.full(64, 1e-39, np.float32)
    out = np.zeros(64, np.float32)
    program = Program()
    program.add(COPY, 64, tiny, tiny, out)
    team.run(program.instructions, 1)
    assert (out == tiny + tiny).all() and out[0] > 0


def test_instructions_of_another_form_are_refused(team):
    with pytest.raises(TypeError, match="four int64"):
        team.run(np.zeros((3, 4), np.int32), 1)


ONE_CORE = """
import os, sys, time
sys.path.insert(0, {tests!r})
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}})
import test_threads
team, (program, _) = test_threads.Team(2), test_threads.relay()
start = time.perf_counter()
assert team.run(program.instructions, 50) == 50
assert time.perf_counter() - start < 5, "crawled"
print(test_threads.count(None), test_threads.count(4))
"""


def test_two_threads_on_one_core_do_not_hang():
    code = ONE_CORE.format(tests=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1", "1"] or not hasattr(os, "sched_setaffinity")


def test_waiting_long_costs_little():
    """While one thread computes, the other sleeps: the process's time stays near the clock's."""
    program, n = Program(), 3_000_000
    x = np.ones(n, np.float32)
    program.add(STEP, n, x, x, tasks=1)
    program.add(STEP, 1, np.ones(1, np.float32), np.ones(1, np.float32), tasks=2)
    team = Team(2)
    team.run(program.instructions, 1)
    cpu = time.process_time()
    start = time.perf_counter()
    team.run(program.instructions, 40)
    assert time.process_time() - cpu < 1.4 * (time.perf_counter() - start)
    team.close()


@pytest.mark.parametrize(("files", "own", "expected"), [
    ({"cpu.max": "150000 100000\n"}, "0::/\n", [1.5]),
    ({"cpu.max": "max 100000\n"}, "0::/\n", []),
    ({"a/cpu.max": "200000 100000\n", "a/b/cpu.max": "max 100000\n"}, "0::/a/b\n", [2.0]),
    ({"cpu/x/cpu.cfs_quota_us": "50000\n", "cpu/x/cpu.cfs_period_us": "100000\n"}, "3:memory:/x\n2:cpu,cpuacct:/x\n", [0.5]),
    ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, "2:cpu:/x\n", []),
    ({"cpu.max": "garbage\n"}, "nonsense", []),
])  # fmt: skip
def test_quotas(tmp_path, files, own, expected):
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "own").write_text(own)
    assert list(threads._quotas(tmp_path / "cgroup", tmp_path / "own")) == expected


def test_count_is_the_least_of_all(monkeypatch):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "_quotas", lambda: [2.5, 6.0])
    assert (count(), count(2), count(100)) == (3, 2, 3)
    monkeypatch.setattr(threads, "_quotas", lambda: [0.2])
    assert count() == count(4) == 1


def allowed(task: int) -> set[int]:
    """The cores that a thread of this process may use."""
    return os.sched_getaffinity(task)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="one core, or no affinity here")
def test_threads_are_on_cores_of_their_own_while_they_run_and_free_after():
    program, n = Program(), 1 << 16
    buffers = [np.zeros(n, np.float32) for _ in range(2)]
    for i in range(2):
        program.add(STEP, n, buffers[i - 1], buffers[i])
    team, free, seen = Team(2), allowed(0), []
    team.run(program.instructions, 10)
    worker, leader = team._workers[0].native_id, threading.get_native_id()

    def watch():
        for _ in range(50):
            time.sleep(0.002)
            seen.append((allowed(leader), allowed(worker)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    while watcher.is_alive():
        team._state[words.HURRIED] = 0
        team.run(program.instructions, 3000)
    watcher.join()
    deadline = time.monotonic() + 10
    while allowed(worker) != free and time.monotonic() < deadline:
        time.sleep(0.01)
    team.close()
    apart = [(a, b) for a, b in seen if len(a) == 1 and not a & b]
    assert len(apart) > len(seen) // 2
    assert allowed(leader) == free


def test_many_orders_need_no_more_stack():
    program, buffers = relay(2)
    team, instructions = Team(2), program.instructions
    for _ in range(60_000):
        assert team.run(instructions, 1) == 1
    team.close()
    assert np.isfinite(buffers[0]).all()
