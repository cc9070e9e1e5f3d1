"""How well a language model knows what comes next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from layerctl.training.using import answers_of

if TYPE_CHECKING:
    from layerctl.api import Model
    from layerctl.data.rows import Dataset

_LEAST = 1e-7
"""The least probability that counts, as in Keras's losses."""
_NUMBERS = 1 << 22
"""Numbers of the model's results that are held at a time."""


def numbers_of_text(model: Model, rows: Dataset) -> dict[str, float]:
    """The share of tokens that the model puts first, and its perplexity: e to the power of the mean cross entropy of a token. Padding does not count."""
    (name, told), *_ = rows.targets.items()
    logits, session = next(iter(model.outputs)) in answers_of(model).logits, model.session(rows)
    size = max(1, _NUMBERS // max(1, told[0].size * _words(model)))
    right, lost, count = 0, 0.0, 0.0
    for low in range(0, len(rows), size):
        part = rows.take(np.arange(low, min(low + size, len(rows))))
        found = next(iter(session.predict(part, min(size, len(part))).values())).astype(np.float64)
        true = part.targets[name].astype(np.int64)
        there = np.ones(true.shape, bool) if part.weights is None else np.broadcast_to(part.weights != 0, true.shape)
        picked = np.take_along_axis(found, true[..., None], axis=-1)[..., 0]
        if logits:
            top = found.max(axis=-1)
            logs = picked - top - np.log(np.exp(found - top[..., None]).sum(axis=-1))
        else:
            logs = np.log(np.clip(picked, _LEAST, 1.0))
        right += int((found.argmax(axis=-1) == true)[there].sum())
        lost -= float(logs[there].sum())
        count += int(there.sum())
    return {"accuracy": right / count, "perplexity": math.exp(min(lost / count, 700.0))} if count else {}


def _words(model: Model) -> int:
    """How many different tokens there are."""
    found = model.schema.continued() if model.schema is not None else None
    return found[1].size if found is not None else 1
