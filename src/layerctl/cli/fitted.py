"""What was fitted on the training rows, and what folds score, as tables or JSON."""

from __future__ import annotations

from layerctl.cli import output
from layerctl.cli.render import number, table
from layerctl.commands import folds
from layerctl.commands.fitted import Fitted


def shown(found: list[Fitted]) -> str:
    """A table for each input and target."""
    if not found:
        return "nothing was fitted: the file has no data section"
    parts = []
    for f in found:
        body = table([f.head, *f.rows], {1} if f.head[0] == "class" else set()) if f.rows else ""
        parts.append(f"{f.title}\n{body}" if body else f.title)
    return "\n\n".join(parts)


def scored(found: folds.FoldsResult, as_json: bool) -> None:
    """The scores of each fold, their mean and spread."""
    if found.warnings:
        output.show(found.warnings, as_json)
    if as_json:
        output.emit(folds.plain(found))
        return
    if found.folds:
        names = list(found.folds[0].scores)
        rows = [["fold", "epochs", *names]]
        rows += [[str(f.fold), str(f.epochs), *(number(f.scores[n]) if n in f.scores else "" for n in names)] for f in found.folds]
        rows.append(["mean", "", *(number(found.mean[n]) if n in found.mean else "" for n in names)])
        if found.spread:
            rows.append(["spread", "", *(number(found.spread[n]) if n in found.spread else "" for n in names)])
        print(table(rows, set(range(1, len(names) + 2))))
    output.say(f"{len(found.folds)} of {found.count} folds are trained; the runs are in {found.folder}")
