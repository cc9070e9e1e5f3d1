"""Tables and features in plain Python and numpy; copied into an exported file as far as it needs them.

`SCHEMA` there is what was fitted on the training rows and how files are written; here it is a parameter.
"""

from __future__ import annotations

import csv
import datetime
import itertools
import re

import numpy as np

from layerctl.data.moments import parsed

WORDS = re.compile(r"\w+(?:'\w+)?|[^\w\s]")
BETWEEN = re.compile(r"[\s,;]+")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class BadData(Exception):
    """What is wrong with the data, and where."""


MARK = re.compile(r'"?sep=."?', re.IGNORECASE)
"""The first line from which Excel takes the delimiter."""


def records(stream, schema):
    """(line, fields) of each record that is not blank; fields without blanks around."""
    csv.field_size_limit(10_000_000)
    options = {"delimiter": schema["delimiter"], "skipinitialspace": schema["runs"] or schema["delimiter"] != " ", "escapechar": schema["escape"]}
    quoting = {"quotechar": schema["quote"]} if schema["quote"] else {"quoting": csv.QUOTE_NONE}
    begins = True

    def fed():
        nonlocal begins
        for number, text in enumerate(stream):
            comment = (begins and schema["comment"] and text.startswith(schema["comment"])) or (number == 0 and MARK.fullmatch(text.rstrip("\r\n")))
            comment = comment or text.startswith(tuple(schema["skip"]))
            begins = False
            if schema["runs"]:
                text = text.replace("\t", " ").rstrip() + "\n"
            yield "\n" if comment else text

    reader, line = csv.reader(fed(), **options, **quoting), 1
    for row in reader:
        begins = True
        if any(f.strip() for f in row):
            yield line, [f.strip() for f in row]
        line = reader.line_num + 1


def tables(stream, schema, rows=4096):
    """Pieces of a stream: columns by name, as texts; None where a value is missing; and the rows' lines under the name None."""
    found = records(stream, schema)
    first = next(found, None)
    if first is None:
        raise BadData("the file has no data")
    names, texts = schema["columns"], first[1]
    if not names:
        names = [f or f"column_{i + 1}" for i, f in enumerate(texts)]
        if len(set(names)) < len(names):
            raise BadData("two columns have one name")
    elif len(texts) > 1 and len(set(texts)) == len(texts) and set(texts) <= set(names):
        names = texts
    elif len(texts) != len(names) or not all(n == t or re.fullmatch(re.escape(t) + r"_\d+", n) for n, t in zip(names, texts, strict=True)):
        found = itertools.chain([first], found)
        if len(texts) != len(names):
            names = [n for n in names if n not in schema["targets"]]
    while piece := list(itertools.islice(found, rows)):
        kept = [[None if f in schema["missing"] else f for f in fields] for _, fields in piece]
        for (line, _), fields in zip(piece, kept, strict=True):
            if len(fields) != len(names) and not (len(fields) == len(names) + 1 and fields[-1] is None):
                raise BadData(f"line {line}: {len(fields)} fields where {len(names)} columns are expected")
        own = {n: set(words) for n, words in schema["missing_in"].items()}
        yield {None: [line for line, _ in piece], **{n: [None if f[i] in own.get(n, ()) else f[i] for f in kept] for i, n in enumerate(names)}}


def column(table, name):
    """A column's texts."""
    if name not in table:
        raise BadData(f"the data lack the column {name!r}")
    return table[name]


OUT_OF = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*((?:/|(?i:out of))\s*(\d+)(?:\s*[^\W\d_]+)?)")
LETTER = re.compile("[A-Za-z]")
SHORTENED = re.compile(r"[A-Za-z]\.")
NOTE = re.compile(r"(?<=[^\s\[])\s*\[[^\[\]]*\]")
PART = re.compile(r"\s*,?\s*(\d+(?:\.\d*)?|\.\d+)\s*([^\d\s.,+-]*)")
FRACTION = re.compile(r"(\d+(?:\.\d+)?)?(?:(?:^|(?<=\d)[ -])(\d+)/0*([1-9]\d*))?")
HEX = re.compile(r"0[xX][0-9a-fA-F]{1,8}")
ON_CLOCK = re.compile(r"\d+(?::[0-5]\d){1,2}(?:\.\d+)?")


def amount(text, units):
    """What the numbers of a text come to, each as many times as its unit is worth; NaN for a text that is no such number."""
    sign, text, total, at = (-1.0, text[1:], 0.0, 0) if text[:1] == "-" else (1.0, text, 0.0, 0)
    if ":" in units:
        for piece in text.split(":") if ON_CLOCK.fullmatch(text) else ["nan"]:
            total = total * units[":"] + float(piece)
        return sign * total
    if "/" in units:
        match = FRACTION.fullmatch(text) if text else None
        return np.nan if match is None else sign * units["/"] * (float(match[1] or 0) + (int(match[2]) / int(match[3]) if match[2] else 0.0))
    if "0x" in units:
        return sign * units["0x"] * int(text, 16) if HEX.fullmatch(text) else np.nan
    if (match := OUT_OF.fullmatch(text)) is not None:
        return sign * units.get(match[2], np.nan) * float(match[1])
    while at < len(text):
        match = PART.match(text, at)
        if match is None or match[2] not in units:
            return np.nan
        total, at = total + float(match[1]) * units[match[2]], match.end()
    return sign * total if at else np.nan


