"""A user's file as all commands open it: read, its included files joined in, changed by `--set`, the environment's values put in."""

from __future__ import annotations

import os
from collections.abc import Sequence

from layerctl.source.document import Document
from layerctl.source.read import load, loads


def opened(source: str | os.PathLike[str], overrides: Sequence[str] = (), *, seed: int | None = None) -> Document:
    """The document of a file ("-" is standard input) or, where it has line breaks, of a YAML text.

    Raises:
        LayerctlError: with everything that is wrong in one of the steps.
    """
    text = os.fspath(source)
    document = loads(text) if "\n" in text else load(text)
    if "include" in (document.source.text or ""):
        from layerctl.source.include import included

        document = included(document)
    changes = [*overrides, *([f"seed={seed}"] if seed is not None else [])]
    if changes:
        from layerctl.source.overrides import apply_overrides

        document = apply_overrides(document, changes)
    from layerctl.source.environment import with_environment

    return with_environment(document)
