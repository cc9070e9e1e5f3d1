"""The reference pages, one a layer and one for each other catalogue, as Markdown: `python -m layerctl.commands.reference FOLDER [PAGES]`.

PAGES is the folder of the layers' specifications (tests/layers in the sources), whose blocks become the examples.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from layerctl.commands.examples import HEAD
from layerctl.commands.layers import KINDS, Page, pages, with_example
from layerctl.configured import singular

_BLOCK = re.compile(r"```yaml\n.*?```", re.DOTALL)


def markdown(page: Page, examples: list[str]) -> str:
    """A page as Markdown."""
    lines = [f"# {page.name}", "", page.text, ""]
    if page.aliases:
        lines += [f"Also known as {', '.join(page.aliases)}.", ""]
    if page.arguments:
        lines += ["| argument | default | |", "|---|---|---|"]
        lines += [f"| `{a.name}` | `{'null' if a.default is None else a.default}` | {a.description} |" for a in page.arguments]
        lines.append("")
    if page.example is not None:
        lines += ["## Example", "", "```yaml", page.example.yaml.rstrip(), "```", "", f"| {' | '.join(HEAD)} |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(map(str, row))} |" for row in page.example.rows]
        lines.append("")
    if examples:
        lines += ["## Cases", ""]
    for example in examples:
        lines += [example, ""]
    return "\n".join(lines)


def examples_of(name: str, folder: Path | None) -> list[str]:
    """The blocks of the specifications that use a layer."""
    if folder is None:
        return []
    blocks = [b for p in sorted(folder.glob("*.md")) for b in _BLOCK.findall(p.read_text(encoding="utf-8"))]
    return [b for b in blocks if re.search(rf"layer:.*\b{name}\b", b)]


def write(folder: Path, specifications: Path | None = None) -> list[Path]:
    """Writes all pages and an index; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written, index = [], ["# Reference", ""]
    for kind in KINDS:
        index += [f"## {kind}", ""]
        for page in pages((kind,)):
            path = folder / f"{singular(kind)}-{page.name}.md"
            path.write_text(markdown(with_example(page), examples_of(page.name, specifications)), encoding="utf-8")
            written.append(path)
            index.append(f"- [{page.name}]({path.name}): {page.summary}")
        index.append("")
    (folder / "index.md").write_text("\n".join(index), encoding="utf-8")
    return [*written, folder / "index.md"]


if __name__ == "__main__":
    found = write(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    print(f"{len(found)} pages in {sys.argv[1]}")
