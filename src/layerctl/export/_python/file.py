"""The Python file: the model's function and arrays, the features, and a program around them."""

from __future__ import annotations

import ast
import base64
import json
import zlib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from layerctl import __version__
from layerctl.compile.differentiate import ancestors
from layerctl.data import moments, months
from layerctl.data.features import spread
from layerctl.diagnostics import Diagnostic, LayerctlError
from layerctl.export._demands import unmet
from layerctl.export.base import OTHER_TARGETS, Traced, answers_of, dialect_of, origin_of
from layerctl.ops.numpy_lines import NumpyLines, texts
from layerctl.ops.value import NoForm
from layerctl.predicting.telling import between_labels, named_numbers

_COPIED = [*(Path(m.__file__) for m in (months, moments)), *(Path(__file__).parent / name for name in ("tables.py", "program.py"))]
_WIDTH = 120
CANNOT = {"steps", "next", "input"}
"""What features and targets ask for that the file cannot do, as `_demands` names it."""


def python_file(traced: Traced) -> str:
    """The whole text.

    Raises:
        LayerctlError: for all that has no form in numpy, at once.
    """
    model = traced.model
    function = NumpyLines(model.weights)
    problems: dict[str, Diagnostic] = {}
    for node in ancestors(traced.outputs.values()):
        try:
            function.node(node)
        except NoForm as why:
            text = f"Python export has no form for '{node.op.name}' of {node.origin or 'the model'}{f': {why}' if str(why) else ''}"
            problems.setdefault(node.origin, Diagnostic("cannot-export", text, origin_of(model, node.origin), (), OTHER_TARGETS))
            function.skip(node)
    found = [*problems.values(), *traced.problems("Python"), *unmet(traced, "Python", CANNOT)]
    if found:
        raise LayerctlError(found)
    results = ", ".join(f"{n!r}: {function.name(v)}" for n, v in traced.outputs.items())
    lines = ["    n = len(next(iter(x.values())))"] if any("n" in _names(line) for line in function.lines) else []
    body = "\n".join([*lines, *(f"    {line}" for line in function.lines), f"    return {{{results}}}"])
    table, blob = _packed(function.arrays)
    known = [*texts(), *(path.read_text(encoding="utf-8") for path in _COPIED)]
    return _TEMPLATE.format(
        name=_quiet(model.spec.name), version=__version__, inputs=_listed(traced.inputs), outputs=_listed(traced.outputs),
        imports=_imports(known, body), needed=_needed(known, body), body=body, schema=_literal(_schema(traced)), table=_literal(table),
        blob=blob,
    )  # fmt: skip


_TEMPLATE = '''"""{name}: a model of layerctl {version}, in Python with numpy alone.

    python FILE data.csv       reads a table (- is standard input) and writes what `layerctl predict` writes

From Python, `predict(x)` takes arrays by input, encoded and scaled, the rows first, and gives arrays by output:
{inputs}
gives
{outputs}
"""

{imports}

{needed}


def model(x, w):
    """The outputs by name, from the inputs and the weights."""
{body}


def predict(x):
    """The model's outputs for arrays of encoded rows."""
    with np.errstate(all="ignore"):
        return {{n: np.asarray(y) for n, y in model(x, weights()).items()}}


@functools.cache
def weights():
    """Arrays by name, from the end of this file."""
    data = zlib.decompress(base64.b64decode(DATA))
    return {{n: np.frombuffer(data, t, math.prod(s), at).reshape(s) for n, (t, s, at) in ARRAYS.items()}}


SCHEMA = json.loads(r"""
{schema}
""")

ARRAYS = json.loads(r"""
{table}
""")

DATA = """
{blob}
"""

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {{sys.argv[0]}} DATA.csv")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")
    sys.exit(run(sys.argv[1], SCHEMA, predict, sys.stdout))
'''


def _quiet(name: str) -> str:
    """A name that may stand in a text of three quotes, whatever it holds."""
    return repr(name)[1:-1].replace('"', "'")


def _listed(values: dict[str, Any]) -> str:
    return "\n".join(f"    {_quiet(n)}: {v.dtype} (rows{''.join(f', {int(d)}' for d in v.shape[1:])})" for n, v in values.items())


