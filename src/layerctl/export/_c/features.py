"""Features as C: from a record's fields to the model's inputs, by what was fitted on the training rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from layerctl.data.features import spread
from layerctl.data.months import MONTHS
from layerctl.diagnostics import Diagnostic
from layerctl.export._c.functions import C_TYPES, literal
from layerctl.export._c.graph import identifier, wrapped
from layerctl.export._c.unicode import tables
from layerctl.export._demands import of_column
from layerctl.spec.features import ColumnFit, FeatureFit

_RUNTIME = Path(__file__).parent / "runtime"
_NEEDS = {
    "number": ("number.c",), "scaled": ("number.c", "scaled.c"), "category": ("lookup.c", "category.c"),
    "text": ("lookup.c", "text.c", "lower.c", "tokens.c"), "date": ("date.c",), "within": ("number.c", "within.c"),
    "seen": ("lookup.c", "category.c", "seen.c"), "truth": ("lookup.c", "truth.c"), "without": ("without.c",),
}  # fmt: skip
_ORDER = (
    "csv.c", "without.c", "number.c", "scaled.c", "within.c", "lookup.c", "category.c", "seen.c", "truth.c",
    "date.c", "iso.c", "format.c", "dated.c", "text.c", "lower.c", "tokens.c",
)  # fmt: skip
_DIRECTIVES = set("YymdHMSbB%")
CANNOT = {"vector", "sequence", "units", "parts", "formats", "labels", "steps", "next", "input"}
"""What features and targets ask for that the file cannot do, as `_demands` names it."""


class Features:
    """The encoding of all features: `columns` are the names that the file needs, `needs` the parts of the run time.

    `problems` has what cannot be expressed.
    """

    def __init__(self, features: dict[str, FeatureFit], dtypes: dict[str, str]):
        self.columns: list[str] = []
        self.needs = {"csv.c"}
        self.parts: list[str] = []
        self.calls: list[str] = []
        self.problems: list[Diagnostic] = []
        self.greek = False
        self.longest = 1
        self._forms: set[bool] = set()
        self.window = next((f for f in features.values() if f.kind == "window"), None)
        for name, fit in features.items():
            self._feature(name, fit, dtypes[name])

    def runtime(self) -> str:
        """The parts of the run time that are needed, with the tables of letters before them."""
        out = []
        for part in _ORDER:
            if part not in self.needs:
                continue
            text = (_RUNTIME / part).read_text(encoding="utf-8")
            if part == "lower.c":
                text = tables(self.greek) + "\n" + text
            if part == "format.c":
                text = _months() + "\n" + text
            if part == "text.c":
                text = f"#define LONGEST_WORD {self.longest}\n\n" + text
            if part == "dated.c":
                text = self._parsing() + "\n" + text
            out.append(text)
        return "\n".join(out)

    def _parsing(self) -> str:
        body = []
        if True in self._forms:
            body += ["    struct moment found = {1900, 1, 1};"]
        if self._forms == {False, True}:
            body += ["    if (form == NULL)", "        return day_of(text);"]
        elif False in self._forms:
            body += ["    (void)form;", "    return day_of(text);"]
        if True in self._forms:
            body += ["    return is_of_form(text, form, &found) ? day_number(found.year, found.month, found.day) : 0;"]
        return "static int parsed_day(const char *text, const char *form)\n{\n" + "\n".join(body) + "\n}\n"

    def _cell(self, column: str) -> int:
        """A column's place among those that are needed."""
        if column not in self.columns:
            self.columns.append(column)
        return self.columns.index(column)

    def _need(self, *what: str) -> None:
        for w in what:
            self.needs |= set(_NEEDS[w])

    def _feature(self, name: str, fit: FeatureFit, dtype: str) -> None:
        into = identifier(name)
        kind = C_TYPES[dtype] if fit.kind == "array" or dtype == "i32" else "float"
        if fit.kind == "string":
            return  # refused by `Traced.problems`
        if any(key in CANNOT for c in fit.columns for key, _ in of_column(c)):
            return
        lines: list[str] = []
        if fit.kind == "array":
            lines = self._array(fit, dtype)
        elif fit.kind == "text":
            lines = self._text(into, fit)
        elif fit.encode == "index" and dtype == "i32":
            start = 0
            for i, c in enumerate(fit.columns):
                lines.append(f"to[{i}] = {self._category(c)} + {start};" if start else f"to[{i}] = {self._category(c)};")
                start += len(c.words) + 1
        else:
            lines = self._columns(into, fit.columns)
        declared = ["    int i;"] if any("(i " in line for line in lines) else []
        body = "\n".join([*declared, *(f"    {line}" for line in lines)])
        self.parts.append(f"static void encode_{into}({kind} *to)\n{{\n{body}\n}}\n")
        self.calls.append(into)

    def _array(self, fit: FeatureFit, dtype: str) -> list[str]:
        """Numbers in a row; one column's array is spread over columns called NAME_0, NAME_1, ..."""
        names, first = spread(fit), fit.columns[0]
        size = len(names)
        places = [self._cell(n) for n in names]
        self._need("number")
        value = "number(wanted[{0}], CELL({0}), (double)NAN)"
        loop = places == list(range(places[0], places[0] + size))
        at = f"{places[0]} + i" if loop and places[0] else "i" if loop else "places[i]"
        head = [] if loop else [f"static const int places[] = {{{', '.join(map(str, places))}}};"]
        if dtype != "f32":
            made = f"{value.format(at)} != 0" if dtype == "bool" else f"({C_TYPES[dtype]}){value.format(at)}"
            return [*head, f"for (i = 0; i < {size}; i++)", f"    to[i] = {made};"]
        scaled = f"({value.format(at)} - {literal('f64', first.centre)}) / {literal('f64', first.spread)}"
        return [*head, f"for (i = 0; i < {size}; i++)", f"    to[i] = (float)({scaled});"]

    def _columns(self, into: str, columns: Iterable[ColumnFit]) -> list[str]:
        lines: list[str] = []
        at = 0
        for c in columns:
            to = f"to + {at}" if at else "to"
            if c.kind == "number":
                lines.append(f"to[{at}] = {self._number(c)};")
                at += 1
            elif c.kind == "binary":
                lines.append(f"to[{at}] = {self._truth(c)};")
                at += 1
            elif c.kind == "date":
                self._date(c, to, lines)
                at += 20
            else:
                lines += [f"for (i = 0; i < {len(c.words) + 1}; i++)", f"    to[{at} + i] = 0;" if at else "    to[i] = 0;"]
                lines.append(f"to[{at} + {self._category(c)}] = 1;" if at else f"to[{self._category(c)}] = 1;")
                at += len(c.words) + 1
        return lines

    def _field(self, c: ColumnFit) -> tuple[int, str]:
        """(the column's place, its field without what does not count)."""
        k = self._cell(c.name)
        if not c.strip:
            return k, f"CELL({k})"
        self._need("without")
        return k, f"without(CELL({k}), {string(c.strip)})"

    def _number(self, c: ColumnFit) -> str:
        k, field = self._field(c)
        numbers = [literal("f64", v) for v in (float("nan") if c.fill is None else float(c.fill), c.centre, c.spread)]
        if not c.outlying or c.low is None or c.high is None:
            self._need("scaled")
            return f"scaled(wanted[{k}], {field}, {', '.join(numbers)})"
        self._need("within")
        more = [literal("f64", c.low), literal("f64", c.high), c.outlying.upper()]
        return f"scaled_within(wanted[{k}], {field}, {', '.join([*numbers, *more])})"

    def _truth(self, c: ColumnFit) -> str:
        self._need("truth")
        k = self._cell(c.name)
        words, values = f"words_{len(self.parts)}_{k}", f"values_{len(self.parts)}_{k}"
        order = sorted(range(len(c.words)), key=lambda i: c.words[i].encode())
        self.parts.append(_strings(words, [c.words[i] for i in order]))
        self.parts.append(f"static const float {values}[] = {{{', '.join(literal('f32', c.values[i]) for i in order)}}};\n")
        empty = "(float)NAN" if c.fill is None else literal("f32", float(c.fill))
        rest = "(float)NAN" if c.unseen == "error" else literal("f32", c.values[c.words.index(str(c.common))])
        return f"truth(wanted[{k}], CELL({k}), {words}, {values}, {len(order)}, {empty}, {rest})"

    def _date(self, c: ColumnFit, to: str, lines: list[str]) -> None:
        form = c.format
        if form is not None and not set(re.findall(r"%(.?)", form, re.S)) <= _DIRECTIVES:
            self.problems.append(Diagnostic("cannot-export", f"C export has no form for the date format {form!r} of column '{c.name}'",
                                            None, (), f"it reads {' '.join('%' + d for d in sorted(_DIRECTIVES - {'%'}))}"))  # fmt: skip
        self._forms.add(form is not None)
        self.needs |= {"date.c", "dated.c", "format.c" if form is not None else "iso.c"}
        k = self._cell(c.name)
        empty = literal("f64", float(c.fill or 0.0))
        text = "NULL" if form is None else string(form)
        lines.append(f"dated(wanted[{k}], CELL({k}), {text}, {empty}, {literal('f64', c.centre)}, {literal('f64', c.spread)}, {to});")

    def _category(self, c: ColumnFit) -> str:
        self._need("category")
        k = self._cell(c.name)
        empty = "NULL" if c.fill is None else string(str(c.fill))
        words, spelled = f"words_{len(self.parts)}_{k}", sorted([*c.words, *c.aliases], key=str.encode)
        self.parts.append(_strings(words, spelled))
        if c.unseen == "bucket":
            place = f"category(CELL({k}), {empty}, {words}, {len(spelled)})"
        else:
            self._need("seen")
            rest = -1 if c.unseen == "error" else spelled.index(str(c.common)) + 1 if c.common in c.words else 0
            place = f"seen(wanted[{k}], CELL({k}), {empty}, {words}, {len(spelled)}, {rest})"
        if not c.aliases:
            return place
        ids = {w: i + 1 for i, w in enumerate(c.words)}
        self.parts.append(f"static const int32_t ids_{words}[] = {{\n{wrapped(['0', *(str(ids[c.aliases.get(s, s)]) for s in spelled)])}\n}};\n")
        return f"ids_{words}[{place}]"

    def _text(self, into: str, fit: FeatureFit) -> list[str]:
        self._need("text")
        words = fit.columns[0].words
        order = sorted(range(len(words)), key=lambda i: words[i])
        longest = max((len(w.encode()) for w in words), default=0)
        self.longest = max(self.longest, longest)
        self.greek = self.greek or any("ς" in w or "σ" in w for w in words)
        self.parts.append(_strings(f"words_{into}", [words[i] for i in order]))
        self.parts.append(f"static const int32_t ids_{into}[] = {{\n{wrapped([str(i + 2) for i in order] or ['0'])}\n}};\n")
        self.parts.append(f"static const struct vocabulary vocabulary_{into} = {{words_{into}, ids_{into}, {len(words)}, {longest}}};\n")
        k = self._cell(fit.columns[0].name)
        split = {"whitespace": "WHITESPACE", "characters": "CHARACTERS"}.get(fit.split, "WORDS")
        return [f"tokenize(CELL({k}), {split}, {int(fit.lowercase)}, &vocabulary_{into}, to, {fit.length});"]


def string(text: str) -> str:
    """A text as a C string: bytes beyond ASCII, and what C would read as something else, as octal escapes."""
    out = []
    for b in text.encode("utf-8", "replace"):
        c = chr(b)
        out.append(f"\\{c}" if c in '"\\' else c if 32 <= b < 127 and c != "?" else f"\\{b:03o}")
    return '"' + "".join(out) + '"'


def _months() -> str:
    words = [f"{{{string(word)}, {number}}}" for word, number in sorted(MONTHS.items())]
    return f"static const struct month {{\n    const char *word;\n    int number;\n}} months[] = {{\n{wrapped(words)}\n}};\n"


def _strings(name: str, words: Iterable[str]) -> str:
    listed = [string(w) for w in words] or ["NULL"]
    return f"static const char *const {name}[] = {{\n{wrapped(listed)}\n}};\n"
