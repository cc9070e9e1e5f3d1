"""`layerctl explain`: a page for each code of a diagnostic: `python -m layerctl.commands.explain tests/failing docs` gathers its examples.

The pages' texts are the Markdown files in `codes/`; examples are cases of the corpus of failing files, with what is said of them.
"""

from __future__ import annotations

import functools
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from layerctl.diagnostics import Source, Span, did_you_mean, fail

PAGES = Path(__file__).with_name("codes")
EXAMPLES = PAGES / "examples.yaml"
_PAGE = re.compile(r"^## (\S+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_FIRST = re.compile(r"^\S.*: (?:error|warning): .* \[([a-z0-9-]+)\]$", re.MULTILINE)
_SHORTEST = 30


@dataclass(frozen=True)
class Example:
    """A file that has the mistake, the command, and what it says."""

    name: str
    file: str
    command: str
    says: str


@dataclass(frozen=True)
class Explanation:
    """The page of a code: what it means, and what to do."""

    code: str
    group: str
    means: str
    cure: str
    example: Example | None = None

    @property
    def summary(self) -> str:
        """The first sentence."""
        return re.split(r"(?<=\.)\s", self.means, maxsplit=1)[0]


@functools.cache
def explanations() -> dict[str, Explanation]:
    """Every page by its code, in the order of the files."""
    from layerctl.source.read import loads

    examples = loads(EXAMPLES.read_text(encoding="utf-8"), EXAMPLES.name).plain() if EXAMPLES.exists() else {}
    out = {}
    for path in sorted(PAGES.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        group = text.split("\n", 1)[0].removeprefix("# ")
        for code, body in _PAGE.findall(text):
            means, _, cure = body.strip().partition("\n\nCure: ")
            out[code] = Explanation(code, group, means.strip(), cure.strip(), Example(**examples[code]) if code in examples else None)
    return out


def explain(code: str) -> Explanation:
    """The page of a code, which may stand in brackets as messages have it.

    Raises:
        LayerctlError: if there is none.
    """
    known = explanations()
    name = code.strip("[]")
    if name not in known:
        fail("unknown-code", f"there is no code '{name}'{did_you_mean(name, known)}", Span(Source("explain")), hint="`layerctl explain` lists them")
    return known[name]


def markdown() -> str:
    """All pages as one, for the documentation."""
    lines = ["# Diagnostics", "", "Every message ends with its code; `layerctl explain CODE` prints its page.", ""]
    group = ""
    for page in explanations().values():
        if page.group != group:
            group = page.group
            lines += [f"## {group}", ""]
        lines += [f"### {page.code}", "", page.means, "", f"**Cure:** {page.cure}", ""]
        if page.example is not None:
            lines += ["```yaml", page.example.file.rstrip(), "```", "", *_block(f"$ {page.example.command}\n{page.example.says}"), ""]
    return "\n".join(lines).rstrip() + "\n"


def _block(text: str) -> list[str]:
    return [f"    {line}".rstrip() for line in text.rstrip().splitlines()]


def gathered(corpus: Path) -> dict[str, Example]:
    """For each code the shortest case of the corpus that says it alone; else one that says it among others."""
    found: dict[str, tuple[tuple[int, int, str], Example]] = {}
    for expected in sorted(corpus.glob("*/*/expected.txt")):
        folder = expected.parent
        says, _, _ = expected.read_text(encoding="utf-8").rpartition("exit ")
        arguments = (folder / "args.txt").read_text(encoding="utf-8").strip() if (folder / "args.txt").exists() else "build model.yaml"
        file = _text(folder / "model.yaml")
        if file is None or len(file) > 2000 or len(says) > 2000:
            continue
        codes = _FIRST.findall(says)
        for code in dict.fromkeys(codes):
            rank = (len(set(codes)), max(len(file), _SHORTEST) + len(says), folder.name)
            if code not in found or rank < found[code][0]:
                found[code] = rank, Example(f"{folder.parent.name}/{folder.name}", file, f"layerctl {arguments}", says.rstrip())
    return {code: example for code, (_, example) in sorted(found.items())}


def _text(path: Path) -> str | None:
    """A case's model file, where it can be shown."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return text if text.isprintable() or {c for c in text if not c.isprintable()} <= {"\n", "\t"} else None


def dumped(examples: dict[str, Example]) -> str:
    """Examples as the file that ships."""
    from layerctl.source.dump import dumps

    head = "# Written by `python -m layerctl.commands.explain tests/failing docs`.\n"
    return head + dumps({c: {"name": e.name, "file": e.file, "command": e.command, "says": e.says} for c, e in examples.items()})


if __name__ == "__main__":
    EXAMPLES.write_text(dumped(gathered(Path(sys.argv[1]))), encoding="utf-8")
    (Path(sys.argv[2]) / "diagnostics.md").write_text(markdown(), encoding="utf-8")
    print(f"{len(explanations())} pages")
