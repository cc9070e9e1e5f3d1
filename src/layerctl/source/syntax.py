"""The parser's complaints, in words that say what to change."""

from __future__ import annotations

import re
from typing import Any

from layerctl.diagnostics import Diagnostic, Note, Problems, Source, Span
from layerctl.source.document import Mapping, Scalar

DEEPEST = 50
"""How many collections may stand one inside the other."""
QUOTE = 'quote the value: "…"'
_BRACKETS = {"[": "]", "{": "}"}


SPACES = frozenset(
    "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u202f\u205f\u3000\ufeff"
)
ODD_SPACE = "a space that is not the ordinary one (U+0020) stands before this text"
ODD_SPACE_CURE = "replace it by ordinary spaces; web pages and editors copy others"


def note(message: str, span: Span) -> Note:
    """A second place."""
    return Note(message, span)


def check_flow(mapping: Mapping, problems: Problems) -> None:
    """Finds what `{…}` silently misreads: an expression cut at its comma, and a key that has lost its space.

    `{total: f(x, axis=0)}` is the keys `total` and `axis=0)`; `{units:8}` is the key `units:8` without a value.
    """
    for at, (key, value) in enumerate(mapping.entries):
        if not (isinstance(value, Scalar) and value.text == "" and value.style == "plain" and key.style == "plain"):
            continue
        before = mapping.entries[at - 1].value if at else None
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
        if re.fullmatch(r"\w+:\S+", key.text):
            name, rest = key.text.split(":", 1)
            problems.error(
                "yaml-colon",
                f"'{key.text}' is one word, expected a space after ':'",
                key.span,
                hint=f"write `{name}: {rest}`",
            )


class _Place:
    """The text around the parser's two marks: where it stopped, and where what it was reading began."""

    def __init__(self, error: Any, source: Source):
        self.source = source
        self.rows = (source.text or "").split("\n")
        self.problem = error.problem or "the text is no YAML"
        self.context = error.context or ""
        mark = error.problem_mark or error.context_mark
        self.line, self.column = (mark.line, mark.column) if mark else (0, 0)
        opened = error.context_mark or mark
        self.open_line, self.open_column = (opened.line, opened.column) if opened else (0, 0)
        self.rows += [""] * (max(self.line, self.open_line) + 1 - len(self.rows))
        self.row = self.rows[self.line]
        self.char = self.row[self.column : self.column + 1]
        self.before = self.row[: self.column]
        self.opener = self.rows[self.open_line][self.open_column : self.open_column + 1]

    def span(self, line: int | None = None, column: int | None = None, length: int = 1) -> Span:
        """A place by the parser's counting, from 0; the default is where the parser stopped."""
        line = self.line if line is None else line
        column = self.column if column is None else column
        if line and not any(row.strip() for row in self.rows[line:]):
            line = max(i for i, row in enumerate(self.rows) if row.strip() or i == 0)
            column = len(self.rows[line])
        return Span(self.source, line + 1, column + 1, line + 1, column + 1 + length)

    def previous(self, line: int | None = None) -> int:
        """The line above that is neither empty nor a comment, or -1."""
        at = (self.line if line is None else line) - 1
        while at >= 0 and (not self.rows[at].strip() or self.rows[at].lstrip().startswith("#")):
            at -= 1
        return at


def explain(error: Any, source: Source) -> Diagnostic:
    """A parser's error (yaml.MarkedYAMLError) as a diagnostic with a place and a cure."""
    place = _Place(error, source)
    for cause in (
        _tab,
        _quote,
        _escape,
        _start,
        _flow,
        _tag,
        _anchor,
        _block_scalar,
        _colon,
        _key,
        _indentation,
        _leftover,
        _open_end,
    ):
        found = cause(place)
        if found is not None:
            return found
    return Diagnostic("yaml-syntax", f"this is no YAML: {place.problem}", place.span(), hint=QUOTE)


def _open_end(p: _Place) -> Diagnostic | None:
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
                      hint=f"put '{_BRACKETS[opener]}' where the value ends")  # fmt: skip


def _tab(p: _Place) -> Diagnostic | None:
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


def _quote(p: _Place) -> Diagnostic | None:
    if "quoted scalar" in p.context and ("unexpected end" in p.problem or "document indicator" in p.problem):
        return Diagnostic(
            "yaml-unclosed",
            f"the quote {p.opener} is not closed",
            p.span(p.open_line, p.open_column),
            hint=f"put {p.opener} at the end of the text",
        )
    return None


def _escape(p: _Place) -> Diagnostic | None:
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


def _start(p: _Place) -> Diagnostic | None:
    if "cannot start any token" not in p.problem:
        return None
    return Diagnostic(
        "yaml-unquoted", f"a value cannot start with '{p.char}' unless it is quoted", p.span(), hint=QUOTE
    )


def _flow(p: _Place) -> Diagnostic | None:
    if "flow" not in p.context or p.opener not in _BRACKETS:
        return None
    closer = _BRACKETS[p.opener]
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
            notes=(note(f"'{p.opener}' is here", p.span(p.open_line, p.open_column)),),
            hint=f"put '{closer}' before it",
        )
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
        hint=f"put '{closer}' where the value ends",
    )


def _tag(p: _Place) -> Diagnostic | None:
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


def _anchor(p: _Place) -> Diagnostic | None:
    for what, sign in (("alias", "*"), ("anchor", "&")):
        if what in p.context:
            return Diagnostic(
                "yaml-unquoted",
                f"'{sign}' begins an {what} and needs a name",
                p.span(p.open_line, p.open_column),
                hint=f"to have text that starts with '{sign}', quote it",
            )
    return None


