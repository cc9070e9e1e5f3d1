"""The parser's complaints, in words that say what to change."""

from __future__ import annotations

import re
from typing import Any

from layerctl.diagnostics import Diagnostic, Note, Problems, Source, Span
from layerctl.source import blocks, slips
from layerctl.source.document import Mapping, Scalar
from layerctl.source.marks import QUOTE, Place

DEEPEST = 50
"""How many collections may stand one inside the other."""
_BRACKETS = {"[": "]", "{": "}"}


def check_flow(mapping: Mapping, problems: Problems) -> None:
    """Finds what `{…}` silently misreads: an expression cut at its comma, and a key that has lost its space.

    `{total: f(x, axis=0)}` is the keys `total` and `axis=0)`; `{units:8}` is the key `units:8` without a value.
    """
    bare = [k for k, v in mapping.entries if isinstance(v, Scalar) and v.text == "" and v.style == "plain" and ":" not in k.text and "(" not in k.text]
    if len(bare) > 1 and len(bare) == len(mapping.entries):
        listed = ", ".join(k.text for k in bare)
        pairs = [re.fullmatch(r"([A-Za-z_]\w*) *=>? *(\S.*)", k.text) for k in bare]
        if all(pairs):
            named = ", ".join(f"{m[1]}: {m[2]}" for m in pairs if m is not None)
            problems.error("yaml-colon", f"'{{{listed}}}' has '=' in place of ':'", mapping.span, hint=f"write `{{{named}}}`")
            return
        problems.error("yaml-syntax", f"'{{{listed}}}' has values without names", mapping.span,
                       hint=f"in braces each value has a name, `{{name: value}}`; a list stands in brackets, `[{listed}]`")  # fmt: skip
        return
    for at, (key, value) in enumerate(mapping.entries):
        if not (isinstance(value, Scalar) and value.text == "" and value.style == "plain" and key.style == "plain"):
            continue
        before = mapping.entries[at - 1].value if at else None
        if isinstance(before, Scalar) and isinstance(before.value, int) and not isinstance(before.value, bool) and key.text.isdecimal():
            start, end = before.span, key.span
            whole = f"{before.text}{key.text}" if len(key.text) == 3 and before.value else f"{before.text}.{key.text}"
            span = Span(start.source, start.line, start.column, end.end_line, end.end_column)
            glued = (end.line, end.column) == (start.end_line, start.end_column + 1)
            problems.error("yaml-unquoted", f"'{before.text},{key.text}' is cut at its comma, which ends a value inside braces", span,
                           hint=f"write {whole}: numbers have a point, and no sign between digits" if glued
                           else f"a list stands in brackets: `[{before.text}, {key.text}]`")  # fmt: skip
            continue
        if isinstance(before, Scalar) and before.style == "plain" and before.text.count("(") > before.text.count(")"):
            start, end = before.span, key.span
            span = Span(start.source, start.line, start.column, end.end_line, end.end_column)
            if before.text.startswith("("):
                problems.error("yaml-unquoted", f"'{before.text}' is cut at its comma: YAML has no tuples, expected a list", span,
                               hint="write it in brackets, as in `[3, 3]`, or `[4]` for one number")  # fmt: skip
                return
            problems.error(
                "yaml-unquoted",
                f"'{before.text}' is cut at its comma, which ends a value inside braces",
                span,
                hint=f"{QUOTE}, or put the key on a line of its own",
            )
            return
        unfinished = re.match(r"(\w+) +(\S.*)", key.text)
        if unfinished is not None and not key.text.startswith("not "):
            problems.error("yaml-colon", f"no ':' after '{unfinished[1]}'", key.span, hint=f"write `{unfinished[1]}: {unfinished[2].lstrip('=> ')}`")
            return
        if re.fullmatch(r"\w+:\S+", key.text):
            name, rest = key.text.split(":", 1)
            problems.error(
                "yaml-colon",
                f"'{key.text}' is one word, expected a space after ':'",
                key.span,
                hint=f"write `{name}: {rest}`",
            )


