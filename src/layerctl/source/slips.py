"""Slips of the pen, looked for in the lines around the place where the parser stopped: it often stops a line or two after the mistake."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from layerctl.diagnostics import Diagnostic, Note
from layerctl.source.marks import ODD_SPACE, ODD_SPACE_CURE, SPACES, Place
from layerctl.source.sections import SECTIONS

_ODD = "".join(sorted(SPACES))
_START = r"^(?P<start>\s*(?:- +)*)"
_NAME = r"(?P<name>[A-Za-z_][\w.]*)"
MERGE = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( |$)")
_CLOSERS = {"]": "[", "}": "{"}


def found(p: Place) -> Diagnostic | None:
    """The first slip in the line above, where what the parser was reading began, or where it stopped."""
    for line in sorted({i for i in (p.previous(), p.open_line, p.line) if i >= 0}):
        row = p.rows[line].split(" #")[0].rstrip(" \t")  # other spaces are slips themselves
        for slip in _SLIPS:
            diagnostic = slip(p, line, row)
            if diagnostic is not None:
                return diagnostic
    return None


def _merge(p: Place, line: int, row: str) -> Diagnostic | None:
    if not MERGE.match(row):
        return None
    return Diagnostic("yaml-syntax", f"'{row[:7]}' is a mark of git: two versions of these lines were not merged", p.span(line, 0, 7),
                      hint="keep one of the two versions, and remove the lines of <<<<<<<, ======= and >>>>>>>")  # fmt: skip


def _comment(p: Place, line: int, row: str) -> Diagnostic | None:
    at = re.search(r"(?:^\s*|[,{\[]\s*)(?P<mark>//|/\*|%%)\s*(?P<text>.*)$", row)
    return at and Diagnostic("yaml-syntax", f"'{at['mark']}' begins no comment", p.span(line, at.start("mark"), len(at["mark"])),
                      hint=f"a comment begins with '#': write `# {uncommented(row[at.start('mark') :])}`")  # fmt: skip


def uncommented(text: str) -> str:
    """What a comment of another language says."""
    return re.sub(r"^(//+|/\*+|%%+|;+)\s*|\s*\*+/\s*$", "", text)


def _odd_space(p: Place, line: int, row: str) -> Diagnostic | None:
    at = re.search(rf"^[ ]*(?:- )*(?=[{_ODD}])|[:,-](?=[{_ODD}])", row)
    return at and Diagnostic("yaml-space", ODD_SPACE, p.span(line, at.end()), hint=ODD_SPACE_CURE)


def _odd_dash(p: Place, line: int, row: str) -> Diagnostic | None:
    at = re.match(r"^\s*(?P<dash>[–—−•*·]|--)\s+\w", row)
    return at and Diagnostic("yaml-colon", f"'{at['dash']}' is no '-'", p.span(line, at.start("dash"), len(at["dash"])),
                            hint=f"write `- {row[at.end() - 1 :]}`")  # fmt: skip


def _end(p: Place, line: int, row: str) -> Diagnostic | None:
    if row != "..." or line == p.line:
        return None
    return Diagnostic("yaml-documents", "'...' ends the file's document, expected nothing behind it", p.span(line, 0, 3), hint="remove it")


def _variable(p: Place, line: int, row: str) -> Diagnostic | None:
    """`"${name}` with one quote."""
    for at in re.finditer(r"""(?P<before>["']?)\$\{(?:env:)?[^}"'{]*\}(?P<after>["']?)""", row):
        if bool(at["before"]) == bool(at["after"]):
            continue
        text = at[0].strip("\"'")
        where = p.span(line, at.start("before"), len(at[0]))
        if at["before"]:
            return Diagnostic("yaml-unclosed", f"the quote {at['before']} is not closed", where, hint=f"""write `"{text}"`""")
        return Diagnostic("yaml-unquoted", f"'{text}' lacks the quote before it", where, hint=f"""write `"{text}"`""")
    return None


def lone_quote(p: Place, line: int, column: int = 0) -> Diagnostic | None:
    """A quote that opens in a line, from a column on, and goes on beyond it."""
    bare = re.sub(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|(?:^|\s)#.*", lambda m: " " * len(m[0]), p.rows[line][column:])
    at = re.search(r"(?<=[\s:,\[{])[\"']", bare)
    return at and Diagnostic("yaml-unclosed", f"the quote {at[0]} is not closed", p.span(line, column + at.start()), hint=f"put {at[0]} at the end of the text")


def quote_at_the_end(text: str) -> bool:
    """Whether a text without quotes around it ends in one that nothing opens; those within words are apostrophes, those behind Python's prefixes open."""
    quote = text[-1:]
    opens = rf"(?<!\w)(?:[bfruBFRU]{{1,2}}(?={quote}\w))?{quote}"
    return len(text) > 1 and quote in "\"'" and len(re.findall(rf"{opens}|{quote}(?!\w)", text)) % 2 == 1


