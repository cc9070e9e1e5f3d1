"""Columns as a model's inputs: which belong together, how each is encoded, how it enters the layers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from layerctl.commands.starting.facts import Facts
from layerctl.data.examining.kinds import Column

WIDE = 500
"""Different words up to which a category is one-hot; an embedding stands for more."""
SHORT, OFTEN = 8, 5
"""Words a text up to which it may be a name, and rows from which a word is known."""
FAREST = 5
"""Deviations from the mean beyond which a number counts as being so far."""
RESPELLED = "some words are written in several ways, which are one: `ignore_case: false` tells them apart"
MISSING_HERE = "what stands for a missing value here is a value in another column"
GAPS, FEW_GAPS = 0.05, 8
"""The share of rows, and their number, from which it is told to the model that a number is missing."""
NOWHERE = -1e30
"""What stands for a missing number where its absence is all that is looked at."""
SCALED: dict[str, Any] = {"kind": "number", "scale": "standard", "missing": "median"}
Item = dict[str, Any]


@dataclass
class Inputs:
    """`features` of the data section by name; `layers` that prepare them; `parts` whose concatenation is the table's row; `texts` and `arrays`,
    which need layers of their own; `left_out` columns with the reason; `said` comments by feature."""

    features: dict[str, dict[str, Any]] = field(default_factory=dict)
    layers: list[Item] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    arrays: dict[str, tuple[int, ...]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    width: int = 0


def inputs_of(facts: Facts) -> Inputs:
    """The inputs for a table."""
    out = Inputs()
    _numbers(facts, out)
    _categories(facts, out)
    _dates(facts, out)
    _lists(facts, out)
    _vectors(facts, out)
    for c in facts.inputs("text"):
        if out.features and is_names(facts, c):
            out.left_out[c.name] = "names, of words that hardly come again: nothing to learn from"
            continue
        name = out_name(out, c.name)
        out.features[name] = text_feature(facts, c)
        out.said[name] = f"{c.name}: {c.why}"
        out.texts.append(name)
    for c in facts.inputs("array"):
        name = out_name(out, c.name)
        shape = tuple(int(d) for d in np.shape(facts.table.columns[c.name])[1:])
        out.features[name] = {"columns": [c.name], "kind": "array", "shape": list(shape), "scale": "standard"}
        out.arrays[name] = shape
    for c in facts.columns.values():
        if not c.usable and c.name not in {t.column for t in facts.targets}:
            out.left_out[c.name] = c.why
    return out


def out_name(out: Inputs, column: str) -> str:
    """A feature's name after a column: a word, and none that is taken."""
    made = re.sub(r"\W+", "_", column).strip("_")[:40] or "column"
    made = made if made[0].isalpha() else f"c_{made}"
    reserved = {"numbers", "skewed", "categories", "tamed", "far", "clipped", "row", "gaps", "gaps_marks", "input", "hidden_1", "hidden_2", "drop_1", "drop_2"}
    taken = reserved | set(out.features)
    name, i = (f"{made}_in" if made in taken or made.startswith("dates") else made), 2
    while name in taken:
        name, i = f"{made}_{i}", i + 1
    return name


def _numbers(facts: Facts, out: Inputs) -> None:
    columns = facts.inputs("number")
    alone = {c.name: more for c in columns if (more := _own(facts, c))}
    alike = [c for c in columns if c.name not in alone]
    plain, far = [c.name for c in alike if not c.skewed], [c.name for c in alike if c.skewed]
    if plain:
        out.features["numbers"] = {"columns": plain, **SCALED}
        out.parts.append("numbers")
    if far:
        _both_ways(out, far, ("skewed", "tamed", "far", "clipped"), {})
    if gaps := [c.name for c in alike if has_gaps(facts, c)]:
        _gaps(out, gaps, "gaps", {})
    for c in columns:
        if c.name in alone:
            name, more = out_name(out, c.name), alone[c.name]
            out.said[name] = "\n".join([*([f"numbers with {c.strip!r} in them, which does not count"] if c.strip else []),
                                        *(["what each unit behind a number is worth"] if c.units else []),
                                        *([MISSING_HERE] if "missing_values" in more else [])])  # fmt: skip
            if c.skewed:
                _both_ways(out, [c.name], (name, f"{name}_tamed", f"{name}_far", f"{name}_clipped"), more)
            else:
                out.features[name] = {"columns": [c.name], **SCALED, **more}
                out.parts.append(name)
            if has_gaps(facts, c):
                _gaps(out, [c.name], f"{name}_gaps", more)
    out.width += len(columns) + sum(c.skewed for c in columns)


