"""Predictions as C: from the model's outputs to the columns that `layerctl predict` writes."""

from __future__ import annotations

import csv
import io
from typing import Any

from layerctl.export._c.features import string
from layerctl.export._c.functions import literal
from layerctl.export._c.graph import identifier, wrapped
from layerctl.export.base import answers_of
from layerctl.ops.value import product
from layerctl.predicting.telling import named_numbers

_NUMBER = """
static void write_number(double x)
{
    if (x - x != 0)
        fputs(x == x ? x > 0 ? "inf" : "-inf" : "nan", stdout);
    else
        printf("%.9g", x);
}
"""
_CLASS = """
/* The class and its probability. `count` outputs are probabilities or, with `logits`, what becomes them. */
static void write_class(const float *y, int count, int logits, const char *const *classes, int known)
{
    double p = y[0], top = y[0], total = 0;
    int best = 0, i;
    for (i = 1; i < count; i++)
        if (y[i] > top || (y[i] != y[i] && top == top)) {
            best = i;
            top = y[i];
        }
    p = top;
    if (logits && count > 1) {
        for (i = 0; i < count; i++)
            total += exp_f64(y[i] - top);
        p = 1 / total;
    } else if (logits) {
        p = 1 / (1 + exp_f64(-p));
    }
    if (count == 1) {
        best = p > 0.5;
        p = best ? p : 1 - p;
    }
    if (best < known)
        fputs(classes[best], stdout);
    else
        printf("%d", best);
    putchar(',');
    write_number(p);
}
"""


class Outputs:
    """The columns of predictions: `names` as the first line has them; `writing` are statements, one for each output.

    `logits` says whether an exponential is needed.
    """

    def __init__(self, model: Any, shapes: dict[str, tuple[int, ...]]):
        self.names: list[str] = []
        self.writing: list[str] = []
        self.parts: list[str] = []
        self.logits = False
        several, schema = len(shapes) > 1, model.schema
        kinds = set()
        for name, shape in shapes.items():
            head, width, y = f"{name}_" if several else "", int(product(shape[1:])), f"out_{identifier(name)}"
            own = name if several else None
            classes = schema.classes(own) if schema is not None else None
            target = schema.target(own) if schema is not None else None
            named = named_numbers(schema, target, width) if target is not None else None
            if named is not None:
                self.names += [f"{head}prediction_{n}" for n, _, _ in named]
                lines = [f"write_number((double){y}[{j}] * {literal('f64', s)} + {literal('f64', c)});" for j, (_, c, s) in enumerate(named)]
                self.writing.append("\n    putchar(',');\n    ".join(lines))
            elif classes is not None and width in (1, len(classes)):
                kinds.add("class")
                logits = name in answers_of(model).logits
                self.logits |= logits
                listed = [string(field(c)) for c in classes]
                self.parts.append(f"static const char *const classes_{identifier(name)}[] = {{\n{wrapped(listed)}\n}};\n")
                self.names += [f"{head}prediction", f"{head}probability"]
                self.writing.append(f"write_class({y}, {width}, {int(logits)}, classes_{identifier(name)}, {len(classes)});")
            elif width == 1:
                self.names.append(f"{head}prediction")
                unscaled = target is not None and target.kind == "number"
                more = f" * {literal('f64', target.spread)} + {literal('f64', target.centre)}" if unscaled else ""
                self.writing.append(f"write_number((double){y}[0]{more});")
            else:
                self.names += [f"{head}prediction_{j}" for j in range(width)]
                self.writing.append(f"for (i = 0; i < {width}; i++) {{\n        if (i > 0)\n            putchar(',');\n"
                                    f"        write_number((double){y}[i]);\n    }}")  # fmt: skip
        text = _CLASS if self.logits else _without_logits(_CLASS)
        self.parts = [_NUMBER.lstrip(), *([text.lstrip()] if "class" in kinds else []), *self.parts]


def field(text: str) -> str:
    """A text as a field of a line."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([text, ""])
    return out.getvalue()[:-2]


def _without_logits(text: str) -> str:
    """The text without the branch that takes logits, so that no exponential is needed."""
    start = text.index("    if (logits && count > 1)")
    end = text.index("    if (count == 1)")
    return (text[:start] + text[end:]).replace("double p = y[0], top = y[0], total = 0;", "double p, top = y[0];").replace(
        "    p = top;\n", "    (void)logits;\n    p = top;\n")  # fmt: skip
