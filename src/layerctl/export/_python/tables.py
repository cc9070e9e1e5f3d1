"""Tables and features in plain Python and numpy; copied into an exported file as far as it needs them.

`SCHEMA` there is what was fitted on the training rows and how files are written; here it is a parameter.
"""

from __future__ import annotations

import csv
import datetime
import itertools
import re
import sys

import numpy as np

WORDS = re.compile(r"\w+(?:'\w+)?|[^\w\s]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class BadData(Exception):
    """What is wrong with the data, and where."""


def records(stream, schema):
    """(line, fields) of each record that is not blank; fields without blanks around, None where a value is missing."""
    csv.field_size_limit(10_000_000)
    options = {"delimiter": schema["delimiter"], "skipinitialspace": schema["delimiter"] != " "}
    quoting = {"quotechar": schema["quote"]} if schema["quote"] else {"quoting": csv.QUOTE_NONE}
    reader, line = csv.reader(stream, **options, **quoting), 1
    for row in reader:
        if any(f.strip() for f in row):
            yield line, [None if (t := f.strip()) in schema["missing"] else t for f in row]
        line = reader.line_num + 1


def tables(stream, schema, rows=4096):
    """Pieces of a stream: columns by name, as texts; None where a value is missing; and the rows' lines under the name None."""
    found = records(stream, schema)
    first = next(found, None)
    if first is None:
        raise BadData("the file has no data")
    names, texts = schema["columns"], [f or "" for f in first[1]]
    if not names:
        names = [f or f"column_{i + 1}" for i, f in enumerate(texts)]
        if len(set(names)) < len(names):
            raise BadData("two columns have one name")
    elif texts != names:
        found = itertools.chain([first], found)
        if len(texts) != len(names):
            names = [n for n in names if n not in schema["targets"]]
    while piece := list(itertools.islice(found, rows)):
        for line, fields in piece:
            if len(fields) != len(names):
                raise BadData(f"line {line}: {len(fields)} fields where {len(names)} columns are expected")
        yield {None: [line for line, _ in piece], **{n: [f[i] for _, f in piece] for i, n in enumerate(names)}}


def column(table, name):
    """A column's texts."""
    if name not in table:
        raise BadData(f"the data lack the column {name!r}")
    return table[name]


def numbers(table, name, fill, schema):
    """A column as float64; `fill` for missing values, which are refused if it is None."""
    out = np.empty(len(table[None]))
    for i, text in enumerate(column(table, name)):
        if text is not None and schema["decimal"] == ",":
            text = text.replace(".", "").replace(",", ".")
        if text is None and fill is not None:
            out[i] = fill
        elif text is None or not NUMBER.fullmatch(text) or abs(float(text)) == np.inf:
            what = "a value is missing" if text is None else f"{text!r} is not a number"
            raise BadData(f"line {table[None][i]}, column {name!r}: {what}")
        else:
            out[i] = float(text)
    return out


def scaled(table, c, schema):
    """A column of numbers as float32, scaled."""
    y = (numbers(table, c["name"], c["fill"], schema) - c["centre"]) / c["spread"]
    if (np.abs(y) > np.finfo(np.float32).max).any():
        raise BadData(f"column {c['name']!r}: a number is too large for a float32")
    return y.astype(np.float32)


def category(table, c):
    """Words as ids from 1; 0 for what training did not see."""
    ids = {w: i + 1 for i, w in enumerate(c["words"])}
    return np.array([ids.get(str(c["fill"]) if t is None and c["fill"] is not None else t, 0) for t in column(table, c["name"])], np.int32)


def dated(table, c):
    """Dates as the scaled day, and its month and weekday one-hot: (rows, 20)."""
    out = np.zeros((len(table[None]), 20), np.float32)
    for i, text in enumerate(column(table, c["name"])):
        day = float(c["fill"] or 0.0)
        if text is not None:
            try:
                made = datetime.datetime.strptime(text, c["format"]) if c["format"] else datetime.datetime.fromisoformat(text)
            except ValueError:
                what = f"{text!r} is not a date of the form that training had"
                raise BadData(f"line {table[None][i]}, column {c['name']!r}: {what}") from None
            day = float(made.toordinal())
        made = datetime.date.fromordinal(int(day))
        out[i, 0] = (day - c["centre"]) / c["spread"]
        out[i, made.month] = out[i, 13 + made.weekday()] = 1.0
    return out


def text_ids(table, f):
    """Token ids (rows, length): 0 is padding, 1 a token that was not kept, 2 and on the vocabulary."""
    c = f["columns"][0]
    ids = {w: i + 2 for i, w in enumerate(c["words"])}
    out = np.zeros((len(table[None]), f["length"]), np.int32)
    for row, text in enumerate(column(table, c["name"])):
        text = (text or "").lower() if f["lowercase"] else text or ""
        cut = list(text) if f["split"] == "characters" else text.split() if f["split"] == "whitespace" else WORDS.findall(text)
        found = [ids.get(t, 1) for t in cut[: f["length"]]]
        out[row, : len(found)] = found
    return out


def array(table, f, schema):
    """Numbers in a row, scaled as a whole, in the feature's shape."""
    first = f["columns"][0]
    y = np.stack([numbers(table, n, None, schema) for n in f["spread"]], axis=1)
    if f["dtype"] == "i32":
        return y.astype(np.int32).reshape(-1, *f["shape"])
    return ((y - first["centre"]) / first["spread"]).astype(np.float32).reshape(-1, *f["shape"])


def encoded(table, f, schema):
    """One model input for all rows of a table."""
    if f["kind"] == "text":
        return text_ids(table, f)
    if f["kind"] == "array":
        return array(table, f, schema)
    if f["kind"] == "window":
        return np.stack([scaled(table, c, schema) for c in f["columns"]], axis=1)
    parts, start = [], 0
    for c in f["columns"]:
        if f["encode"] == "index" and f["dtype"] == "i32":
            parts.append(category(table, c) + np.int32(start))
            start += len(c["words"]) + 1
        elif c["kind"] == "number":
            parts.append(scaled(table, c, schema)[:, None])
        elif c["kind"] == "date":
            parts.append(dated(table, c))
        else:
            parts.append(np.eye(len(c["words"]) + 1, dtype=np.float32)[category(table, c)])
    if f["encode"] == "index" and f["dtype"] == "i32":
        return np.stack(parts, axis=1) if f["shape"] else parts[0]
    return np.concatenate(parts, axis=1)


def inputs_of(stream, schema):
    """Pieces of a table as the model's inputs, and how many rows at the beginning no window ends at."""
    window = next((f["length"] for f in schema["features"].values() if f["kind"] == "window"), None)
    kept, ahead = None, (window or 1) - 1
    for table in tables(stream, schema):
        x = {n: encoded(table, f, schema) for n, f in schema["features"].items()}
        if window is not None:
            x = {n: a if kept is None else np.concatenate([kept[n], a]) for n, a in x.items()}
            kept = {n: a[max(0, len(a) - window + 1) :] for n, a in x.items()}
            places = np.arange(len(next(iter(x.values()))) - window + 1)
            if not len(places):
                continue
            inside = {n for n, f in schema["features"].items() if f["kind"] == "window"}
            x = {n: a[places[:, None] + np.arange(window)] if n in inside else a[places + window - 1] for n, a in x.items()}
        yield x, ahead
        ahead = 0


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
        if o["classes"] is not None and flat.shape[1] in (1, len(o["classes"])):
            ids, p = decided(flat, o["logits"])
            out[head + "prediction"] = [o["classes"][i] if i < len(o["classes"]) else str(i) for i in ids]
            out[head + "probability"] = [f"{v:.9g}" for v in p]
        elif flat.shape[1] == 1:
            values = flat[:, 0].astype(np.float64) * o["spread"] + o["centre"]
            out[head + "prediction"] = [f"{v:.9g}" for v in values]
        else:
            out |= {f"{head}prediction_{j}": [f"{v:.9g}" for v in flat[:, j]] for j in range(flat.shape[1])}
    return out


def run(source, schema, predict, to):
    """Reads a table, a file's name or - for standard input, and writes predictions; returns the exit code."""
    writer, header = csv.writer(to, lineterminator="\n"), True
    try:
        with open(0 if source == "-" else source, encoding=schema["encoding"], errors="replace", newline="") as stream:
            for x, ahead in inputs_of(stream, schema):
                columns = columns_of(predict(x), schema)
                if header:
                    writer.writerow(columns)
                    header = False
                writer.writerows([[""] * len(columns)] * ahead)
                writer.writerows(zip(*columns.values(), strict=True))
    except (BadData, OSError, csv.Error) as error:
        to.flush()
        print(f"{source}: error: {error}", file=sys.stderr)
        return 2
    return 0
