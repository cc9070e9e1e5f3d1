"""Where YAML's parser stopped: the text around its marks."""

from __future__ import annotations

from typing import Any

from layerctl.diagnostics import Source, Span

QUOTE = 'quote the value: "…"'
SPACES = frozenset(
    "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u202f\u205f\u3000\ufeff"
)
ODD_SPACE = "a space that is not the ordinary one (U+0020) stands before this text"
ODD_SPACE_CURE = "replace it by ordinary spaces; web pages and editors copy others"


class Place:
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