def explain(error: Any, source: Source) -> Diagnostic:
    """A parser's error (yaml.MarkedYAMLError) as a diagnostic with a place and a cure."""
    place = Place(error, source)
    for cause in (
        _tab,
        slips.found,
        _quote,
        _escape,
        _start,
        _flow,
        _tag,
        _anchor,
        _block_scalar,
        blocks.colon,
        blocks.key,
        blocks.indentation,
        blocks.leftover,
        _open_end,
    ):
        found = cause(place)
        if found is not None:
            return found
    return Diagnostic("yaml-syntax", f"this is no YAML: {place.problem}", place.span(), hint=QUOTE)


def _open_end(p: Place) -> Diagnostic | None:
    """A bracket that is open where the file ends."""
    if any(row.strip() for row in [p.row[p.column :], *p.rows[p.line + 1 :]]):
        return None
    opened: list[tuple[str, int, int]] = []
    for line, row in enumerate(p.rows):
        bare = re.sub(r"'[^']*'|\"[^\"]*\"|(?:^|\s)#.*", lambda m: " " * len(m[0]), row)
        for column, c in enumerate(bare):
            if c in _BRACKETS:
                opened.append((c, line, column))
            elif c in _BRACKETS.values() and opened:
                opened.pop()
    if not opened:
        return None
    opener, line, column = opened[-1]
    return Diagnostic("yaml-unclosed", f"'{opener}' is not closed, expected '{_BRACKETS[opener]}'", p.span(line, column),
                      hint=_where_it_ends(p, line, column, _BRACKETS[opener]))  # fmt: skip


def _tab(p: Place) -> Diagnostic | None:
    indent = p.row[: len(p.row) - len(p.row.lstrip())]
    if "\t" in indent and (p.char == "\t" or p.column >= len(indent) or p.column <= indent.index("\t")):
        return Diagnostic(
            "yaml-tab",
            "a tab in the indentation, expected spaces",
            p.span(column=indent.index("\t")),
            hint="replace each tab by two spaces",
        )
    if p.char == "\t" and "cannot start" in p.problem:
        return Diagnostic(
            "yaml-tab", "a tab where a value begins, expected spaces", p.span(), hint="replace the tab by a space"
        )
    return None


def _quote(p: Place) -> Diagnostic | None:
    if "quoted scalar" in p.context and ("unexpected end" in p.problem or "document indicator" in p.problem):
        return Diagnostic(
            "yaml-unclosed",
            f"the quote {p.opener} is not closed",
            p.span(p.open_line, p.open_column),
            hint=f"put {p.opener} at the end of the text",
        )
    return None


def _escape(p: Place) -> Diagnostic | None:
    if "escape" not in p.problem and "hexdecimal" not in p.problem and "hexadecimal" not in p.problem:
        return None
    at = p.row.rfind("\\", 0, p.column + 1)
    if at < 0:
        at = p.column
    got = p.row[at : at + 2]
    return Diagnostic(
        "yaml-escape",
        f"'{got}' is no escape of YAML's double quotes",
        p.span(column=at, length=2),
        hint="double the backslash, or use single quotes, which take it as it is",
    )


def _start(p: Place) -> Diagnostic | None:
    if "cannot start any token" not in p.problem:
        return None
    return Diagnostic(
        "yaml-unquoted", f"a value cannot start with '{p.char}' unless it is quoted", p.span(), hint=QUOTE
    )


