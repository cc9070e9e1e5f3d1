"""Work by the thread beside the caller's."""

import os
import subprocess
import sys

import pytest

from layerctl.data.underway import Underway

LEAVES = """
import time
import numpy as np
from layerctl.data import blocks
from layerctl.data.native import decimals
from layerctl.data.underway import Underway

words = blocks.Words.of(frozenset({""}))
digits, tens = np.full(64, ord("7"), np.uint8), np.array([10.0**i for i in range(23)])

def convert(rows):
    starts = np.zeros((rows, 8), np.int32)
    blocks.run(decimals.numbers, digits, starts, starts + 17, rows, 8, np.ones(8, np.uint8), words.text, words.bounds, len(words), words.begins,
               0, decimals.powers(), tens, *[np.empty((8, rows))] * 2, np.empty((8, rows), np.uint8))

Underway(lambda: convert(1)).result()
underway = Underway(lambda: convert(1 << 21))
time.sleep(0.2)
"""


def test_results_come_in_order_and_errors_where_they_are_asked_for():
    first, bad, last = Underway(lambda: 1), Underway(lambda: 1 // 0), Underway(lambda: 3)
    assert last.result() == 3 and first.result() == first.result() == 1
    with pytest.raises(ZeroDivisionError):
        bad.result()


def test_a_process_may_end_while_the_thread_runs_a_kernel():
    """The kernel takes a second or so; the code that it is in stays until the process has ended."""
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", LEAVES], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_a_forked_child_has_a_thread_of_its_own():
    script = (
        "import os, sys; from layerctl.data.underway import Underway; Underway(lambda: 1).result()\n"
        "child = os.fork()\n"
        "if not child: os._exit(Underway(lambda: 7).result())\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 7
