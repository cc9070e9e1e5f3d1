"""What letters are, as tables that Python's own tables give: the tokens of a text are the same in C."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable


def ranges(member: Callable[[str], bool]) -> list[tuple[int, int]]:
    """The code points that are members, as (first, last)."""
    out: list[tuple[int, int]] = []
    for c in range(sys.maxunicode + 1):
        if member(chr(c)):
            if out and out[-1][1] == c - 1:
                out[-1] = (out[-1][0], c)
            else:
                out.append((c, c))
    return out


def lowerings() -> list[tuple[int, int, int, int]]:
    """Runs (first, last, step, change) of letters that lower() changes to one other; what becomes several letters is left out."""
    found = []
    for c in range(sys.maxunicode + 1):
        low = chr(c).lower()
        if len(low) == 1 and ord(low) != c:
            found.append((c, ord(low) - c))
    out: list[list[int]] = []
    for c, change in found:
        if out and out[-1][3] == change:
            first, last, step, _ = out[-1]
            if c - last == step or (first == last and c - last <= 2):
                out[-1] = [first, c, c - last, change]
                continue
        out.append([c, c, 1, change])
    return [(a, b, s, d) for a, b, s, d in out]


def _cased(c: str) -> bool:
    """A letter that keeps a capital sigma before it from ending the word, and is not passed over."""
    return ("aΣ" + c).lower()[1] == "σ" and not _ignorable(c)


def _ignorable(c: str) -> bool:
    """What is passed over on the way to the next letter: behind it a cased letter counts, and without one nothing does."""
    return ("aΣ" + c + "a").lower()[1] == "σ" and ("aΣ" + c).lower()[1] == "ς"


@functools.cache
def tables(greek: bool) -> str:
    """The tables as C; those for the sigma at a word's end are empty but for a place where no token has one."""
    parts = {"word_letters": ranges(lambda c: c.isalnum() or c == "_")}
    parts["cased"] = ranges(_cased) if greek else [(0, 0)]
    parts["case_ignorable"] = ranges(_ignorable) if greek else [(0, 0)]
    out = []
    for name, found in parts.items():
        out.append(f"static const uint32_t {name}[][2] = {{\n{_lines([f'{{{a}, {b}}}' for a, b in found])}\n}};\n")
    out.append("#define IN(c, table) in_ranges((c), (table), (int)(sizeof (table) / sizeof (table)[0]))\n")
    rows = [f"{{{a}, {b}, {s}, {d}}}" for a, b, s, d in lowerings()]
    head = "static const struct lowering {\n    uint32_t first, last, step;\n    int32_t change;\n} lowerings[]"
    out.append(f"{head} = {{\n{_lines(rows)}\n}};\n")
    return "\n".join(out)


def _lines(values: list[str]) -> str:
    from layerctl.export._c.graph import wrapped

    return wrapped(values)
