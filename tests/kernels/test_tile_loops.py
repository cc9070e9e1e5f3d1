"""The innermost loops of all register tiles, as machine code for processors of every kind: multiply-adds on vectors, nothing on the stack, no calls."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("tile_loops.py")
KINDS = {
    "AVX-512": ("x86_64-unknown-linux-gnu", "16", "x86-64-v4"),
    "AVX2": ("x86_64-unknown-linux-gnu", "8", "x86-64-v3"),
    "NEON": ("aarch64-unknown-linux-gnu", "4", "generic", "neoverse-n1", "neoverse-v1", "apple-m1"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_loops_stay_in_registers(kind):
    done = subprocess.run([sys.executable, str(SCRIPT), *KINDS[kind]], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {cpu for cpu, *_ in found} == set(KINDS[kind][2:]) and len(found) > 25 * len(KINDS[kind][2:])
    for cpu, name, products, spills, calls in found:
        what, _, size = name.partition(" ")
        rows, vectors = map(int, size.split("x"))
        assert products >= rows * vectors * {"planes": 3, "patch": 4}.get(what, 1), (cpu, name)
        assert (spills, calls) == (0, 0), (cpu, name)