def _block_scalar(p: _Place) -> Diagnostic | None:
    if "block scalar" not in p.context:
        return None
    return Diagnostic(
        "yaml-syntax",
        f"text after '{p.opener}', which begins a text on the lines below",
        p.span(),
        hint="put the text on the next line, or quote it",
    )


def _colon(p: _Place) -> Diagnostic | None:
    """`: ` where no key can be: two on a line, or below a line that has a value or lacks its colon."""
    if "mapping values are not allowed" not in p.problem:
        return None
    content = p.row.lstrip(" -")
    first = len(p.row) - len(content)
    if re.search(r":(\s|$)", p.row[first : p.column]) and ":" not in p.row[first : p.column].split(": ")[0]:
        return Diagnostic(
            "yaml-colon",
            "a second ': ' in one value",
            p.span(),
            hint=f"{QUOTE}; a nested key goes on the next line, indented, or in braces",
        )
    above = p.previous()
    if above < 0:
        return Diagnostic("yaml-colon", "':' stands where no key can be", p.span(), hint=QUOTE)
    row = p.rows[above]
    text = row.strip().removeprefix("- ").strip()
    at = row.index(text) if text else 0
    glued = re.match(r"[\w.]+:(?=\S)", text)
    if glued:
        name, rest = text.split(":", 1)
        return Diagnostic(
            "yaml-colon",
            f"'{text}' is one word, expected a space after ':'",
            p.span(above, at, len(text)),
            hint=f"write `{name}: {rest}`",
        )
    if "：" in text:
        name = text.partition("：")[0].strip()
        return Diagnostic("yaml-colon", f"'：' behind '{name}' is a full-width colon, expected ':'", p.span(above, row.index("：")), hint=f"write `{name}: …`")
    if ":" not in text:
        return Diagnostic("yaml-colon", f"no ':' after '{text}'", p.span(above, at, len(text)), hint=f"write `{text}:`")
    return Diagnostic(
        "yaml-indentation",
        f"a key under line {above + 1}, which already has a value",
        p.span(column=first),
        notes=(note("the line with the value", p.span(above, at, len(text))),),
        hint="give both lines the same indentation, or remove the value",
    )


def _key(p: _Place) -> Diagnostic | None:
    if "could not find expected ':'" not in p.problem:
        return None
    row = p.rows[p.open_line][p.open_column :].rstrip()
    if "：" in row:
        name = row.partition("：")[0].strip()
        at = p.open_column + row.index("：")
        return Diagnostic("yaml-colon", f"'：' behind '{name}' is a full-width colon, expected ':'", p.span(p.open_line, at), hint=f"write `{name}: …`")
    name, sign, value = (part.strip() for part in row.partition("="))
    cure = f"{name}: {value}" if sign else f"{row}: …"
    return Diagnostic("yaml-colon", f"no ':' after '{name}'", p.span(p.open_line, p.open_column, len(row)), hint=f"write `{cure}`")


def _bare_colon(p: _Place) -> Diagnostic:
    """A ':' that is no key's: nothing stands before it, or no space behind it."""
    name = re.search(r"(\w+)$", p.before)
    if name is not None and p.row[p.column + 1 : p.column + 2].strip():
        return Diagnostic("yaml-colon", f"no space behind the ':' of '{name[1]}'", p.span(), hint=f"write `{name[1]}: …`")
    return Diagnostic("yaml-key", "a ':' without a key before it", p.span(), hint="write `name: value`")


def _indentation(p: _Place) -> Diagnostic | None:
    if "expected key" not in p.problem and "'-' indicator" not in p.problem and "<block end>" not in p.problem:
        return None
    if p.before.strip():
        return None
    if p.char == ":":
        return _bare_colon(p)
    above = p.previous()
    last = p.rows[above] if above >= 0 else ""
    own, over = p.column, len(last) - len(last.lstrip())
    if "block collection" in p.context or "block sequence" in p.context:
        if own == p.open_column and p.char == "-" and p.row[own + 1 : own + 2] in SPACES:
            return Diagnostic("yaml-space", ODD_SPACE, p.span(column=own + 1), hint=ODD_SPACE_CURE)
        if own == p.open_column:
            return Diagnostic(
                "yaml-indentation",
                "a key beside the items of a list, expected '- '",
                p.span(),
                hint="indent it under an item, or put it where the list's own key stands",
            )
    elif p.char == "-" and last.lstrip().startswith("- ") and own > over:
        return Diagnostic(
            "yaml-indentation",
            f"an item indented by {own} spaces below one of {over}, expected {over}",
            p.span(),
            hint="items of one list start in the same column",
        )
    elif p.char == "-" and own == p.open_column:
        return Diagnostic(
            "yaml-indentation",
            "an item '- ' beside the keys of a mapping, expected a key",
            p.span(),
            hint="put the items under a key of their own",
        )
    wanted = " or ".join(str(n) for n in sorted({p.open_column, over} - {own}))
    return Diagnostic(
        "yaml-indentation",
        f"an indentation of {own} space{'s' * (own != 1)}, expected {wanted}",
        p.span(),
        hint="keys and items of one level start in the same column",
    )


def _leftover(p: _Place) -> Diagnostic | None:
    """Text after a value that is complete."""
    if p.char in ("]", "}"):
        return Diagnostic(
            "yaml-unclosed", f"'{p.char}' closes nothing", p.span(), hint="remove it, or open its bracket"
        )
    if p.char == ":":
        return _bare_colon(p)
    if p.char == ",":
        return Diagnostic("yaml-syntax", "a ',' without a value before it", p.span(), hint="remove it")
    if p.before.strip():
        rest = p.row[p.column :].strip()
        return Diagnostic(
            "yaml-unquoted",
            f"'{rest}' after a value that is complete",
            p.span(length=max(len(rest), 1)),
            hint="put the quotes around the whole value",
        )
    return None
