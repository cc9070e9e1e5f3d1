"""Complaints about keys and indentation, in words that say what to change. Each takes a place and is None for what is none of its business."""

from __future__ import annotations

import re

from layerctl.diagnostics import Diagnostic, Note
from layerctl.source import slips
from layerctl.source.marks import ODD_SPACE, ODD_SPACE_CURE, QUOTE, SPACES, Place


def colon(p: Place) -> Diagnostic | None:
    """`: ` where no key can be: two on a line, or below a line that has a value or lacks its colon."""
    if "mapping values are not allowed" not in p.problem:
        return None
    content = p.row.lstrip(" -")
    first = len(p.row) - len(content)
    if re.search(r":(\s|$)", p.row[first : p.column]) and ":" not in p.row[first : p.column].split(": ")[0]:
        inner = re.match(r"(?:- )*([\w.]+): (([A-Za-z_]\w*): .*)$", p.row.strip())
        round_ones = re.match(r"(?:- )*([\w.]+): \((\w+: .*)\)$", p.row.split(" #")[0].strip())
        if round_ones is not None:
            return Diagnostic("yaml-unquoted", "arguments stand in round brackets, expected braces", p.span(column=p.row.index("(")),
                              hint=f"write `{round_ones[1]}: {{{round_ones[2]}}}`")  # fmt: skip
        braces = f"write `{inner[1]}: {{{inner[2]}}}`, or quote the value" if inner is not None and " " not in inner[3] else None
        return Diagnostic(
            "yaml-colon",
            "a second ': ' in one value",
            p.span(),
            hint=braces or f"{QUOTE}; a nested key goes on the next line, indented, or in braces",
        )
    above = p.previous()
    if above < 0:
        return Diagnostic("yaml-colon", "':' stands where no key can be", p.span(), hint=QUOTE)
    row = p.rows[above]
    text = row.strip().removeprefix("- ").strip()
    at = row.index(text) if text else 0
    if "：" in text:
        name = text.partition("：")[0].strip()
        return Diagnostic("yaml-colon", f"'：' behind '{name}' is a full-width colon, expected ':'", p.span(above, row.index("：")), hint=f"write `{name}: …`")
    if not re.search(r":(\s|$)", text) and not (row.lstrip().startswith("- ") and p.row.lstrip().startswith("- ")):
        return _no_colon(p, above, at, text)
    found = slips.uneven(p)
    if found is not None:
        return found
    if p.row.lstrip().startswith("- "):
        over = len(row) - len(row.lstrip())
        return Diagnostic("yaml-indentation", f"an item indented by {p.row.index('-')} spaces below one of {over}, expected {over}",
                          p.span(column=p.row.index("-")), hint="items of one list start in the same column")  # fmt: skip
    inner = re.fullmatch(r"([\w.]+): +([A-Za-z_]\w*)", text)
    below = p.row.strip().split(" #")[0].rstrip()
    nested = f"write `{inner[1]}: {{{inner[2]}: {{{below}}}}}`; or " if inner is not None and re.fullmatch(r"[\w.]+: +\S+", below) else ""
    return Diagnostic(
        "yaml-indentation",
        f"a key under line {above + 1}, which already has a value",
        p.span(column=first),
        notes=(Note("the line with the value", p.span(above, at, len(text))),),
        hint=f"{nested}give both lines the same indentation; or a line with the key that it belongs to is missing between them, such as `data:`",
    )


def _no_colon(p: Place, line: int, at: int, text: str) -> Diagnostic:
    """A line of text above one with a key: it lacks its colon, or the key below lacks its dash."""
    own = p.row.lstrip()
    if p.rows[line].lstrip().startswith("- ") and own[:1].isupper() and p.row.index(own) == at:
        name = own.partition(":")[0]
        return Diagnostic("yaml-indentation", f"no '- ' before '{name}', which stands below the item '{text}'", p.span(column=at, length=len(name)),
                          hint=f"write `- {name}: …` in the column of `- {text}`; or `{text}:`, if '{name}' belongs to it")  # fmt: skip
    return Diagnostic("yaml-colon", f"no ':' after '{text.split()[0]}'", p.span(line, at, len(text)), hint=f"write `{_as_key(text)}`")


def _as_key(text: str) -> str:
    """A line that has no colon as it should be: the first word is the key."""
    name, _, value = text.partition(" ")
    return f"{name}: {value.strip()}" if value else f"{text}:"


def key(p: Place) -> Diagnostic | None:
    """A line that should have a key and has no colon, or another sign in its place."""
    if "could not find expected ':'" not in p.problem:
        return None
    row = p.rows[p.open_line][p.open_column :].rstrip()
    if "：" in row:
        name = row.partition("：")[0].strip()
        at = p.open_column + row.index("：")
        return Diagnostic("yaml-colon", f"'：' behind '{name}' is a full-width colon, expected ':'", p.span(p.open_line, at), hint=f"write `{name}: …`")
    below = next((r.strip() for r in p.rows[p.open_line + 1 :] if r.strip()), "")
    where = p.span(p.open_line, p.open_column, len(row))
    if below.startswith("- ") and " " not in row and p.rows[p.open_line].strip() == row and row[:1].isupper():
        return Diagnostic("yaml-indentation", f"no '- ' before '{row}', the lines below are items of a list", where, hint=f"write `- {row}`")
    return Diagnostic("yaml-colon", f"no ':' after '{row.split()[0]}'", where, hint=f"write `{_as_key(row)}`")


