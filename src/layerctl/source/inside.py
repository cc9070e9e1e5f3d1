"""Where each character of a scalar's text stands in the file, through quotes, escapes, folding and indentation."""

from __future__ import annotations

from layerctl.diagnostics import Span


def positions(text: str, span: Span | None) -> list[tuple[int, int]] | None:
    """The line and column of each character of `text`, and of its end; `span` is where the scalar starts, quote too.

    Every visible character of the text is the next visible character of the file, apart from escapes; so lines are
    exact always, and columns wherever there are no escapes but `\\"`, `\\\\` and `''`. Without a source it counts
    from the span's start. None for a text that is not the file's, since a variable's value stands in it.
    """
    if span is None or not span.line:
        return [(0, 0)] * (len(text) + 1)
    rows = span.source.text.split("\n") if span.source.text is not None else None
    line, column = span.line, span.column
    if rows is None or line > len(rows):
        return [(line, column + i) for i in range(len(text) + 1)]
    quote = rows[line - 1][column - 1 : column]
    if quote in ("'", '"') and not text.startswith(quote):
        column += 1
    elif quote in ("|", ">") and not text.startswith(quote):
        line, column, quote = line + 1, 1, ""
    else:
        quote = ""
    return _walk(text, rows, line, column, quote)


def _walk(text: str, rows: list[str], line: int, column: int, quote: str) -> list[tuple[int, int]] | None:
    """Pairs the visible characters; `line` and `column` count from 1."""
    escapes = 0
    places: list[tuple[int, int]] = []
    end = (line, column)
    for character in text:
        if character.isspace():
            places.append(end)
            end = (end[0], end[1] + 1)
            continue
        while line <= len(rows) and not rows[line - 1][column - 1 :].strip():
            line, column = line + 1, 1
        if line > len(rows):
            places.append(end)
            continue
        row = rows[line - 1]
        while row[column - 1].isspace():
            column += 1
        places.append((line, column))
        escaped = (quote == '"' and row[column - 1] == "\\") or (quote == "'" and row.startswith("''", column - 1))
        escapes += escaped
        if row[column - 1] != character and not escapes:
            return None
        column += 2 if escaped else 1
        end = (line, column)
    return [*places, end]


def within(text: str, span: Span | None, start: int, end: int) -> Span | None:
    """The place of `text[start:end]`, for the text of a scalar that starts at `span`: all of it where a variable's value stands in it."""
    if span is None or not span.line:
        return span
    places = positions(text, span)
    if places is None:
        return span
    (line, column), (end_line, end_column) = places[start], places[max(end - 1, start)]
    return Span(span.source, line, column, end_line, end_column + (end > start), span.via)