def _smart_quotes(p: Place, line: int, row: str) -> Diagnostic | None:
    at = re.search(r"(?:[:\[{,-]\s*)(?P<quote>[“”„«‘’])", row)
    return at and Diagnostic("yaml-unquoted", f"{at['quote']} is no quote of YAML, expected \" or '", p.span(line, at.start("quote")),
                             hint="replace the curly quotes by straight ones")  # fmt: skip


def _dash(p: Place, line: int, row: str) -> Diagnostic | None:
    at = re.match(r"^\s*(?:- )*-(?P<name>[A-Za-z]\w*)(?=:|$|\s)", row)
    if at is None:
        return None
    return Diagnostic("yaml-colon", f"'-{at['name']}' is one word, expected a space after '-'", p.span(line, at.start("name") - 1, len(at["name"]) + 1),
                      hint=f"write `- {row[at.start('name'):]}`")  # fmt: skip


def _glued(p: Place, line: int, row: str) -> Diagnostic | None:
    """`name:value` where a line's key stands."""
    at = re.match(rf"{_START}(?P<all>{_NAME}:(?P<rest>[^\s:].*))$", p.rows[line].rstrip())
    if at is None or (at["rest"][0] == "/" and "://" in at["all"]):
        return None
    what = f"'{at['all']}' is one word, expected a space after ':'"
    return Diagnostic("yaml-colon", what, p.span(line, at.start("all"), len(at["all"])), hint=f"write `{at['name']}: {at['rest']}`")


def _equals(p: Place, line: int, row: str) -> Diagnostic | None:
    at = re.match(rf"{_START}{_NAME}\s*=\s*(?P<value>[^=\s].*)$", row)
    if at is None or not stops_at_a_key(p):
        return None
    return Diagnostic("yaml-colon", f"no ':' after '{at['name']}'", p.span(line, at.start("name"), len(row) - at.start("name")),
                      hint=f"write `{at['name']}: {at['value']}`")  # fmt: skip


def _bracket_without_colon(p: Place, line: int, row: str) -> Diagnostic | None:
    """`name {…}`, at the start of a line or within braces."""
    bare = re.sub(r"(?<=\")[^\"]*(?=\")|(?<=')[^']*(?=')", lambda m: "_" * len(m[0]) if "{" in m[0] or "[" in m[0] else m[0], row)
    for pattern in (rf"{_START}{_NAME} +(?=[{{\[])", rf"(?<!\$)[{{,] *{_NAME} *=? *(?=[{{\[\"'])"):
        at = re.search(pattern, bare)
        if at is not None:
            end = at.start("name") + len(at["name"])
            return Diagnostic("yaml-colon", f"no ':' after '{at['name']}'", p.span(line, at.start("name"), len(at["name"])),
                              hint=f"write `{at['name']}: {row[end:].lstrip(' =')}`")  # fmt: skip
    return None


def _brace_without_opener(p: Place, line: int, row: str) -> Diagnostic | None:
    """`name: key: value}`."""
    at = re.search(rf"(?:{_START}|[{{,] *)(?P<outer>[\w.]+): (?P<inner>[\w.]+): ", row)
    if at is None:
        return None
    closer = next((c for c in _CLOSERS if row.count(c) > row.count(_CLOSERS[c])), None)
    if closer is None:
        return None
    opener = _CLOSERS[closer]
    return Diagnostic("yaml-unclosed", f"'{closer}' has no '{opener}': it is missing before '{at['inner']}'", p.span(line, at.start("inner"), len(at["inner"])),
                      hint=f"write `{at['outer']}: {opener}{row[at.start('inner'):]}`")  # fmt: skip


def _closed_in_a_comment(p: Place, line: int, row: str) -> Diagnostic | None:
    """`{units: 8, #activation: relu}`: the brace that closes is in a comment."""
    at = re.search(r"\s#", p.rows[line])
    if at is None:
        return None
    before, behind = p.rows[line][: at.start()], p.rows[line][at.start() :]
    for closer, opener in _CLOSERS.items():
        if before.count(opener) > before.count(closer) and behind.count(closer) > behind.count(opener):
            return Diagnostic("yaml-unclosed", f"'{opener}' is not closed, expected '{closer}'", p.span(line, before.rindex(opener)),
                              hint=f"what stands behind ' #' is a comment: put '{closer}' before it, or quote the text")  # fmt: skip
    return None


_SLIPS = (
    _merge, _comment, _odd_space, _odd_dash, _end, _variable, _smart_quotes, _dash, _glued, _equals, _bracket_without_colon, _brace_without_opener,
    _closed_in_a_comment,
)  # fmt: skip


def stops_at_a_key(p: Place) -> bool:
    """Whether the parser stopped where it wanted a key, or found one that cannot be."""
    return any(text in p.problem for text in ("expected ':'", "mapping values", "expected key", "<block end>", "document start"))


