"""The report as one HTML file: sections from findings. No script, nothing from a network; whatever comes from outside is escaped."""

from __future__ import annotations

from typing import Any

import numpy as np

from layerctl import __version__
from layerctl.reporting import figures
from layerctl.reporting.chart import figure
from layerctl.reporting.decoding import is_picture, pixels, told
from layerctl.reporting.diagram import blocks_of, diagram
from layerctl.reporting.findings import Findings
from layerctl.reporting.judged import (
    Classified,
    Judged,
    Labelled,
    Measured,
    fit_of,
    loss_of_rows,
    table_of_classes,
    worst,
)
from layerctl.reporting.labelled import averages, table_of_labels
from layerctl.reporting.markup import duration, number, size, table, text
from layerctl.reporting.style import STYLE
from layerctl.training.status import numeric, scores_of

MOST_EXAMPLES = 12
MOST_COLUMNS = 10
MOST_CURVES = 12
MOST_BLOCKS = 4
MOST_ROWS = 60
BESIDE = 12
"""Classes whose table has room beside a chart."""


def page(found: Findings) -> str:
    """The whole file."""
    sections = [
        ("curves", "Training", _training(found)), *_judgements(found), ("importance", "Importance", _importance(found)),
        ("model", "Model", _model(found)), ("data", "Data", _data(found)), ("file", "File", f"<pre>{text(found.file, 200_000)}</pre>" if found.file else ""),
        ("environment", "Environment", _environment(found)),
    ]  # fmt: skip
    return html(found.name, _head(found), [s for s in sections if s[2]])


def html(title: str, head: str, sections: list[tuple[str, str, str]]) -> str:
    """A page of sections: (anchor, heading, markup)."""
    links = "".join(f'<a href="#{a}">{text(h)}</a>' for a, h, _ in sections)
    body = "\n".join(f'<section id="{a}"><h2>{text(h)}</h2>{inside}</section>' for a, h, inside in sections)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'; img-src data:">'
        f"<style>{STYLE}</style></head>\n<body><main>{head}<nav>{links}</nav>\n{body}\n<footer>made by layerctl {__version__}</footer></main></body></html>\n"
    )


def tiles(pairs: list[tuple[str, str]]) -> str:
    """Large numbers with their names."""
    return f"<div class=tiles>{''.join(f'<div class=tile><b>{text(v)}</b><span>{text(k)}</span></div>' for k, v in pairs)}</div>"


def _head(found: Findings) -> str:
    status = found.status
    split = str(status.get("split", ""))
    pairs = [(f"{split} {k.replace('_', ' ')}".strip(), number(v)) for k, v in scores_of(status).items()]
    pairs.append(("epochs", str(len(found.history))))
    seconds = numeric(status.get("seconds"))
    if seconds is not None:
        pairs.append(("of training", duration(seconds)))
    if found.model is not None:
        pairs.append(("parameters", size(sum(int(np.prod(w.shape)) for w in found.model.graph.weights()))))
    if found.sizes.get("train"):
        pairs.append(("training rows", size(found.sizes["train"])))
    state = str(status.get("state", ""))
    error = f"<p class=said>{text(status['error'])}</p>" if status.get("error") else ""
    mark = f'<span class="state {text(state)}">{text(state)}</span>' if state else ""
    return f"<h1>{text(found.name)}{mark}</h1>{error}{tiles(pairs)}"


def _training(found: Findings) -> str:
    drawn = [figures.curve(found.history, name) for name in figures.measures(found.history)[:MOST_CURVES]]
    return f"<div class=figures>{''.join(drawn)}</div>" if any(drawn) else ""


def _judgements(found: Findings) -> list[tuple[str, str, str]]:
    if found.trouble:
        return [("judgement", "Judgement", f"<p class=said>The rows could not be judged: {text(found.trouble)}</p>")]
    out = []
    for i, f in enumerate(found.outputs):
        head = f": {found.columns[f.name]}" if len(found.outputs) > 1 else ""
        inside = _classes(f) if isinstance(f, Classified) else _labels(f) if isinstance(f, Labelled) else _numbers(f)
        out.append((f"judgement{i}", f"On the {found.split} rows{head}", inside))
        out.append((f"mistakes{i}", f"Examples that went wrong{head}", _mistakes(found, f)))
    return out


