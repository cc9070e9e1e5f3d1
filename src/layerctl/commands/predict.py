"""`layerctl predict`: a row of predictions for each row of data, in order."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerctl.diagnostics import Diagnostic, LayerctlError, Source, Span, did_you_mean, fail, in_order

if TYPE_CHECKING:
    from layerctl.commands.predicting import Predictor
    from layerctl.data.table import Table
    from layerctl.predicting.answers import Predictions
    from layerctl.predicting.columns import Column

FORMATS = ("csv", "jsonl", "npz")


@dataclass(frozen=True)
class PredictResult:
    """How many rows were written, how many could not be used, and warnings of the latter."""

    rows: int
    bad: int
    warnings: list[Diagnostic]


def predict(
    model: str, data: str | None = None, *, form: str | None = None, input_format: str | None = None, out: str | None = None,
    batch: int | None = None, keep: Sequence[str] = (), layers: Sequence[str] = (), threads: int | None = None, every: bool = False,
    top: int | None = None, on_error: str | None = None, prompt: str | None = None, sampling: Mapping[str, Any] | None = None,
) -> PredictResult:  # fmt: skip
    """Writes predictions to `out`, which is replaced when all are there, or to standard output, flushed piece by piece.

    `every` adds the probabilities of all classes, `top` tells the likeliest classes; `on_error` says what becomes of bad rows, as
    `data.faults.POLICIES` has it (they are errors if not given).

    A language model goes on with `prompt`, or with what the data hold; `sampling` are the arguments of Sampling. With `layers` it does neither:
    their results are those for rows of data, as with any model.

    Raises:
        LayerctlError: for the model, the data, or a place that cannot be written to.
    """
    from layerctl.commands.predicting import Predictor
    from layerctl.commands.unused import refuse_unused
    from layerctl.data.faults import Faults
    from layerctl.predicting.answers import Wanted

    predictor = Predictor(model, threads)
    drawn = prompt is not None or bool(sampling)
    if drawn or (predictor.goes_on() and not layers):
        _check_for_text({
            "--layer": bool(layers), "--keep": bool(keep), "--proba": every, "--top": top is not None, "--on-error": on_error is not None,
            "--batch": batch is not None, "--input-format": input_format is not None,
        })  # fmt: skip
        return _gone_on(predictor, data, prompt, sampling or {}, form, out)
    _check_out(out, data)
    chosen = form or _by_ending(out)
    faults = Faults(on_error or "fail")
    source = _source(predictor, data)
    if chosen == "npz":
        _check_for_arrays(on_error, keep, top)
    if source.startswith("builtin:"):
        refuse_unused({"--input-format": input_format is not None}, f"{source} ships with layerctl, and is no file")
    with contextlib.closing(predictor.stream(source, input_format, batch, layers, Wanted(every, top, chosen == "npz"), faults)) as pieces:
        if chosen == "npz":
            rows = _npz(pieces, out)
        else:
            written = _Written(chosen, keep)
            _deliver(written.of(pieces), out)
            rows = written.rows
    return PredictResult(rows, faults.count, _warnings(faults))


def _check_out(out: str | None, data: str | None) -> None:
    """Predictions do not take the place of the rows that they are made of."""
    if out is None or data in (None, "-") or not (os.path.exists(out) and os.path.exists(str(data))):
        return
    if os.path.samefile(out, str(data)):
        fail("cannot-write", f"cannot write '{out}': it is the file that is read", Span(Source(out)), hint="name another file behind -o")


def _check_for_text(given: Mapping[str, bool]) -> None:
    """Whether options were given that a text cannot heed.

    Raises:
        LayerctlError: `bad-option`.
    """
    from layerctl.commands.unused import refuse_unused

    refuse_unused(given, "one text is gone on with, token by token", {
        "--layer": "without --prompt and its options, a layer's results are told for rows of data: layerctl predict MODEL rows.csv --layer NAME",
        "--top": "--top-k N draws among the N likeliest tokens", "--batch": "leave --batch out: a token is drawn at a time",
        "--proba": "leave --proba out: a token for each step is drawn, by its probability",
        "--keep": "leave --keep out: a prompt has no columns", "--input-format": "leave --input-format out: a prompt is plain text",
        "--on-error": "leave --on-error out: a prompt has no rows; words that training did not have are warned of",
    })  # fmt: skip


def _check_for_arrays(on_error: str | None, keep: Sequence[str], top: int | None) -> None:
    """Whether options were given that arrays cannot heed.

    Raises:
        LayerctlError: `bad-option`.
    """
    from layerctl.commands.unused import refuse_unused

    if on_error == "null":
        fail("bad-option", "--on-error null leaves predictions empty, and arrays have no empty rows", Span(Source("--on-error")),
             hint="use --on-error skip, or another --format")  # fmt: skip
    refuse_unused({"--keep": bool(keep), "--top": top is not None}, "npz has the model's results as arrays, a row for a row", {
        "--keep": "use another --format, or read the columns from the data: rows are in the same order",
        "--top": "use another --format, or sort the probabilities that --proba gives",
    })  # fmt: skip


def _source(predictor: Predictor, data: str | None) -> str:
    """The file of data: as given, or the model's own."""
    if data is None:
        spec = predictor.model.spec.data
        if spec is None or not isinstance(spec.source, str):
            fail("missing-data", "say which data to predict for", Span(Source("DATA")), hint="give a file, or - for standard input")
            raise AssertionError
        return spec.source
    if data == "-" and sys.stdin.isatty():
        fail("missing-data", "standard input is a terminal: there is nothing to read", Span(Source("-")),
             hint="pipe data in, or give a file: layerctl predict MODEL data.csv")  # fmt: skip
    return data


