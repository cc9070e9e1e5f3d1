"""`layerctl predict` with a language model: goes on with a prompt."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from layerctl.diagnostics import Diagnostic, Source, Span, fail

if TYPE_CHECKING:
    from layerctl.api import Model
    from layerctl.training.continuing import Sampling

LONGEST = 1 << 20
"""Bytes of a prompt."""


def sample(model: Model, data: str | None, prompt: str | None, how: Sampling, *, form: str | None, out: str | None) -> list[Diagnostic]:
    """Writes the prompt and what the model makes of it, piece by piece, to `out` or standard output; with `form` jsonl a line of JSON.

    The prompt is given, or what the file `data` or standard input (-) holds. Returns warnings.

    Raises:
        LayerctlError: for a model that goes on with no text, and for a prompt that cannot be read.
    """
    from layerctl.events import line
    from layerctl.training.continuing import Continuation, plain

    if form not in (None, "jsonl"):
        fail("bad-option", f"a text has no form '{form}'", Span(Source("--format")), hint="leave --format out, or use jsonl")
    if prompt is not None and data is not None:
        fail("bad-option", "the prompt is given twice: by --prompt and as DATA", Span(Source("--prompt")), hint="leave one of them out")
    found = Continuation(model, prompt if prompt is not None else _read(data), how)
    unknown = found.unknown()
    warnings = []
    if unknown:
        text = f"the model does not know {', '.join(map(repr, unknown[:5]))} of the prompt: training did not have it"
        warnings.append(Diagnostic("unknown-token", text, Span(Source("--prompt")), (), None, "warning"))
    if out is None and form is None:
        sys.stdout.write(found.prompt)
        for piece in found:
            sys.stdout.write(piece)
            sys.stdout.flush()
        sys.stdout.write("\n")
        sys.stdout.flush()
        return warnings
    whole = found.prompt + "".join(found)
    text = (whole if form is None else line(plain(found), first=True)) + "\n"
    if out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        from layerctl.modelfile.atomic import write

        write(Path(out), [text.encode()])
    return warnings


def _read(data: str | None) -> str:
    """The prompt in a file or standard input; empty if there is neither."""
    if data is None:
        return ""
    place = Span(Source("<stdin>" if data == "-" else data))
    if data == "-" and sys.stdin.isatty():
        fail("missing-data", "standard input is a terminal: there is no prompt to read", place, hint='pipe a text in, or give --prompt "Once upon"')
    try:
        if data == "-":
            raw = sys.stdin.buffer.read(LONGEST + 1)
        else:
            with open(data, "rb") as file:
                raw = file.read(LONGEST + 1)
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        fail("file-encoding", "the prompt is not UTF-8", place, hint="write it as UTF-8")
        raise
    except OSError as error:
        code = "file-not-found" if isinstance(error, FileNotFoundError) else "file-unreadable"
        fail(code, f"cannot read {data}: {error.strerror or error}", place, hint="a prompt may be given as --prompt TEXT")
        raise
    if len(raw) > LONGEST:
        fail("file-too-large", f"the prompt is longer than {LONGEST:,} bytes", place, hint="shorten it: the model sees the last tokens alone")
    return text
