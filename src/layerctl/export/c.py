"""One C99 file: the model, its features, and a program that reads a table and writes predictions."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

from layerctl.diagnostics import Source, Span, fail
from layerctl.export._c.file import c_file
from layerctl.export._rows import compare
from layerctl.export.base import Report, reading_notes, refuse_states, traced
from layerctl.modelfile.atomic import reason, write
from layerctl.temporary import scratch_folder

SUFFIX = ".c"
COMPILER = "$CC names another compiler; with CC=none the file is written and not compiled"
FLAGS = ("-std=c99", "-O2")
LONGEST = 600.0
LACKING = "this machine gave it too little: raise the limits (ulimit -n, ulimit -v), or free some space; with CC=none the file is not compiled"
_SHORT = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EFBIG)
_SAID = [*map(os.strerror, _SHORT), "emory exhausted", "Killed"]
"""What a compiler says when it is not the file's fault."""


def export(model: Any, path: Path) -> Report:
    """Writes the model as C. Where there is a compiler ($CC, or cc), the program is compiled and compared with `layerctl predict` first.

    Raises:
        LayerctlError: for what C export cannot express (all of it at once), for a compiler that refuses, for a result that differs.
    """
    refuse_states(model, "C")
    made = traced(model, 1)
    text = c_file(made)
    compiler = shlex.split(os.environ.get("CC") or "cc")
    if shutil.which(compiler[0]) is None:
        write(path, [text.encode()])
        return Report(0, float("nan"), _notes(model), f"there is no C compiler here ({compiler[0]}); $CC names another")
    with scratch_folder() as folder:
        source, program = Path(folder) / "model.c", Path(folder) / "model"
        source.write_text(text, encoding="utf-8")
        at_work = {**os.environ, "TMPDIR": folder, "LC_ALL": "C"}
        _run([*compiler, *FLAGS, "-o", str(program), str(source), "-lm"], "", path, "the C compiler refuses the file", at_work)
        rows, difference = compare(made, path, lambda table: _run([str(program)], table, path, "the compiled program ends with an error"))
    write(path, [text.encode()])
    return Report(rows, difference, _notes(model))


def _run(command: list[str], given: str, path: Path, what: str, environment: dict[str, str] | None = None) -> str:
    """What a program writes; it has some minutes."""
    name, place = Path(command[0]).name, Span(Source(str(path)))
    try:
        done = subprocess.run(command, input=given.encode(), capture_output=True, timeout=LONGEST, check=False, env=environment)
    except OSError as error:
        fail("export-failed", f"{name} cannot be started: {reason(error)}; nothing was written", place,
             hint=LACKING if error.errno in _SHORT else COMPILER)  # fmt: skip
        raise
    except subprocess.TimeoutExpired:
        fail("export-failed", f"{name} has not ended after {LONGEST:.0f} s; nothing was written", place, hint=COMPILER)
        raise
    if done.returncode:
        said = " / ".join(done.stderr.decode(errors="replace").strip().split("\n")[:5]) or str(done.returncode)
        lacking = done.returncode == -signal.SIGKILL or any(m in said for m in _SAID)
        problem, cure = (f"{name} cannot do its work", LACKING) if lacking else (what, COMPILER)
        fail("export-failed", f"{problem}: {said}; nothing was written", place, hint=cure)
    return done.stdout.decode(errors="replace")


def _notes(model: Any) -> tuple[str, ...]:
    spec = model.spec.data
    coded = spec is not None and spec.encoding != "utf-8"
    passing = spec is not None and bool(spec.skip)
    return (
        *((f"the program reads UTF-8; the data section says {spec.encoding}",) if coded else ()),
        *reading_notes(spec),
        *(("the program takes lines that `skip` names for rows: give it a table without them",) if passing else ()),
    )
