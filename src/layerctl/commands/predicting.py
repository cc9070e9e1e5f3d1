"""Where predictions come from: the plan that an earlier process left, or the model built from its file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from layerctl.modelfile.artifact import read_model
from layerctl.modelfile.finding import find_model

if TYPE_CHECKING:
    from layerctl.api import Model
    from layerctl.data.dataset import Dataset
    from layerctl.data.faults import Faults
    from layerctl.predicting.answers import Predictions, Wanted
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

    def stream(
        self, source: str, input_format: str | None, batch: int | None, layers: Sequence[str], wanted: Wanted | None = None,
        faults: Faults | None = None,
    ) -> Iterator[Predictions]:  # fmt: skip
        """Predictions piece by piece, with what is `wanted` of classes; `faults` say what becomes of bad rows. A plan is left of what had to be
        compiled."""
        from layerctl.data.faults import Faults
        from layerctl.predicting.answers import PLAIN

        reading: dict[str, Any] = {"input_format": input_format, "wanted": wanted or PLAIN, "faults": faults or Faults()}
        if layers or batch is not None or not self._found.features:
            yield from self.model.predict_stream(source, **reading, batch_size=batch, layers=tuple(layers))
            return
        from layerctl.predicting import plan

        key = plan.key_of(self._found)
        kept = plan.kept(key)
        player = self._player(kept)
        if player is not None:
            yield from self._played(player, source, **reading)
        else:
            yield from self.model.predict_stream(source, **reading)
        if self._model is not None:
            self._keep(key, kept)

    def _player(self, kept: Plan | None) -> Player | None:
        if kept is None:
            return None
        from layerctl.predicting.player import Player

        return Player.ready(kept, self._found.tensors, self._threads)

    def _played(self, player: Player, source: str, input_format: str | None, wanted: Wanted, faults: Faults) -> Iterator[Predictions]:
        """By the plan, but for numbers of rows that it has no tape for."""
        from layerctl.data.pieces import pieces
        from layerctl.predicting.ahead import ahead
        from layerctl.predicting.answers import CHUNK, Answers
        from layerctl.spec.features import FeatureSchema

        schema, plan = FeatureSchema.from_dict(self._found.features), player.plan

        def predict(rows: Dataset, arriving: bool) -> dict[str, Any]:
            played = player.predict(rows, arriving)
            return played if played is not None else self.model.session(rows).predict(rows, plan.batch, arriving=arriving)

        shapes = {n: shape for t in plan.tapes for n, (_, shape) in t.results.items()}
        answers = Answers(schema, plan.outputs, plan.logits, self._found.thresholds, wanted, shapes)
        answers.check()
        yield from answers.stream(ahead(pieces(source, schema, plan.reading, CHUNK, input_format, faults)), predict)
        player.close()

    def _keep(self, key: str, before: Plan | None) -> None:
        from layerctl.predicting import plan
        from layerctl.training.planning import plan_of

        made = plan_of(self.model)
        if made is not None:
            old = before.tapes if before is not None else []
            made.tapes[:0] = [t for t in old if all((t.rows, t.inputs) != (m.rows, m.inputs) for m in made.tapes)]
            plan.keep(key, made)
