"""Going on with a text: a language model's tokens, one after the other, drawn by their probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from layerctl import randoms
from layerctl.data.texts import ids_of, joined, tokens, word_ids
from layerctl.diagnostics import fail
from layerctl.spec.features import LINE_END, FeatureFit

if TYPE_CHECKING:
    from layerctl.api import Model

FIRST = 2
"""The first id that is a word: 0 is padding, 1 what was not kept."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        length: the most tokens.
        temperature: by which logits are divided; 0 takes the likeliest token.
        top_k: draws among so many of the likeliest; top_p: among the fewest that have this share of the probability.
        seed: the file's if None; the same seed draws the same tokens.
    """

    length: int = 100
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None


class Continuation:
    """A prompt and what a model makes of it.

    Raises:
        LayerctlError: for a model that is no language model.
    """

    def __init__(self, model: Model, prompt: str, how: Sampling):
        found = model.schema.continued() if model.schema is not None else None
        if found is None or len(model.graph.inputs) != 1:
            fail("no-language-model", "this model does not go on with a text", model.spec.document.root.span,
                 hint="a language model has one text feature and `target: next`")  # fmt: skip
        assert found is not None
        self._model, self._how = model, how
        self._name, self._fit = found
        self._words = self._fit.columns[0].words
        self._joined = any(t.join for t in model.schema.targets.values())
        self.prompt = prompt.removesuffix(LINE_END)
        self.made: list[str] = []
        """The tokens that were drawn."""

    def unknown(self) -> list[str]:
        """The prompt's tokens that the vocabulary does not have."""
        known = word_ids(self._fit)
        return [t for t in dict.fromkeys(tokens(self.prompt, self._fit.split, self._fit.lowercase)) if t not in known]

    def text(self) -> str:
        """What was drawn, as a text that stands behind the prompt."""
        return _behind(self.prompt, self.made, self._fit)

    def __iter__(self) -> Iterator[str]:
        """Pieces of `text`, as they are drawn."""
        ids = word_ids(self._fit)
        how, end = self._how, ids[LINE_END]
        known = [end, *ids_of(self.prompt, self._fit, ids)]
        seed = how.seed if how.seed is not None else self._model.spec.seed
        chances = randoms.uniform(randoms.key_of(seed, "sample"), how.length)
        told = ""
        for chance in chances:
            drawn = self._draw(known, float(chance))
            if drawn == end and not self._joined:
                return
            known.append(drawn)
            self.made.append(self._words[drawn - FIRST])
            text = self.text()
            yield text[len(told) :]
            told = text

    def _draw(self, known: list[int], chance: float) -> int:
        """The next token's id, from the model's output at the last step of what is known (at most its length)."""
        context = known[-self._fit.length :]
        x = np.zeros((1, self._fit.length), np.int32)
        x[0, : len(context)] = context
        y = np.asarray(self._model.predict(x))[0, len(context) - 1].astype(np.float64)
        return FIRST + choose(_logits(self._model, y)[FIRST : FIRST + len(self._words)], self._how, chance)


def _logits(model: Model, y: np.ndarray) -> np.ndarray:
    from layerctl.training.using import answers_of

    return y if model.graph.outputs[0] in answers_of(model).logits else np.log(np.maximum(y, 1e-30))


def choose(logits: np.ndarray, how: Sampling, chance: float) -> int:
    """The place of one of the logits: the likeliest, or the one in which `chance`, from 0 to 1, falls."""
    order = np.argsort(-logits, kind="stable")
    if how.temperature == 0:
        return int(order[0])
    kept = order[: how.top_k]
    scaled = logits[kept] / how.temperature
    p = np.exp(scaled - scaled[0])
    p /= p.sum()
    if how.top_p is not None:
        many = int(np.searchsorted(np.cumsum(p), how.top_p)) + 1
        kept, p = kept[:many], p[:many] / p[:many].sum()
    return int(kept[min(int(np.searchsorted(np.cumsum(p), chance, side="right")), len(kept) - 1)])


def _behind(prompt: str, made: list[str], fit: FeatureFit) -> str:
    if fit.split == "characters" or not prompt:
        return joined(made, fit.split)
    return joined(["x", *made], fit.split)[1:]


def plain(found: Continuation) -> dict[str, Any]:
    """A continuation as data."""
    return {"event": "continuation", "prompt": found.prompt, "text": found.text(), "tokens": list(found.made)}