def _flow(p: Place) -> Diagnostic | None:
    if "flow" not in p.context or p.opener not in _BRACKETS:
        return None
    closer = _BRACKETS[p.opener]
    for line in range(p.open_line, p.line):
        quote = slips.lone_quote(p, line, p.open_column if line == p.open_line else 0)
        if quote is not None:
            return quote
    if p.char == "{" and p.before.endswith("$"):
        end = p.row.find("}", p.column)
        length = end - p.column + 2 if end > 0 else 2
        name = p.row[p.column - 1 : p.column - 1 + length]
        return Diagnostic(
            "yaml-unquoted",
            f"'{name}' stands inside '{p.opener}…{closer}' without quotes",
            p.span(column=p.column - 1, length=length),
            hint=f'quote it: "{name}"',
        )
    same_line = p.line == p.open_line
    if same_line and p.char in ("[", "{") and p.before[-1:].strip() and p.before[-1:] not in ",:[{":
        return Diagnostic(
            "yaml-unquoted",
            f"'{p.char}' inside a value, where '{p.opener}…{closer}' expects ',' or '{closer}'",
            p.span(),
            hint=f"{QUOTE}, or put the key on a line of its own",
        )
    if same_line and p.char in ("]", "}") and p.char != closer:
        return Diagnostic(
            "yaml-unclosed",
            f"'{p.char}' closes '{p.opener}', expected '{closer}'",
            p.span(),
            notes=(Note(f"'{p.opener}' is here", p.span(p.open_line, p.open_column)),),
            hint=f"put '{closer}' before it, or '{next(o for o, c in _BRACKETS.items() if c == p.char)}' where what it closes begins",
        )
    if same_line and p.char == ":" and (word := re.search(r"(?P<value>[^\s,{\[:]+?);? +(?P<key>\w+)$", p.before)):
        rest = f"{word['key']}{p.row[p.column :].split(',')[0].rstrip(closer)}"
        return Diagnostic("yaml-syntax", f"expected ',' before '{word['key']}'", p.span(column=word.start("key"), length=len(word["key"])),
                          hint=f"write `{word['value']}, {rest}`")  # fmt: skip
    opened = [i for i, c in enumerate(p.row[: p.column + 1]) if c in _BRACKETS]
    if p.char in _BRACKETS and len(opened) > DEEPEST:  # the scanner's own bound comes before the events'
        return Diagnostic(
            "yaml-too-deep",
            f"values nested more than {DEEPEST} deep, expected at most {DEEPEST}",
            p.span(column=opened[DEEPEST]),
            hint="a bracket too many is the usual cause",
        )
    if same_line and p.char:
        rest = p.row[p.column :].split(",")[0].strip()
        return Diagnostic(
            "yaml-syntax",
            f"expected ',' or '{closer}' before '{rest if len(rest) <= 40 else rest[:37] + '...'}'",
            p.span(),
            hint=f"separate values by ', '; {QUOTE} if it is one text",
        )
    return Diagnostic(
        "yaml-unclosed",
        f"'{p.opener}' is not closed, expected '{closer}'",
        p.span(p.open_line, p.open_column),
        hint=_where_it_ends(p, p.open_line, p.open_column, closer),
    )


def _where_it_ends(p: Place, line: int, column: int, closer: str) -> str:
    """Where a bracket that is not closed is to be closed: often it is, in a comment."""
    comment = re.search(r" #", p.rows[line][column:])
    if comment is not None and closer in p.rows[line][column + comment.start() :]:
        return f"what stands behind ' #' is a comment: put '{closer}' before it, or quote the text"
    return f"put '{closer}' where the value ends"


def _tag(p: Place) -> Diagnostic | None:
    if "directive" in p.context or "directive" in p.problem:
        return Diagnostic(
            "yaml-unquoted", "a line cannot start with '%' unless it is quoted", p.span(column=0), hint=QUOTE
        )
    if "tag" not in p.context and "tag" not in p.problem:
        return None
    at = max(p.row.rfind("!", 0, p.column + 1), 0)
    return Diagnostic(
        "yaml-tag",
        "a tag ('!…') is not taken, expected a plain value",
        p.span(column=at),
        hint="to have text that starts with '!', quote it",
    )


def _anchor(p: Place) -> Diagnostic | None:
    for what, sign in (("alias", "*"), ("anchor", "&")):
        if what in p.context:
            return Diagnostic(
                "yaml-unquoted",
                f"'{sign}' begins an {what} and needs a name",
                p.span(p.open_line, p.open_column),
                hint=f"to have text that starts with '{sign}', quote it",
            )
    return None


def _block_scalar(p: Place) -> Diagnostic | None:
    if "block scalar" not in p.context:
        return None
    return Diagnostic(
        "yaml-syntax",
        f"text after '{p.opener}', which begins a text on the lines below",
        p.span(),
        hint="put the text on the next line, or quote it",
    )


