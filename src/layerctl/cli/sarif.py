"""Diagnostics as a SARIF log, which code hosts and editors show beside the lines.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) 2.1.0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from layerctl import __version__
from layerctl.commands.explain import explanations
from layerctl.diagnostics import Diagnostic, Span

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def log(found: Sequence[Diagnostic]) -> dict[str, Any]:
    """The log of one run; codes are its rules, with what `layerctl explain` says of them."""
    codes = list(dict.fromkeys(d.code for d in found))
    tool = {"name": "layerctl", "version": __version__, "semanticVersion": __version__, "rules": [_rule(code) for code in codes]}
    results = [_result(d, codes.index(d.code)) for d in found]
    run = {"tool": {"driver": tool}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    page = explanations().get(code)
    if page is None:
        return {"id": code}
    return {"id": code, "shortDescription": {"text": page.summary}, "fullDescription": {"text": page.means}, "help": {"text": page.cure}}


def _result(d: Diagnostic, rule: int) -> dict[str, Any]:
    text = d.message + (f"\nhint: {d.hint}" if d.hint else "")
    out: dict[str, Any] = {"ruleId": d.code, "ruleIndex": rule, "level": d.severity, "message": {"text": text}}
    place = _location(d.span)
    if place is not None:
        out["locations"] = [place]
    related = [{**where, "message": {"text": n.message}} for n in d.all_notes() if (where := _location(n.span)) is not None]
    if related:
        out["relatedLocations"] = related
    return {**out, "partialFingerprints": {"layerctl/v1": _fingerprint(d)}}


def _location(span: Span | None) -> dict[str, Any] | None:
    """The place in a file; None for what is no file: standard input, an option."""
    if span is None or span.source.name.startswith(("<", "-")):
        return None
    name = PurePath(span.source.name)
    uri = name.as_uri() if name.is_absolute() else quote(name.as_posix())
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri}}
    if span.line:
        physical["region"] = {"startLine": span.line, "startColumn": span.column}
        if (span.end_line, span.end_column) > (span.line, span.column):
            physical["region"] |= {"endLine": span.end_line, "endColumn": span.end_column}
    return {"physicalLocation": physical}


def _fingerprint(d: Diagnostic) -> str:
    """The same for the same mistake when lines above it come and go."""
    line = d.span.source.line(d.span.line) if d.span and d.span.line else None
    return hashlib.sha256("\0".join((d.code, d.message, (line or "").strip())).encode()).hexdigest()[:32]