def _classes(f: Classified) -> str:
    drawn = [figures.matrix(f), figures.rocs(f), figures.recalls(f), figures.reliability(f) if f.honest else ""]
    rows = [r for r in zip(f.classes, table_of_classes(f), strict=True) if r[1][3]]
    said = f"<p class=dim>{size(len(f.true))} judged, {float(np.mean(f.true == f.told)):.2%} right.</p>"
    drawn.append(_scored("class", rows, "classes"))
    return f"{said}<div class=figures>{''.join(drawn)}</div>"


def _labels(f: Labelled) -> str:
    drawn = [figures.rocs(f), figures.recalls(f), figures.reliability(f) if f.honest else ""]
    right = float((f.true == f.told).all(axis=1).mean())
    said = f"<p class=dim>{size(len(f.true))} judged, {right:.2%} of them with all labels right.</p>"
    rows = [*((f"{n} average", r) for n, r in averages(f).items()), *zip(f.labels, table_of_labels(f), strict=True)]
    drawn.append(_scored("label", rows, "labels"))
    return f"{said}<div class=figures>{''.join(drawn)}</div>"


def _scored(one: str, rows: list[tuple[str, tuple[float, float, float, int]]], several: str) -> str:
    """A table of precision, recall and F1."""
    cells = [[text(name, 60), number(precision), number(recall), number(both), size(n)] for name, (precision, recall, both, n) in rows[:MOST_ROWS]]
    more = f"<p class=dim>The first {MOST_ROWS} of {len(rows)} {several}.</p>" if len(rows) > MOST_ROWS else ""
    made = table([one, "precision", "recall", "F1", "rows"], cells, {1, 2, 3, 4})
    return figure(f"by {one}", made, more, "pair" if len(rows) <= BESIDE else "wide")


def _numbers(f: Measured) -> str:
    drawn = [figures.scatter(f), figures.residuals(f), figures.spread_of(f)]
    if f.columns:
        made = table(["column", *fit_of(f)], [[text(c.name, 60), *map(number, fit_of(c).values())] for c in f.columns[:MOST_ROWS]], {1, 2, 3})
        more = f"<p class=dim>The first {MOST_ROWS} of {len(f.columns)} columns.</p>" if len(f.columns) > MOST_ROWS else ""
        drawn.append(figure("by column", made, more, "wide"))
    return tiles([(k, number(v)) for k, v in fit_of(f).items()]) + f"<div class=figures style='margin-top:14px'>{''.join(drawn)}</div>"


def _mistakes(found: Findings, f: Judged) -> str:
    picked = worst(f, MOST_EXAMPLES)
    if not picked:
        return "<p>There are none among these rows.</p>"
    assert found.rows is not None
    at = [int(f.rows[i]) for i in picked] if isinstance(f, Classified) else picked
    shown = next((n for n, a in found.rows.inputs.items() if is_picture(a)), None)
    if shown is not None:
        return _shots(found, f, picked, at, shown)
    assert found.model is not None
    schema = found.model.schema
    cells = [told(schema, found.rows, r) if schema is not None else {} for r in at]
    names = _columns(found, list(dict.fromkeys(k for c in cells for k in c)))
    windows = [n for n, fit in schema.features.items() if fit.kind == "window"] if schema is not None else []
    rows = []
    for i, r, c in zip(picked, at, cells, strict=True):
        series = [figures.sparkline(found.rows.inputs[w][r][:, 0].tolist()) for w in windows]
        rows.append([size(int(found.rows.row_numbers[r]) + 1), *_verdict(f, i), *(text(c.get(n, "")) for n in names), *series])
    head = ["row", *_verdict_head(f), *(text(n, 40) for n in names), *(text(w, 40) for w in windows)]
    return table(head, rows, {0, 1, 2, 3} if isinstance(f, Measured) else {0, 3}, "words") + _order_note(f)


def _columns(found: Findings, names: list[str]) -> list[str]:
    """The columns that fit on a page: where there are many, those that the model leans on most, in their order."""
    if len(names) <= MOST_COLUMNS or found.importance is None:
        return names[:MOST_COLUMNS]
    order = np.argsort(-found.importance.mean, kind="stable").tolist()
    kept = [found.importance.units[i].name for i in order][:MOST_COLUMNS]
    return [n for n in names if n in kept][:MOST_COLUMNS] or names[:MOST_COLUMNS]


def _verdict_head(f: Judged) -> list[str]:
    if isinstance(f, Labelled):
        return ["true", "told", "loss"]
    return ["true", "told", "probability" if f.honest else "score"] if isinstance(f, Classified) else ["true", "predicted", "difference"]


