"""The program of an exported file: predictions as columns, and a table in, a table out; copied into it behind `tables.py`."""

from __future__ import annotations

import csv
import io
import sys

import numpy as np

from layerctl.export._python.tables import BadData, inputs_of


def decided(y, logits):
    """(class ids, their probabilities)."""
    y = y.astype(np.float64)
    if logits and y.shape[1] == 1:
        y = 1 / (1 + np.exp(-y))
    elif logits:
        e = np.exp(y - y.max(axis=1, keepdims=True))
        y = e / e.sum(axis=1, keepdims=True)
    if y.shape[1] == 1:
        ids = (y[:, 0] > 0.5).astype(np.int64)
        return ids, np.where(ids == 1, y[:, 0], 1 - y[:, 0])
    ids = y.argmax(axis=1)
    return ids, y[np.arange(len(ids)), ids]


def columns_of(results, schema):
    """Predictions as columns of fields, by name."""
    out = {}
    for name, y in results.items():
        o, flat = schema["outputs"][name], y.reshape(len(y), -1)
        head = f"{name}_" if len(results) > 1 else ""
        if o.get("named"):
            for j, (column_name, centre, spread) in enumerate(o["named"]):
                out[f"{head}prediction_{column_name}"] = [f"{v:.9g}" for v in flat[:, j].astype(np.float64) * spread + centre]
        elif o.get("labels"):
            p = flat.astype(np.float64)
            p = 1 / (1 + np.exp(-p)) if o["logits"] else p
            out[head + "prediction"] = [o["between"].join(o["labels"][j] for j in np.flatnonzero(row > 0.5)) for row in p]
            out |= {f"{head}probability_{c}": [f"{v:.9g}" for v in p[:, j]] for j, c in enumerate(o["labels"])}
        elif o["classes"] is not None and flat.shape[1] in (1, len(o["classes"])):
            ids, p = decided(flat, o["logits"])
            out[head + "prediction"] = [o["classes"][i] if i < len(o["classes"]) else str(i) for i in ids]
            out[head + "probability"] = [f"{v:.9g}" for v in p]
        elif flat.shape[1] == 1:
            values = flat[:, 0].astype(np.float64) * o["spread"] + o["centre"]
            out[head + "prediction"] = [f"{v:.9g}" for v in values]
        else:
            out |= {f"{head}prediction_{j}": [f"{v:.9g}" for v in flat[:, j]] for j in range(flat.shape[1])}
    return out


def opened(source, encoding):
    """The text of a file or of standard input; UTF-16 has its mark, or the order in which its first character has a zero."""
    stream = io.BufferedReader(io.FileIO(0 if source == "-" else source))
    if encoding == "utf-16" and (head := stream.peek(2)[:2]) not in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16-be" if head[:1] == b"\0" else "utf-16-le"
    return io.TextIOWrapper(stream, encoding, "replace", newline="")


def run(source, schema, predict, to):
    """Reads a table, a file's name or - for standard input, and writes predictions; returns the exit code."""
    writer, header = csv.writer(to, lineterminator="\n"), True
    try:
        with opened(source, schema["encoding"]) as stream:
            for x, ahead, told in inputs_of(stream, schema):
                columns = columns_of(predict(x), schema)
                if header:
                    writer.writerow(columns)
                    header = False
                writer.writerows([[""] * len(columns)] * ahead)
                if told:
                    writer.writerows(zip(*columns.values(), strict=True))
    except (BadData, OSError, csv.Error) as error:
        to.flush()
        print(f"{source}: error: {error}", file=sys.stderr)
        return 2
    return 0