def numbers(table, name, fill, schema, strip="", units=None):
    """A column as float64; `fill` for missing values, which are refused if it is None. The characters of `strip` do not count, but for
    parentheses, a typographic minus and a minus at an end, which make a number negative; a number counts as many times as its unit is worth."""
    out = np.empty(len(table[None]))
    for i, text in enumerate(column(table, name)):
        given = text
        if text is not None and strip:
            sign = "-" if any(c in text and c in strip for c in "(\u2212\u2013") or ("-" in strip and "-" in text[:1] + text[-1:]) else ""
            text, gone = NOTE.sub("", text) if "[" in strip else text, strip
            if SHORTENED.search(strip):
                text, gone = SHORTENED.sub(lambda m: m[0][0], text), strip.replace(".", "")
            text = sign + "".join(c for c in text if c not in gone).strip()
        comma = schema["decimal"] == "," or ("." in strip and "," not in strip and not LETTER.search(strip))
        if text is not None and comma:
            text = text.replace(".", "").replace(",", ".")
        if text is not None and units:
            text = repr(amount(text.strip(), units))
        if text is None and fill is not None:
            out[i] = fill
        elif text is None or not NUMBER.fullmatch(text) or abs(float(text)) == np.inf:
            what = "a value is missing" if text is None else f"{given!r} is not a number"
            raise BadData(f"line {table[None][i]}, column {name!r}: {what}")
        else:
            out[i] = float(text)
    return out


def within(table, c, x, there):
    """Numbers with outlying ones brought inside, made what stands for missing ones, or refused."""
    outside = there & ((x < c["low"]) | (x > c["high"]))
    if c["outlying"] == "clip":
        return np.where(outside, np.clip(x, c["low"], c["high"]), x)
    if c["outlying"] == "missing":
        return np.where(outside, c["fill"], x)
    if outside.any():
        raise BadData(f"line {table[None][int(np.argmax(outside))]}, column {c['name']!r}: the number is not from {c['low']:g} to {c['high']:g}")
    return x


def scaled(table, c, schema):
    """A column of numbers as float32, scaled."""
    x = numbers(table, c["name"], c["fill"], schema, c["strip"], c["units"])
    if c["outlying"]:
        x = within(table, c, x, np.array([t is not None for t in column(table, c["name"])]))
    return float32(table, c, (x - c["centre"]) / c["spread"])


def float32(table, c, y):
    """Numbers that a float32 can hold."""
    if (np.abs(y) > np.finfo(np.float32).max).any():
        raise BadData(f"column {c['name']!r}: a number is too large for a float32")
    return y.astype(np.float32)


def known(table, c, ids, missing):
    """A number for each text by `ids`; for others as the column's policy says, `missing` where there is none (refused if None)."""
    rest = ids.get(c["common"], 0) if c["unseen"] == "most_frequent" else 0
    out = []
    for i, text in enumerate(column(table, c["name"])):
        if text is None and missing is None:
            raise BadData(f"line {table[None][i]}, column {c['name']!r}: a value is missing")
        if text is not None and text not in ids and c["unseen"] == "error" and text != c["fill"]:
            raise BadData(f"line {table[None][i]}, column {c['name']!r}: {text!r} was not in the training rows")
        out.append(missing if text is None else ids.get(text, rest))
    return out


def category(table, c):
    """Words as ids from 1; 0 for what training did not see."""
    ids = {w: i + 1 for i, w in enumerate(c["words"])}
    ids.update({s: ids[w] for s, w in c["aliases"].items()})
    return np.array(known(table, c, ids, 0 if c["fill"] is None else ids.get(str(c["fill"]), 0)), np.int32)


def truth(table, c):
    """Two values as 0 and 1 in float32: (rows, 1)."""
    return np.array(known(table, c, dict(zip(c["words"], c["values"], strict=True)), c["fill"]), np.float32)[:, None]


def moment(text, forms):
    """A text as a moment; None if it is none."""
    for form in forms or [None]:
        try:
            return parsed(text, form) if form else datetime.datetime.fromisoformat(text)
        except ValueError:
            continue
    return None


def elapsed(m):
    """Days with the time of day as a fraction, in UTC where there is a time zone."""
    m = m if m.tzinfo is None else m.astimezone(datetime.timezone.utc)  # noqa: UP017 (the file may run on an older Python)
    return m.toordinal() + (m.hour * 3600 + m.minute * 60 + m.second + m.microsecond * 1e-6) / 86400.0


