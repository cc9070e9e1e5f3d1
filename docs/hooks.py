"""What the site has beyond the pages of this folder: the order of pages, the reference of commands and of names."""

from __future__ import annotations

import posixpath
import re
import tempfile
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ORDER = {
    "Tutorials": ["table", "images", "text", "time-series", "several-inputs", "language-model", "keras"],
    "Project": ["comparison", "performance", "keras-coverage", "architecture", "contributing"],
}
FOLDERS = {"Tutorials": "tutorials", "How to": "how-to"}


def on_config(config: Any) -> Any:
    """The navigation: tutorials, how-to pages, all pages at the top as reference, what is about the project."""
    docs = Path(config["docs_dir"])
    nav: list[Any] = [{"layerctl": "index.md"}]
    for title, folder in FOLDERS.items():
        found = sorted(p.stem for p in (docs / folder).glob("*.md"))
        first = [n for n in ORDER.get(title, []) if n in found]
        nav.append({title: [f"{folder}/{n}.md" for n in [*first, *(n for n in found if n not in first)]]})
    top = sorted(p.stem for p in docs.glob("*.md") if p.stem not in ("index", *ORDER["Project"]))
    nav.append({"Reference": [*(f"{n}.md" for n in top), {"Commands": "reference/commands.md"}, {"Names": "reference/index.md"}]})
    nav.append({"Project": [f"{n}.md" for n in ORDER["Project"] if (docs / f"{n}.md").exists()]})
    config["nav"] = nav
    return config


def on_files(files: Any, *, config: Any) -> Any:
    """Adds the pages that are made of the sources."""
    from layerctl.cli.man import markdown
    from layerctl.commands.reference import write

    specifications = Path(config["config_file_path"]).parent / "tests" / "layers"
    made = {"reference/commands.md": markdown()}
    with tempfile.TemporaryDirectory() as folder:
        for path in write(Path(folder), specifications):
            made[f"reference/{path.name}"] = path.read_text(encoding="utf-8")
    for place, text in made.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Links to files of the sources beside this folder become those files' names: the site has the pages alone."""

    def shown(found: re.Match[str]) -> str:
        place = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page.file.src_uri), found[2]))
        return found[0] if place.startswith("docs/") else f"{found[1]} (`{place}` in the sources)"

    return re.sub(r"\[([^\]]+)\]\((?!\w+:)([^)#]+)\)", shown, markdown)