def _schema(traced: Traced) -> dict[str, Any]:
    """What was fitted on the training rows, and how files are written, as plain data."""
    model, spec, dialect = traced.model, traced.model.spec.data, dialect_of(traced.model)
    outputs: dict[str, Any] = {}
    several, logits = len(traced.outputs) > 1, answers_of(model).logits
    for name in traced.outputs:
        own = name if several else None
        target = model.schema.target(own) if model.schema is not None else None
        number = target is not None and target.kind == "number"
        outputs[name] = {
            "classes": model.schema.classes(own) if model.schema is not None else None,
            "logits": name in logits,
            "centre": target.centre if number else 0.0, "spread": target.spread if number else 1.0,
        }  # fmt: skip
        if target is not None:
            width = int(np.prod([int(d) for d in traced.outputs[name].shape[1:]]))
            outputs[name]["named"] = named_numbers(model.schema, target, width)
            if target.kind == "labels":
                outputs[name] |= {"labels": target.classes, "between": between_labels(target)}
    features = {n: asdict(f) | ({"spread": spread(f)} if f.kind == "array" else {}) for n, f in traced.features.items()}
    encoding = spec.encoding if spec is not None else "utf-8"
    return {
        "delimiter": dialect.delimiter, "quote": dialect.quote, "runs": dialect.runs, "escape": dialect.escape, "comment": dialect.comment,
        "skip": list(dialect.skip),
        "missing": sorted(dialect.missing), "missing_in": spec.reading().missing_in if spec is not None else {}, "decimal": dialect.decimal,
        "columns": list(dialect.columns) if dialect.columns else None, "encoding": "utf-8-sig" if encoding == "utf-8" else encoding,
        "targets": [n for t in spec.targets().values() for n in t.names()] if spec is not None else [], "features": features, "outputs": outputs,
    }  # fmt: skip


def _literal(plain: Any) -> str:
    """JSON, within which three quotes never follow each other; a value a line where it is short."""
    text = json.dumps(plain, ensure_ascii=True)
    return json.dumps(plain, indent=1, ensure_ascii=True) if len(text) < 4000 else text


def _packed(arrays: dict[str, np.ndarray]) -> tuple[dict[str, Any], str]:
    """(name → dtype, shape, offset; the bytes, compressed, as base64 in lines)."""
    table, parts, at = {}, [], 0
    for name, a in arrays.items():
        data = np.ascontiguousarray(a).astype(a.dtype.newbyteorder("<"))
        table[name] = [data.dtype.str, list(a.shape), at]
        parts.append(data.tobytes())
        at += data.nbytes
    text = base64.b64encode(zlib.compress(b"".join(parts), 6)).decode()
    return table, "\n".join(text[i : i + _WIDTH] for i in range(0, len(text), _WIDTH))


def _names(text: str) -> set[str]:
    return {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}


def _definitions(texts: Iterable[str]) -> dict[str, str]:
    """The functions, classes and constants of texts, by name."""
    out = {}
    for text in texts:
        for node in ast.parse(text).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                out[node.name] = ast.get_source_segment(text, node) or ""
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                out[node.targets[0].id] = ast.get_source_segment(text, node) or ""
    return out


def _needed(texts: list[str], body: str) -> str:
    """The definitions that the model's function and the program reach, in their order."""
    known = _definitions(texts)
    wanted, todo = set(), {"run", *(_names(f"def f():\n{body}") & set(known))}
    while todo:
        name = todo.pop()
        wanted.add(name)
        todo |= (_names(known[name]) & set(known)) - wanted
    constants = [known[n] for n in known if n in wanted and not known[n].startswith(("def", "class"))]
    return "\n\n\n".join(["\n".join(constants), *(known[n] for n in known if n in wanted and known[n].startswith(("def", "class")))])


_ALWAYS = {"base64", "functools", "json", "math", "sys", "zlib"}


def _imports(texts: list[str], body: str) -> str:
    found = _names(_needed(texts, body))
    every = {a.name for t in texts for node in ast.parse(t).body if isinstance(node, ast.Import) for a in node.names} - {"numpy"}
    return "\n".join(f"import {m}" for m in sorted(_ALWAYS | (every & found))) + "\n\nimport numpy as np"