def at(days):
    """The moment that so many days are."""
    return datetime.datetime.fromordinal(int(min(max(days, 1.0), 3652059.0))) + datetime.timedelta(seconds=round((days - int(days)) * 86400.0))


def part(name, m, days, c):
    """One part of a date as numbers."""
    places = {"quarter": (4, (m.month - 1) // 3), "month": (12, m.month - 1), "weekday": (7, m.weekday()), "hour": (24, m.hour)}
    if name in places:
        return [float(i == places[name][1]) for i in range(places[name][0])]
    if name == "year":
        return [(m.year - at(c["centre"]).year) / 10.0]
    return [{"day": (m.day - 1) / 30.0, "minute": m.minute / 60.0}.get(name, (days - c["centre"]) / c["spread"])]


def dated(table, c):
    """Dates as their parts side by side."""
    forms, names = c["formats"] or ([c["format"]] if c["format"] else []), c["parts"] or ["days", "month", "weekday"]
    out = []
    for i, text in enumerate(column(table, c["name"])):
        days = {n: float(c["fill"] or 0.0) for n in names}
        m = at(float(c["fill"] or 0.0)) if text is None else moment(text, forms)
        if m is None:
            raise BadData(f"line {table[None][i]}, column {c['name']!r}: {text!r} is not a date of the form that training had")
        if text is not None:
            days = {n: elapsed(m) if n == "elapsed" else float(m.toordinal()) for n in names}
        out.append([x for n in names for x in part(n, m, days[n], c)])
    return np.array(out, np.float32)


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
    if f["dtype"] != "f32":
        return y.astype({"i32": np.int32, "i64": np.int64, "f64": np.float64}.get(f["dtype"], bool)).reshape(-1, *f["shape"])
    return ((y - first["centre"]) / first["spread"]).astype(np.float32).reshape(-1, *f["shape"])


def lists(table, c):
    """The numbers of each field; None where it is missing."""
    out = []
    for i, text in enumerate(column(table, c["name"])):
        inner = None if text is None else text.strip("[](){} \t")
        cut = inner and ([p.strip() for p in inner.split(c["separator"])] if c["separator"] else BETWEEN.split(inner))
        if cut and not all(NUMBER.fullmatch(p) and abs(float(p)) < np.inf for p in cut):
            raise BadData(f"line {table[None][i]}, column {c['name']!r}: {text!r} is not a list of numbers")
        out.append(None if text is None else [float(p) for p in cut or []])
    return out


def vector(table, f):
    """Vectors of one length, scaled, in the feature's shape."""
    c, size, rows = f["columns"][0], int(np.prod(f["shape"])), []
    for i, found in enumerate(lists(table, c)):
        if found is None and c["fill"] is not None:
            found = [c["fill"]] * size
        if found is None or len(found) != size:
            raise BadData(f"line {table[None][i]}, column {c['name']!r}: {size} numbers are expected")
        rows.append(found)
    return float32(table, c, (np.array(rows).reshape(-1, size) - c["centre"]) / c["spread"]).reshape(-1, *f["shape"])


def sequence(table, f):
    """Scaled numbers over steps, padded with zeros behind: (rows, length, 1)."""
    c = f["columns"][0]
    out = np.zeros((len(table[None]), f["length"], 1), np.float32)
    for row, found in enumerate(lists(table, c)):
        kept = ([] if c["fill"] is None else [c["fill"]]) if found is None else found[: f["length"]]
        out[row, : len(kept), 0] = (np.array(kept) - c["centre"]) / c["spread"]
    return out


def encoded(table, f, schema):
    """One model input for all rows of a table."""
    if f["kind"] == "vector":
        return vector(table, f)
    if f["kind"] == "sequence":
        return sequence(table, f)
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
        elif c["kind"] == "binary":
            parts.append(truth(table, c))
        else:
            parts.append(np.eye(len(c["words"]) + 1, dtype=np.float32)[category(table, c)])
    if f["encode"] == "index" and f["dtype"] == "i32":
        return np.stack(parts, axis=1) if f["shape"] else parts[0]
    return np.concatenate(parts, axis=1)


def inputs_of(stream, schema):
    """Pieces of a table as the model's inputs, how many rows at the beginning no window ends at, and whether there are predictions to tell:
    not of a table that is shorter than a window, whose piece is only there for the columns' names."""
    inside = {n for n, f in schema["features"].items() if f["kind"] == "window"}
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
            x = {n: a[places[:, None] + np.arange(window)] if n in inside else a[places + window - 1] for n, a in x.items()}
        yield x, ahead, True
        ahead = 0
    if kept is not None and ahead:
        x = {n: np.zeros((1, window, *a.shape[1:]), a.dtype) if n in inside else a[:1] for n, a in kept.items()}
        yield x, len(next(iter(kept.values()))), False