def _verdict(f: Judged, i: int) -> list[str]:
    if isinstance(f, Classified):
        return [text(f.classes[f.true[i]], 40), f"<span class=said>{text(f.classes[f.told[i]], 40)}</span>", number(float(f.confidence[i]))]
    if isinstance(f, Labelled):
        true, said = ("; ".join(n for n, t in zip(f.labels, row[i], strict=True) if t) or "none" for row in (f.true, f.told))
        return [text(true, 60), f"<span class=said>{text(said, 60)}</span>", number(float(loss_of_rows(f)[i]))]
    j = int(np.argmax(abs(f.told[i] - f.true[i])))
    return [number(float(f.true[i, j])), number(float(f.told[i, j])), number(float(f.told[i, j] - f.true[i, j]))]


def _order_note(f: Judged) -> str:
    what = "The greatest differences first" if isinstance(f, Measured) else "The most confident mistakes first"
    return f"<p class=dim>{what}; values as the model was given them. Rows count from 1 in the whole data.</p>"


def _shots(found: Findings, f: Judged, picked: list[int], at: list[int], name: str) -> str:
    """Small pictures with what they are and what they were taken for."""
    assert found.rows is not None
    array = found.rows.inputs[name]
    sample = array[: min(len(array), 256)]
    low, high = float(sample.min()), float(sample.max())
    out = []
    for i, r in zip(picked, at, strict=True):
        true, said, much = _verdict(f, i)
        row = int(found.rows.row_numbers[r]) + 1
        drawn = figures.picture(pixels(array[r], low, high), f"row {row}")
        out.append(f"<div class=shot>{drawn}{true} told as {said}<br><span class=dim>{much} · row {size(row)}</span></div>")
    return f"<div class=shots>{''.join(out)}</div>{_order_note(f)}"


def _importance(found: Findings) -> str:
    return f"<div class=figures>{figures.importances(found.importance)}</div>" if found.importance is not None else ""


def _model(found: Findings) -> str:
    if found.model is None:
        return ""
    graph = found.model.graph
    blocks = list(blocks_of(graph).items())[:MOST_BLOCKS]
    inner = "".join(f"<figure class='wide model'><figcaption>{text(kind)}</figcaption>{diagram(block)}</figure>" for kind, block in blocks)
    return f"<div class=figures><figure class='wide model'>{diagram(graph)}</figure>{inner}</div>"


def _data(found: Findings) -> str:
    rows = [["rows", ", ".join(f"{size(n)} {s}" for s, n in found.sizes.items())]] if found.sizes else []
    if found.fingerprint:
        rows.append(["fingerprint", f"<code>{text(found.fingerprint)}</code>"])
    model = found.model
    if model is not None and model.spec.data is not None:
        source = model.spec.data.source
        plain = source if isinstance(source, str) else source.model_dump(exclude_none=True) if hasattr(source, "model_dump") else source
        rows.insert(0, ["source", text(plain)])
    out = table([], rows) if rows else ""
    if model is not None and model.schema is not None:
        out += "<h3>Features</h3>" + table(["input", "kind", "shape", "columns"], [
            [text(n), text(f.kind), text("×".join(map(str, f.shape)) or "one"), text(", ".join(c.name for c in f.columns))]
            for n, f in model.schema.features.items()
        ])  # fmt: skip
    for name, splits in found.classes.items():
        what = "Labels" if any(isinstance(f, Labelled) and f.name == name for f in found.outputs) else "Classes"
        out += f"<h3>{what} of {text(found.columns[name])}</h3>" + _class_table(found, name, splits)
    return out


def _class_table(found: Findings, name: str, splits: dict[str, list[int]]) -> str:
    judged = next(f for f in found.outputs if f.name == name)
    classes = judged.labels if isinstance(judged, Labelled) else judged.classes if isinstance(judged, Classified) else []
    rows = [[text(c, 60), *(size(splits[s][i]) for s in splits)] for i, c in enumerate(classes)][:MOST_ROWS]
    return table(["class", *splits], rows, set(range(1, 1 + len(splits))))


def _environment(found: Findings) -> str:
    pairs: dict[str, Any] = {**found.environment}
    for key in ("started", "ended"):
        if found.status.get(key):
            pairs[key] = found.status[key]
    return table([], [[text(k), text(v)] for k, v in pairs.items()])