def _own(facts: Facts, c: Column) -> dict[str, Any]:
    """How a column of numbers is read otherwise than others are."""
    words = facts.dialect.reading.missing_in.get(c.name)
    return {**({"strip": c.strip} if c.strip else {}), **({"units": dict(c.units)} if c.units else {}), **({"missing_values": words} if words else {})}


def has_gaps(facts: Facts, c: Column) -> bool:
    """Whether a column's missing values are so many that it may tell something that they are."""
    return c.missing >= FEW_GAPS and c.missing > GAPS * len(facts.table)


def _gaps(out: Inputs, columns: list[str], name: str, more: dict[str, Any]) -> None:
    """A place for each column, which is 1 where its number is missing."""
    out.features[name] = {"columns": columns, "kind": "number", "scale": "none", "missing": "constant", "constant": NOWHERE, **more}
    out.said[name] = "whether these are missing"
    out.layers.append({"Lambda": f"where(x < {NOWHERE / 10:g}, 1.0, 0.0)", "name": f"{name}_marks", "from": name})
    out.parts.append(f"{name}_marks")
    out.width += len(columns)


def _both_ways(out: Inputs, columns: list[str], names: tuple[str, str, str, str], more: dict[str, Any]) -> None:
    """Numbers of which a few are far off: about their logarithm, which tells the near ones apart, and as they are, cut where they are far."""
    tamed, log, straight, cut = names
    out.features[tamed] = {"columns": columns, **SCALED, "scale": "robust", **more}
    out.features[straight] = {"columns": columns, **SCALED, **more}
    out.said[tamed] = "\n".join(
        [*([out.said[tamed]] if tamed in out.said else []),
         "a few values of these are far off: scaled by the middle half, and tamed by a logarithm on both sides in the model"]
    )  # fmt: skip
    out.said[straight] = "the same as they are"
    out.layers.append({"Lambda": "arcsinh(x)", "name": log, "from": tamed})
    out.layers.append({"Lambda": f"clip(x, -{FAREST}, {FAREST})", "name": cut, "from": straight})
    out.parts += [log, cut]


def _categories(facts: Facts, out: Inputs) -> None:
    columns = [c for c in facts.inputs("category") if not c.truth]
    if true := [c.name for c in facts.inputs("category") if c.truth]:
        name = out_name(out, "answers")
        out.features[name] = {"columns": true, "kind": "binary", "missing": "most_frequent", "unseen": "most_frequent"}
        out.said[name] = "yes and no, however they are written"
        out.parts.append(name)
        out.width += len(true)
    narrow = [c for c in columns if c.distinct <= WIDE]
    policy = {"missing": "constant", "constant": "missing"}
    for name, some in (("categories", [c for c in narrow if not c.respelled]), ("words", [c for c in narrow if c.respelled])):
        if some:
            name = name if name == "categories" else out_name(out, name)
            more = {"ignore_case": True} if some[0].respelled else {}
            out.features[name] = {"columns": [c.name for c in some], "kind": "category", "encode": "one_hot", **more, **policy}
            out.said[name] = "one-hot; what is missing or unseen in training is a bucket of its own" + (f"; {RESPELLED}" if more else "")
            out.parts.append(name)
            out.width += sum(c.distinct + 1 for c in some)
    for c in columns:
        if c not in narrow:
            name = out_name(out, c.name)
            size = int(min(24, max(4, round(c.distinct**0.5))))
            more = {"ignore_case": True} if c.respelled else {}
            out.features[name] = {"columns": [c.name], "kind": "category", "encode": "index", **more, **policy, "min_count": 2}
            out.said[name] = f"{c.distinct} different words: each a vector of {size} numbers" + (f"; {RESPELLED}" if more else "")
            out.layers.append({"Embedding": {"input_dim": f"${{features.{name}.size}}", "output_dim": size}, "name": f"{name}_vector", "from": name})
            out.parts.append(f"{name}_vector")
            out.width += size