def _gone_on(
    predictor: Predictor, data: str | None, prompt: str | None, sampling: Mapping[str, Any], form: str | None, out: str | None
) -> PredictResult:  # fmt: skip
    from layerctl.commands.sample import sample
    from layerctl.training.continuing import Sampling

    return PredictResult(1, 0, sample(predictor.model, data, prompt, Sampling(**sampling), form=form, out=out))


def _by_ending(out: str | None) -> str:
    ending = Path(out).suffix.lower().removeprefix(".") if out else ""
    return ending if ending in FORMATS else "csv"


def _warnings(faults: Any) -> list[Diagnostic]:
    """What became of bad rows, behind the first of them."""
    if not faults.count:
        return []
    what = "left without predictions" if faults.policy == "null" else "left out"
    what = f"{'was' if faults.count == 1 else 'were'} {what}"
    first = [Diagnostic(d.code, d.message, d.span, d.notes, None, "warning") for d in faults.shown]
    rows = "1 row" if faults.count == 1 else f"{faults.count:,} rows"
    return [*in_order(first), Diagnostic("bad-rows", f"{rows} could not be used and {what}", None, (), None, "warning")]


class _Written:
    """Pieces of predictions as lines; `rows` counts them."""

    def __init__(self, form: str, keep: Sequence[str]):
        self._form, self._keep = form, list(keep)
        self._held: list[Predictions] = []
        """Rows without predictions that came before any with one, which alone tells what the columns are."""
        self.rows = 0

    def of(self, pieces: Iterable[Predictions]) -> Iterator[bytes]:
        """Bytes, a piece at a time."""
        from layerctl.predicting.lines import Lines

        lines: Lines | None = None
        names: list[str] = []
        for piece in pieces:
            if not piece.told:
                self._held.append(piece)
                continue
            if lines is None:
                names = self._names(piece)
                lines = Lines(self._form, [*names, *piece.told])
                yield lines.head()
            for found in (*self._held, piece):
                told = found.told or {n: c.empty(len(found.table)) for n, c in piece.told.items()}
                columns = [*(_kept(found.table, n) for n in names), *told.values()]
                self.rows += len(found.table)
                yield lines.of(columns)
            self._held.clear()

    def _names(self, piece: Predictions) -> list[str]:
        """The columns that are repeated. An object of JSON has a key once."""
        twice = next((n for n in self._keep if n in piece.told), None)
        if twice is not None and self._form == "jsonl":
            fail("bad-option", f"--keep names the column '{twice}', and so is called what is predicted: a line of JSON has a key once",
                 Span(Source("--keep")), hint="leave it out, rename it in the data, or use --format csv")  # fmt: skip
        for name in self._keep:  # before the line of names is out
            _known(piece.table, name)
        return self._keep


def _kept(table: Table, name: str) -> Column:
    """A column of the data that is repeated."""
    import numpy as np

    from layerctl.predicting.columns import Texts

    _known(table, name)
    codes, words = table.coded(name)
    return Texts(codes.astype(np.int64), words)


def _known(table: Table, name: str) -> None:
    if name not in table.columns:
        fail("unknown-column", f"--keep names the column '{name}', which the data do not have{did_you_mean(name, table.columns)}", Span(Source("--keep")),
             hint=f"they have {', '.join(list(table.columns)[:20])}")  # fmt: skip


def _deliver(chunks: Iterator[bytes], out: str | None) -> None:
    """Writes to a temporary file that takes `out`'s place when all is there, or to standard output, flushed."""
    if out is not None:
        from layerctl.modelfile.atomic import write
        from layerctl.temporary import clean_stale

        clean_stale(Path(out).parent)
        write(Path(out), chunks)
        return
    sys.stdout.flush()
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def _npz(pieces: Iterator[Predictions], out: str | None) -> int:
    """The model's results as arrays; how many rows there are."""
    if out is None and sys.stdout.isatty():
        fail("bad-option", "npz is binary: write it to a file with -o, or into a pipe", Span(Source("--format")), hint="as in `-o predictions.npz`")
    import tempfile

    from layerctl.modelfile.atomic import cannot_write
    from layerctl.predicting.arrays import Arrays

    with contextlib.closing(Arrays(Path(out).parent if out is not None else None)) as arrays:
        for piece in pieces:
            try:
                arrays.add(piece.arrays)
            except OSError as error:
                raise LayerctlError(cannot_write(out or tempfile.gettempdir(), error)) from error
        _deliver(arrays.zipped(), out)
        return arrays.rows