def bare_colon(p: Place) -> Diagnostic:
    """A ':' that is no key's: nothing stands before it, or no space behind it."""
    name = re.search(r"(\w+)$", p.before)
    if name is not None and p.row[p.column + 1 : p.column + 2].strip():
        return Diagnostic("yaml-colon", f"no space behind the ':' of '{name[1]}'", p.span(), hint=f"write `{name[1]}: …`")
    return Diagnostic("yaml-key", "a ':' without a key before it", p.span(), hint="write `name: value`")


def indentation(p: Place) -> Diagnostic | None:
    """A line that starts in a column where nothing of its level does."""
    if not any(text in p.problem for text in ("expected key", "'-' indicator", "<block end>", "<document start>")):
        return None
    if p.before.strip():
        return None
    if p.char == ":":
        return bare_colon(p)
    found = slips.uneven(p)
    if found is not None:
        return found
    above = p.previous()
    last = p.rows[above] if above >= 0 else ""
    own, over = p.column, len(last) - len(last.lstrip())
    if "block collection" in p.context or "block sequence" in p.context:
        if own == p.open_column and p.char == "-" and p.row[own + 1 : own + 2] in SPACES:
            return Diagnostic("yaml-space", ODD_SPACE, p.span(column=own + 1), hint=ODD_SPACE_CURE)
        if own == p.open_column:
            items = [r for r in p.rows[p.open_line : p.line] if r[:own].strip() == "" and r[own:].startswith("- ")]
            if len(items) == 1 and p.char != "-" and re.match(r"- +[a-z_]\w*:(\s|$)", items[0][own:]):
                return Diagnostic("yaml-indentation", f"a '- ' makes a list of this line, and line {p.line + 1} goes on with a key",
                                  p.span(p.open_line, own), hint="remove the '- '")  # fmt: skip
            return Diagnostic(
                "yaml-indentation",
                "a key beside the items of a list, expected '- '",
                p.span(),
                hint="indent it under an item, or put it where the list's own key stands; or a line such as `compile:` is missing before it",
            )
    elif p.char == "-" and own < over and re.fullmatch(r"\s*[\w.]+:", last.split(" #")[0].rstrip()):
        key = last.split(" #")[0].strip()
        return Diagnostic("yaml-indentation", f"an item of '{key[:-1]}' indented by {own} space{'s' * (own != 1)}, expected {over} or more", p.span(),
                          hint=f"start the items of a list in the column of `{key}`, or further in")  # fmt: skip
    elif p.char == "-" and last.lstrip().startswith("- ") and own != over:
        return Diagnostic(
            "yaml-indentation",
            f"an item indented by {own} spaces below one of {over}, expected {over}",
            p.span(),
            hint="items of one list start in the same column",
        )
    elif p.char == "-" and own == p.open_column:
        first = p.rows[p.open_line][own:].rstrip()
        if first[:1].isupper() and not any(r[:own].strip() == "" and r[own : own + 1].strip() for r in p.rows[p.open_line + 1 : p.line]):
            return Diagnostic("yaml-indentation", f"no '- ' before '{first.partition(':')[0]}', the lines below are items of a list",
                              p.span(p.open_line, own, len(first)), hint=f"write `- {first}`")  # fmt: skip
        return Diagnostic(
            "yaml-indentation",
            "an item '- ' beside the keys of a mapping, expected a key",
            p.span(),
            hint="put the items under a key of their own, as in `model:`",
        )
    wanted = " or ".join(str(n) for n in sorted({p.open_column, over} - {own}))
    return Diagnostic(
        "yaml-indentation",
        f"an indentation of {own} space{'s' * (own != 1)}, expected {wanted}",
        p.span(),
        hint="keys and items of one level start in the same column",
    )


def leftover(p: Place) -> Diagnostic | None:
    """Text after a value that is complete."""
    if p.char in ("]", "}"):
        return Diagnostic(
            "yaml-unclosed", f"'{p.char}' closes nothing", p.span(), hint="remove it, or open its bracket"
        )
    if p.char == ":":
        return bare_colon(p)
    if p.char == ",":
        return Diagnostic("yaml-syntax", "a ',' without a value before it", p.span(), hint="remove it")
    if p.before.strip():
        rest = p.row[p.column :].strip()
        quote = next(filter(None, (slips.lone_quote(p, line) for line in range(p.line - 1, -1, -1))), None) if p.before[-1] in "\"'" else None
        if quote is not None and p.before.count(p.before[-1]) % 2:
            return quote
        if p.char == "-" and p.before.rstrip().endswith(":"):
            return Diagnostic("yaml-unquoted", "'-' begins an item of a list, expected a value", p.span(length=max(len(rest), 1)), hint=QUOTE)
        if rest in (";", "."):
            return Diagnostic("yaml-syntax", f"'{rest}' after a value that is complete", p.span(), hint="remove it")
        if rest.startswith(("//", "/*", "%%", ";")):
            return Diagnostic("yaml-syntax", f"'{rest[: 1 if rest[0] == ';' else 2]}' begins no comment", p.span(length=len(rest)),
                              hint=f"a comment begins with '#': write `# {slips.uncommented(rest)}`")  # fmt: skip
        return Diagnostic(
            "yaml-unquoted",
            f"'{rest}' after a value that is complete",
            p.span(length=max(len(rest), 1)),
            hint="put the quotes around the whole value",
        )
    return None