def _lists(facts: Facts, out: Inputs) -> None:
    """Columns of lists: a place for each word, which is 1 in the rows that have it."""
    for c in facts.inputs("list"):
        name = out_name(out, c.name)
        out.features[name] = {**text_feature(facts, c, 1.0), "vocabulary": WIDE}
        out.said[name] = f"{c.name}: {c.why}; each word is a place of its own"
        out.layers.append({"CategoryEncoding": {"num_tokens": f"${{features.{name}.size}}"}, "name": f"{name}_marks", "from": name})
        out.parts.append(f"{name}_marks")
        out.width += min(WIDE, c.distinct)


def _vectors(facts: Facts, out: Inputs) -> None:
    """Several numbers in a field, each scaled by itself."""
    for c in facts.inputs("vector"):
        name = out_name(out, c.name)
        more = {"separator": c.separator} if c.separator else {}
        out.features[name] = {"columns": [c.name], "kind": "vector", **more, "missing": "median"}
        out.said[name] = f"{c.name}: {c.why}"
        out.layers.append({"Normalization": {}, "name": f"{name}_scaled", "from": name})
        out.parts.append(f"{name}_scaled")
        out.width += c.size


def _dates(facts: Facts, out: Inputs) -> None:
    written: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Column]] = {}
    for c in facts.inputs("date"):
        written.setdefault((c.formats, tuple(facts.dialect.reading.missing_in.get(c.name, ()))), []).append(c)
    for i, ((forms, words), columns) in enumerate(written.items()):
        name = "dates" if i == 0 else f"dates_{i + 1}"
        parts = date_parts(forms, [v for c in columns for v, _ in c.counts])
        out.features[name] = {"columns": [c.name for c in columns], "kind": "date", **format_entry(forms), "parts": parts, "missing": "median"}
        out.said[name] = f"dates are written {' or '.join(forms)}" if forms else "ISO dates"
        if words:
            out.features[name]["missing_values"] = list(words)
            out.said[name] += f"\n{MISSING_HERE}"
        out.parts.append(name)
        out.width += 20 * len(columns)


def format_entry(forms: Sequence[str]) -> dict[str, Any]:
    """A date's `format` in a feature: one, a list of several, none for ISO 8601."""
    return {"format": forms[0] if len(forms) == 1 else list(forms)} if forms else {}


def date_parts(forms: Sequence[str], values: Sequence[str]) -> list[str]:
    """What a date is taken apart into: the hour too where there is a time of day, the quarter where it says no more."""
    if forms and not any(p in f for p in ("%Y", "%y") for f in forms):
        return ["elapsed", "hour"]
    if any("%q" in f for f in forms):
        return ["days", "quarter"]
    timed = any(p in f for p in ("%H", "%I") for f in forms) if forms else any(len(v) > 10 for v in values)
    return ["elapsed", "month", "weekday", "hour"] if timed else ["days", "month", "weekday"]


def is_names(facts: Facts, c: Column) -> bool:
    """Whether a column's texts are short, and half of their words or more stand in fewer than five rows: names of people or things."""
    from collections import Counter

    from layerctl.data.texts import tokens

    values = [tokens(v, "words", True) for v in facts.table.texts(c.name)[:20000] if v]
    rows = Counter(w for words in values for w in set(words) if w[0].isalnum())
    known = sum(n for n in rows.values() if n >= OFTEN)
    return sum(map(len, values)) < SHORT * len(values) and known < 0.5 * rows.total()


def text_feature(facts: Facts, c: Column, share: float = 0.98) -> dict[str, Any]:
    """A text's entry: as long as nearly all texts are, or such a `share` of them."""
    from layerctl.data.texts import tokens

    lengths = [len(tokens(v, "words", True)) for v in facts.table.texts(c.name)[:20000] if v]
    length = int(min(200, max(8, np.quantile(lengths, share)))) if lengths else 8
    least = 2 if facts.rows >= 500 else 1
    return {"columns": [c.name], "kind": "text", "length": length, "vocabulary": 20000, "min_count": least, "missing": "constant", "constant": ""}


def joined(parts: Sequence[str], name: str, layers: list[Item]) -> str:
    """The name of the concatenation of parts, with a layer for it where there are several."""
    if len(parts) == 1:
        return parts[0]
    layers.append({"Concatenate": {"axis": -1}, "name": name, "from": list(parts)})
    return name