def uneven(p: Place) -> Diagnostic | None:
    """A line that starts in another column than its neighbours: the first one of its level, of which the parser says nothing."""
    rows, own = p.rows, _indent(p.row)
    above = p.previous()
    if above < 0:
        return None
    blame = _key_at_the_top(p, own) or _first_deeper(p, own) if _indent(rows[above]) > own else _first_shallower(p, above, own) or _fallen(p, above, own)
    if blame is None:
        return None
    line, wanted = blame
    has = _indent(rows[line])
    text = rows[line].strip()
    if p.row[own:].startswith("- ") and not text.startswith("- ") and has == own + 2:
        return Diagnostic("yaml-indentation", f"no '- ' before '{text.partition(':')[0]}', the lines below are items of a list", p.span(line, has, len(text)),
                          hint=f"write `- {text}`")  # fmt: skip
    return Diagnostic("yaml-indentation", f"an indentation of {has} space{'s' * (has != 1)}, the lines after it have {wanted}",
                      p.span(line, has, len(text)), (Note("as this one", p.span(column=own, length=len(p.row.strip()))),),
                      "keys and items of one level start in the same column")  # fmt: skip


def _indent(row: str) -> int:
    return len(row) - len(row.lstrip(" "))


def _lines(p: Place, start: int, step: Callable[[int], int]) -> Iterator[int]:
    at = start
    while 0 <= at < len(p.rows):
        if p.rows[at].strip() and not p.rows[at].lstrip().startswith("#"):
            yield at
        at = step(at)


def _level(p: Place, own: int) -> int:
    """How many lines, from where the parser stopped, start in its line's column."""
    count = 0
    for line in _lines(p, p.line, lambda i: i + 1):
        if _indent(p.rows[line]) < own:
            break
        count += _indent(p.rows[line]) == own
    return count


def _key_at_the_top(p: Place, own: int) -> tuple[int, int] | None:
    """The head of the lines above, where it fell to the first column and is no section: a key like this line's."""
    head = next((i for i in _lines(p, p.line - 1, lambda i: i - 1) if _indent(p.rows[i]) < own), None)
    before = p.previous(head) if head is not None else -1
    if head is None or before < 0 or _indent(p.rows[head]) or _indent(p.rows[before]) < own:
        return None
    key = re.fullmatch(r"(\w+):", p.rows[head].split(" #")[0].rstrip())
    return (head, own) if key is not None and key[1] not in SECTIONS else None


def _first_deeper(p: Place, own: int) -> tuple[int, int] | None:
    """The one line between a level's head and this line that is indented more than this one and those after it."""
    rows, between = p.rows, []
    for line in _lines(p, p.line - 1, lambda i: i - 1):
        if _indent(p.rows[line]) <= own:
            if _indent(p.rows[line]) == own and not p.rows[line].rstrip().endswith(":"):
                return None
            if _indent(p.rows[line]) == own and own:
                return None
            break
        between.append(line)
    least = min(_indent(p.rows[i]) for i in between)
    level = [i for i in between if _indent(p.rows[i]) == least]
    following = next(_lines(p, p.line + 1, lambda i: i + 1), None)
    if len(level) != 1 or level[0] != between[-1]:
        return None
    if following is not None and _indent(rows[following]) == least and not (p.row.rstrip().endswith(":") and _level(p, own) > 1):
        return None
    if least % 2 == own % 2 and _level(p, own) < 2 and not p.row[own:].startswith("- "):
        return None
    return None if own % 2 and not least % 2 else (level[0], own)


def _fallen(p: Place, above: int, own: int) -> tuple[int, int] | None:
    """The line above, where it fell out of the level that the lines before it and this one are of."""
    rows, has, head = p.rows, _indent(p.rows[above]), p.previous(above)
    if has >= own or head < 0 or _indent(rows[head]) <= has or rows[above].rstrip().endswith(":"):
        return None
    levels, least = set(), _indent(rows[head]) + 1
    for line in _lines(p, head, lambda i: i - 1):
        if _indent(rows[line]) < least:
            least = _indent(rows[line])
            levels |= {least, least + 2} if rows[line].lstrip().startswith("- ") else {least}
    return (above, own) if own in levels else None


def _first_shallower(p: Place, above: int, own: int) -> tuple[int, int] | None:
    """The line above, where it is the first below its head and has less indentation than this one and those after it."""
    rows, has, head = p.rows, _indent(p.rows[above]), p.previous(above)
    if has >= own or head < 0 or rows[above].rstrip().endswith(":"):
        return None
    over = _indent(rows[head])
    if over == own and not rows[above].lstrip().startswith("- "):
        return above, own
    if not rows[head].split(" #")[0].rstrip().endswith(":") or over > has:
        return None
    after = next((i for i in _lines(p, p.line, lambda i: i + 1) if _indent(rows[i]) < own), None)
    if over < has and ((after is not None and _indent(rows[after]) == has) or (_level(p, own) < 2 and not (has - over) % 2)):
        return None
    return above, own
