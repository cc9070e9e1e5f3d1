"""`layerctl predict`: a row of predictions for each row of data, in order."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from layerctl.diagnostics import Source, Span, did_you_mean, fail

if TYPE_CHECKING:
    from layerctl.commands.predicting import Predictor

FORMATS = ("csv", "jsonl", "npz")


def predict(
    model: str, data: str | None = None, *, form: str | None = None, input_format: str | None = None, out: str | None = None,
    batch: int | None = None, keep: Sequence[str] = (), layers: Sequence[str] = (), threads: int | None = None,
    prompt: str | None = None, sampling: Mapping[str, Any] | None = None,
) -> int:  # fmt: skip
    """Writes predictions to `out` or standard output, flushed piece by piece; returns how many rows.

    A language model goes on with `prompt`, or with what the data hold; `sampling` are the arguments of Sampling.

    Raises:
        LayerctlError: for the model, the data, or a place that cannot be written to.
    """
    from layerctl.commands.predicting import Predictor

    predictor = Predictor(model, threads)
    if predictor.goes_on() or prompt is not None or sampling:
        return _gone_on(predictor, data, prompt, sampling or {}, form, out)
    source = data
    if source is None:
        loaded = predictor.model
        if loaded.spec.data is None or not isinstance(loaded.spec.data.source, str):
            fail("missing-data", "say which data to predict for", Span(Source("DATA")), hint="give a file, or - for standard input")
        source = loaded.spec.data.source
    if source == "-" and sys.stdin.isatty():
        fail("missing-data", "standard input is a terminal: there is nothing to read", Span(Source("-")),
             hint="pipe data in, or give a file: layerctl predict MODEL data.csv")  # fmt: skip
    chosen = form or _by_ending(out)
    pieces = predictor.stream(source, input_format, batch, layers)
    if chosen == "npz":
        return _npz(pieces, out)
    if out is None:
        return _write(pieces, sys.stdout, chosen, keep, flush=True)
    from layerctl.modelfile.atomic import write

    text = io.StringIO()
    n = _write(pieces, text, chosen, keep, flush=False)
    write(Path(out), [text.getvalue().encode()])
    return n


def _gone_on(predictor: Predictor, data: str | None, prompt: str | None, sampling: Mapping[str, Any], form: str | None, out: str | None) -> int:
    from layerctl.commands.sample import sample
    from layerctl.training.continuing import Sampling

    for warning in sample(predictor.model, data, prompt, Sampling(**sampling), form=form, out=out):
        print(warning.render(), file=sys.stderr)
    return 1


def _by_ending(out: str | None) -> str:
    ending = Path(out).suffix.lower().removeprefix(".") if out else ""
    return ending if ending in FORMATS else "csv"


def _write(pieces: Iterator[Any], to: IO[str], form: str, keep: Sequence[str], flush: bool) -> int:
    from layerctl.predicting.answers import field

    n, writer = 0, csv.writer(to, lineterminator="\n")
    for piece in pieces:
        kept = _kept(piece.rows, keep)
        names = [*keep, *piece.columns]
        columns = [*kept, *piece.columns.values()]
        rows = len(columns[0]) if columns else 0
        if form == "csv":
            if n == 0 and names:
                writer.writerow(names)
            writer.writerows([field(v) for v in row] for row in zip(*columns, strict=True))
        else:
            for row in zip(*columns, strict=True):
                to.write(json.dumps({k: _finite(v) for k, v in zip(names, row, strict=True)}, ensure_ascii=False) + "\n")
        n += rows
        if flush:
            to.flush()
    return n


def _kept(rows: list[dict[str, Any]], keep: Sequence[str]) -> list[list[Any]]:
    for name in keep:
        if rows and name not in rows[0]:
            fail("unknown-column", f"--keep names the column '{name}', which the data do not have{did_you_mean(name, rows[0])}", Span(Source("--keep")))
    return [[r.get(name) for r in rows] for name in keep]


def _finite(v: Any) -> Any:
    if isinstance(v, float):
        return float(f"{v:.9g}") if math.isfinite(v) else None
    return v


def _npz(pieces: Iterator[Any], out: str | None) -> int:
    import numpy as np

    if out is None and sys.stdout.isatty():
        fail("bad-option", "npz is binary: write it to a file with -o, or into a pipe", Span(Source("--format")))
    parts: dict[str, list[Any]] = {}
    for piece in pieces:
        for name, array in piece.arrays.items():
            parts.setdefault(name, []).append(array)
    arrays = {n: np.concatenate(a) for n, a in parts.items()}
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    if out is None:
        sys.stdout.buffer.write(packed.getvalue())
        sys.stdout.buffer.flush()
    else:
        from layerctl.modelfile.atomic import write

        write(Path(out), [packed.getvalue()])
    return len(next(iter(arrays.values()))) if arrays else 0
