"""Mapped files that become shorter while they are read: told, where the system would end the process without a word."""

import subprocess
import sys

import numpy as np
import pytest

READ = """
import os, sys
from layerctl.data import arrays
from layerctl.diagnostics import Source, Span
arrays.MAPPED = 1
name = sys.argv[1]
found = arrays.read_npz(name, Span(Source(name)))
os.truncate(name, 500)
print(found.columns["x"].sum())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cut a mapping otherwise")
@pytest.mark.parametrize("name", ["x.npz", "x.npy"])
def test_a_mapped_file_that_becomes_shorter(tmp_path, name):
    array = np.ones((5000, 8))
    np.savez(tmp_path / name, x=array) if name.endswith("z") else np.save(tmp_path / name, array)
    done = subprocess.run([sys.executable, "-c", READ, name], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.startswith(f"{name}: error: '{name}' became shorter while it was read [file-changed]\n  hint: try again")
