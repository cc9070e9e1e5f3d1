"""Results as tables, lines or JSON."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from layerctl.cli import output
from layerctl.commands.build import BuildResult

if TYPE_CHECKING:
    from layerctl.training.profile import Profile


def table(rows: list[list[str]], right: set[int]) -> str:
    """Columns side by side; those in `right` are flush right. The first row is the head. What would break a line is shown as it is escaped."""
    rows = [[c if c.isprintable() else "".join(s if s.isprintable() else repr(s)[1:-1] for s in c) for c in r] for r in rows]
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(r, widths, strict=True))).rstrip() for r in rows]
    return "\n".join([lines[0], "─" * max(map(len, lines)), *lines[1:]])


def size(n: int | None) -> str:
    """Bytes for people."""
    if n is None:
        return "–"
    for unit, step in (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)):
        if n >= step:
            return f"{n / step:.1f} {unit}"
    return f"{n} B"


def number(v: float) -> str:
    """A metric for people."""
    return f"{v:.4f}" if 1e-3 <= abs(v) < 1e5 or v == 0 else f"{v:.3e}"


def built(result: BuildResult, as_json: bool) -> None:
    """The table of `build`, or the stage that was asked for."""
    d = result.description
    output.show(result.warnings, as_json) if result.warnings else None
    if as_json:
        out = {"event": "build", **asdict(d)}
        if result.profile is not None:
            out["profile"] = asdict(result.profile)
        if result.fitted is not None:
            out["features"] = [f.plain for f in result.fitted]
        output.emit({**out, "text": result.text} if result.text is not None else out)
        return
    if result.fitted is not None:
        from layerctl.cli.fitted import shown

        print(shown(result.fitted))
        return
    if result.text is not None:
        print(result.text)
        return
    if result.profile is not None:
        print(profiled(result.profile))
        return
    rows = [["layer", "type", "output shape", "parameters", "MACs"]]
    rows += [[r.name, r.kind, r.shape, f"{r.parameters:,}", f"{r.macs:,}"] for r in d.rows]
    print(f"{d.name}\n{table(rows, {3, 4})}")
    print(f"parameters: {d.trainable + d.other:,} ({d.trainable:,} trainable); {d.macs:,} multiply-adds a row")
    memory = [f"prediction {size(d.memory_inference)}"]
    if d.memory_training is not None:
        memory.insert(0, f"training {size(d.memory_training)}")
    print(f"memory for {d.batch} rows: {', '.join(memory)}")


def profiled(p: Profile) -> str:
    """A step's instructions, dearest first, then layers' shares and the totals."""
    rows = [["at", "instruction", "kernel", "µs", "%", "GF/s", "of peak", "GB/s", "of peak", "tasks", "output", "layer"]]
    for i in sorted(p.instructions, key=lambda i: -i.seconds):
        work = [f"{2e-9 * i.macs / i.seconds:.1f}", f"{i.of_peak:.0%}"] if i.macs and i.seconds else ["", ""]
        moved = [f"{1e-9 * i.bytes / i.seconds:.1f}", f"{i.of_bandwidth:.0%}"] if i.bytes and i.seconds else ["", ""]
        name = i.name if len(i.name) <= 40 else f"{i.name[:37]}…"
        rows.append([
            str(i.place), name, i.kernel, f"{1e6 * i.seconds:.1f}", f"{100 * i.seconds / p.seconds:.1f}", *work, *moved, str(i.tasks), i.shape, i.origin,
        ])  # fmt: skip
    rate = 2e-9 * p.macs / p.seconds
    return "\n".join([
        table(rows, {0, 3, 4, 5, 6, 7, 8, 9}),
        f"a step of {p.batch} rows on {p.threads} thread{'s' if p.threads > 1 else ''}: {1e3 * p.seconds:.3f} ms, {p.batch / p.seconds:,.0f} rows/s",
        f"{rate:.1f} GF/s, {p.macs / p.seconds / p.peak_macs:.0%} of the {2e-9 * p.peak_macs:.1f} that the register tile reaches here",
        f"memory here: {1e-9 * p.peak_bytes:.1f} GB/s",
    ])  # fmt: skip


def trained(result: Any, as_json: bool) -> None:
    """How training ended."""
    if result.warnings:
        output.show(result.warnings, as_json)
    if as_json:
        output.emit({
            "event": "end", "reason": result.reason, "folder": str(result.folder), "epochs": result.epochs,
            "seconds": round(result.seconds, 3), "split": result.split, "scores": result.scores,
            "report": str(result.report) if result.report is not None else None,
        })  # fmt: skip
        return
    if result.scores:
        print(f"{result.split}: " + ", ".join(f"{k} {number(v)}" for k, v in result.scores.items()))
    why = {"done": "", "early": ", ended early", "time": ", out of time", "steps": ", out of steps", "interrupted": ", interrupted"}[result.reason]
    output.say(f"{counted(result.epochs, 'epoch')} in {result.seconds:.1f} s{why}; the run is in {result.folder}")


def exported(result: Any, as_json: bool) -> None:
    """What was written, and how it was checked."""
    r = result.report
    if as_json:
        output.emit({"event": "export", "path": str(result.path), "target": result.target, "rows": r.rows, "difference": r.difference,
                     "notes": list(r.notes), "unchecked": r.unchecked})  # fmt: skip
        return
    print(result.path)
    output.say(f"not checked: {r.unchecked}" if r.unchecked else f"checked on {r.rows} {r.what}: the largest difference is {r.difference:.2g}")
    for note in r.notes:
        output.say(f"note: {note}")


def counted(n: int, what: str) -> str:
    """`1 layer`, `2 layers`."""
    return f"{n:,} {what}{'s' * (n != 1)}"


def imported(result: Any, as_json: bool) -> None:
    """What was read, and where it is."""
    output.show(result.warnings, as_json) if result.warnings else None
    if as_json:
        model = str(result.model) if result.model is not None else None
        output.emit({"event": "import", "yaml": str(result.yaml), "model": model, "layers": result.layers, "weights": result.weights})
        return
    print(result.yaml)
    if result.model is not None:
        print(result.model)
    output.say(f"{counted(result.layers, 'layer')}, {counted(result.weights, 'weight')}")


def pages(found: list[Any], as_json: bool, whole: bool) -> None:
    """The catalogue, or pages of it."""
    if as_json:
        for p in found:
            output.emit({"event": "entry", **asdict(p)})
        return
    if whole:
        print("\n\n".join(_page(p) for p in found))
        return
    groups: dict[str, list[Any]] = {}
    for p in found:
        groups.setdefault(p.category if p.kind == "layer" else f"{p.kind}s".replace("losss", "losses"), []).append(p)
    for name, members in groups.items():
        print(f"\n{name}")
        width = max(len(p.name) for p in members)
        for p in members:
            print(f"  {p.name.ljust(width)}  {p.summary}")


def curves(found: list[Any], out: str | None, as_json: bool) -> None:
    """Curves on the terminal, as wide as it is, or in a file whose name is said."""
    if as_json:
        for c in found:
            slope = None if c.derivative is None else c.derivative.tolist()
            output.emit({"event": "curve", "name": c.name, "x": c.x.tolist(), "y": c.y.tolist(), "derivative": slope})
        return
    if out is not None:
        print(out)
        return
    from layerctl.commands.pictures.terminal import text

    coloured = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")
    print(text(found, shutil.get_terminal_size().columns, coloured))


def _page(p: Any) -> str:
    from layerctl.commands.examples import HEAD

    head = f"{p.name} ({p.kind}{f', {p.category}' if p.kind == 'layer' else ''})"
    lines = [head, "", p.text, ""]
    if p.aliases:
        lines += [f"also: {', '.join(p.aliases)}", ""]
    if p.arguments:
        rows = [["argument", "default", "what it does"]]
        rows += [[a.name, _default(a.default), a.description] for a in p.arguments]
        lines += [table(rows, set()), ""]
    if p.example is not None:
        rows = [list(HEAD), *([n, k, s, f"{c:,}"] for n, k, s, c in p.example.rows)]
        lines += ["example:", "", *(f"    {line}" for line in p.example.yaml.splitlines()), "", table(rows, {3})]
    return "\n".join(lines).rstrip()


def _default(v: Any) -> str:
    return "null" if v is None else str(v).lower() if isinstance(v, bool) else str(v)
