"""`layerctl init`: a model file for a file of data, or from a template."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from layerctl.diagnostics import Source, Span, fail

SCHEMA = "layerctl.schema.json"
SHARE = 0.1


@dataclass(frozen=True)
class Started:
    """The file that was written, what it predicts, and what was found on the way."""

    path: Path | None
    text: str
    targets: tuple[str, ...]
    rows: int
    notes: list[str] = field(default_factory=list)


def init(
    source: str | None, *, target: str | None = None, out: str | None = None, wanted: str | None = None, columns: Sequence[str] | None = None,
    template: str | None = None, test: str | None = None, validation: float = SHARE, held: float = SHARE, name: str | None = None, force: bool = False,
) -> Started:  # fmt: skip
    """Writes a model file for `source`.

    Raises:
        LayerctlError: for a file that cannot be read, targets that are not there, and files that are there already, unless `force`.
    """
    from layerctl.commands.starting.gathering import base_name, gather
    from layerctl.commands.starting.table import table_draft
    from layerctl.modelfile.atomic import write
    from layerctl.source.dump import dumps

    path = Path(out) if out else None
    if path is not None and path.exists() and not force:
        fail("file-exists", f"'{path}' is there already", Span(Source(str(path))), hint="give another name with --out, or --force")
    facts = gather(source, target.split(",") if target else [], wanted, columns, test)
    folder = path.parent if path is not None else Path()
    draft = table_draft(facts, name or base_name(source), relative(source, folder), (validation, held), None if test is None else relative(test, folder))
    text = dumps(draft.plain, draft.said)
    if path is not None:
        write(path, [text.encode()])
    return Started(path, text, tuple(t.column for t in facts.targets), facts.rows, draft.notes)


def relative(source: str, folder: Path) -> str:
    """A file's name as a model file in `folder` says it."""
    if source.startswith("builtin:") or os.path.isabs(source):
        return source
    return os.path.relpath(source, folder)
