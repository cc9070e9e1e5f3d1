"""Where predictions come from: the plan that an earlier process left, or the model built from its file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from layerctl.modelfile.artifact import read_model
from layerctl.modelfile.finding import find_model

if TYPE_CHECKING:
    from layerctl.api import Model
    from layerctl.data.dataset import Dataset
    from layerctl.predicting.answers import Predictions
    from layerctl.predicting.plan import Plan
    from layerctl.predicting.player import Player


class Predictor:
    """A model file to predict with. By its plan no layer is built and nothing compiled; results are the same bytes as without.

    Raises:
        LayerctlError: if there is no such file, or it is damaged, foreign or hostile.
    """

    def __init__(self, given: str, threads: int | None):
        self._file = find_model(given)
        self._found, self._threads = read_model(self._file), threads
        self._model: Model | None = None

    @property
    def model(self) -> Model:
        """The model, built from its file when it is first needed."""
        if self._model is None:
            from layerctl.api import of_file

            self._model = of_file(self._file, self._found, self._threads)
        return self._model

    def goes_on(self) -> bool:
        """Whether it is a language model, which goes on with a prompt."""
        targets = self._found.features.get("targets")
        return isinstance(targets, dict) and any(isinstance(t, dict) and t.get("kind") == "next" for t in targets.values())

    def stream(self, source: str, input_format: str | None, batch: int | None, layers: Sequence[str]) -> Iterator[Predictions]:
        """Predictions piece by piece; a plan is left of what had to be compiled."""
        if layers or batch is not None or not self._found.features:
            yield from self.model.predict_stream(source, input_format=input_format, batch_size=batch, layers=tuple(layers))
            return
        from layerctl.predicting import plan

        key = plan.key_of(self._found)
        kept = plan.kept(key)
        player = self._player(kept)
        if player is not None:
            yield from self._played(player, source, input_format)
        else:
            yield from self.model.predict_stream(source, input_format=input_format)
        if self._model is not None:
            self._keep(key, kept)

    def _player(self, kept: Plan | None) -> Player | None:
        if kept is None:
            return None
        from layerctl.predicting.player import Player

        return Player.ready(kept, self._found.tensors, self._threads)

    def _played(self, player: Player, source: str, input_format: str | None) -> Iterator[Predictions]:
        """By the plan, but for numbers of rows that it has no tape for."""
        from layerctl.data.dataset import chunks
        from layerctl.predicting.answers import CHUNK, Answers
        from layerctl.spec.features import FeatureSchema

        schema, plan = FeatureSchema.from_dict(self._found.features), player.plan

        def predict(rows: Dataset) -> dict[str, Any]:
            played = player.predict(rows)
            return played if played is not None else self.model.session(rows).predict(rows, plan.batch)

        pieces = chunks(source, schema, plan.reading, CHUNK, input_format)
        yield from Answers(schema, plan.outputs, plan.logits).stream(pieces, predict)
        player.close()

    def _keep(self, key: str, before: Plan | None) -> None:
        from layerctl.predicting import plan
        from layerctl.training.planning import plan_of

        made = plan_of(self.model)
        if made is not None:
            old = before.tapes if before is not None else []
            made.tapes[:0] = [t for t in old if all((t.rows, t.inputs) != (m.rows, m.inputs) for m in made.tapes)]
            plan.keep(key, made)
