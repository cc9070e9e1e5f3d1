"""One Python file with numpy alone: the model, its features, and a program that reads a table and writes predictions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from layerctl.diagnostics import Source, Span, fail
from layerctl.export._python.file import python_file
from layerctl.export._rows import compare
from layerctl.export.base import Report, reading_notes, refuse_states, traced
from layerctl.modelfile.atomic import write
from layerctl.ops.numpy_lines import ROWS
from layerctl.temporary import scratch_folder

SUFFIX = ".py"
LONGEST = 600.0


def export(model: Any, path: Path) -> Report:
    """Writes the model as a Python file, which is run and compared with `layerctl predict` first.

    Raises:
        LayerctlError: for what has no form in numpy (all of it at once), or for a result that differs.
    """
    refuse_states(model, "Python")
    made = traced(model, ROWS)
    text = python_file(made)
    encoding = model.spec.data.encoding if model.spec.data is not None else "utf-8"
    with scratch_folder() as folder:
        program = Path(folder) / "model.py"
        program.write_text(text, encoding="utf-8")
        rows, difference = compare(made, path, lambda table: _run(program, table.encode(encoding, "replace"), path))
    write(path, [text.encode()])
    return Report(rows, difference, reading_notes(model.spec.data))


def _run(program: Path, table: bytes, path: Path) -> str:
    """What the program writes for a table; it has some minutes."""
    done = subprocess.run([sys.executable, str(program), "-"], input=table, capture_output=True, timeout=LONGEST, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().split("\n")[-1]
        fail("export-failed", f"the exported program ends with an error: {said}; nothing was written", Span(Source(str(path))),
             hint="the file needs numpy 1.22 or later and nothing else; `python -c 'import numpy'` must work here")  # fmt: skip
    return done.stdout.decode()
