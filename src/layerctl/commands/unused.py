"""Options that would change nothing: said instead of passed over."""

from __future__ import annotations

from collections.abc import Mapping

from layerctl.diagnostics import Problems, Source, Span


def refuse_unused(given: Mapping[str, bool], why: str, hints: Mapping[str, str] | None = None) -> None:
    """Ends where an option was given that has no meaning here; `given` says which were, `why` what there is instead, `hints` a cure by option.

    Raises:
        LayerctlError: `bad-option`, all of them at once.
    """
    problems = Problems()
    for option, there in given.items():
        if there:
            problems.error("bad-option", f"{option} does not apply: {why}", Span(Source(option)), hint=(hints or {}).get(option, f"leave {option} out"))
    problems.check()
