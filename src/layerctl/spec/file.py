"""A whole model file: its sections, checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)

from layerctl.configured import Usual, reference
from layerctl.diagnostics import LayerctlError, Problems, Span, closest, did_you_mean
from layerctl.source.document import Document, Entry, Mapping, Node, Scalar
from layerctl.source.sections import SECTIONS
from layerctl.spec.construct import construct
from layerctl.spec.data import DataSpec
from layerctl.spec.foreign import TYPOGRAPHIC, section_of
from layerctl.spec.refused import told
from layerctl.spec.search import settled
from layerctl.spec.strays import is_definition, lifted, put_back
from layerctl.spec.variables import resolved, variables_of

FORMAT = 1
FORMAT_KEY = "layerctl"

COMPILE = {
    "optimizer": "How gradients change weights; rmsprop if not given.",
    "loss": "What training makes small: a name for all outputs, a list in their order, or a mapping by output.",
    "loss_weights": "Factors of the losses, in the same form.",
    "metrics": "What is reported: names for all outputs, or a mapping by output.",
    "weighted_metrics": "The same, heeding sample weights.",
}
"""The keys of the `compile` section, and what each is for."""

CallbackField = reference("callbacks")
Epochs = Annotated[PositiveInt, Usual(le=100_000, then="training hardly ends", cure="usual are 10 to 1000")]


class InitialWeights(BaseModel):
    """The weights that training starts from."""

    model_config = ConfigDict(extra="forbid", strict=True)

    file: str = Field(description="A .safetensors, .npz, .weights.h5, .h5 or .keras file; relative to the model file.")
    by_name: bool = Field(True, description="Whether weights are matched by their names, or by their order.")
    partial: bool = Field(False, description="Whether only those that match are taken, in place of an error.")
    optimizer: bool = Field(False, description="Whether what the file's optimizer has gathered is taken too, so that training goes on where the file's "
                                               "ended.")


WeightsField = Annotated[InitialWeights | None, BeforeValidator(lambda v: {"file": v} if isinstance(v, str) else v)]


class FitSpec(BaseModel):
    """The `fit` section: how long and in what pieces training goes on."""

    model_config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)
    what: ClassVar[str] = "fit"

    epochs: Epochs = Field(10, description="Passes over the training rows.")
    batch_size: PositiveInt = Field(32, description="Rows of one step.")
    shuffle: bool = Field(True, description="Whether each epoch has an order of its own.")
    callbacks: list[CallbackField] = Field(default_factory=list, description="What watches training.")
    initial_epoch: NonNegativeInt = Field(0, description="The number of the first epoch.")
    steps_per_epoch: PositiveInt | None = Field(None, description="Steps of one epoch; all rows if not given.")
    validation_freq: PositiveInt = Field(1, description="Epochs between validations.")
    validation_batch_size: PositiveInt | None = Field(
        None, description="Rows of one validation step; batch_size if not given."
    )
    weights: WeightsField = Field(None, description="A file of weights to start from, or {file, by_name, partial, optimizer}.")
    class_weight: dict[str, NonNegativeFloat] | Literal["balanced"] | None = Field(
        None, description="Weight of each class's samples in training, by its name or index; balanced: each class has the same share."
    )

    @model_validator(mode="after")
    def _some_epoch(self) -> FitSpec:
        if self.initial_epoch >= self.epochs:
            raise ValueError(f"'initial_epoch' must be less than epochs, {self.epochs}: got {self.initial_epoch}")
        return self


SECTION_KEYS = {"fit": FitSpec.model_fields, "compile": COMPILE, "model": ("inputs", "layers", "outputs"), "data": DataSpec.model_fields}
"""What stands in which section, for keys that stand at the top of a file."""


@dataclass
class Spec:
    """The sections of a file. `model`, `define` and `compile` stay nodes: the graph is built from them when the data are known."""

    document: Document
    name: str
    seed: int
    variables: dict[str, Any]
    data: DataSpec | None
    model: Node
    define: Mapping | None
    compile: Mapping | None
    fit: FitSpec
    warnings: list[Any] = field(default_factory=list)

    def span(self, path: Iterable[str | int]) -> Span | None:
        """The place of a path in the file."""
        return self.document.span_at(tuple(path))

    def data_span(self, *path: str | int) -> Span | None:
        """The place of a path within the data section."""
        return self.document.span_at(("data", *path))


def read_spec(document: Document, more: Callable[[Spec], Iterable[Any]] | None = None) -> Spec:
    """Checks a document's sections; ranges of a search have become their defaults in the result.

    Where something is wrong in them, `more` says what is wrong in those that stay nodes.

    Raises:
        LayerctlError: with everything that is wrong in them.
    """
    document = settled(document)
    problems = Problems()
    root = document.root
    if not isinstance(root, Mapping):
        problems.error(
            "wrong-type",
            "a model file is a mapping of sections",
            root.span,
            hint=f"its sections are {', '.join(SECTIONS)}",
        )
        problems.check()
    assert isinstance(root, Mapping)
    _of_another_tool(root, problems)
    root = _sections(root, problems)
    document = Document(document.source, root)
    _version(root, problems)
    variables = _variables(root, problems)
    scope = {**variables, "vars": variables}
    parts: dict[str, Node] = {}
    for e in root.entries:
        key = str(e.key.value)
        parts[key] = resolved(e.value, scope) if key in ("name", "seed", "data", "fit") else e.value
    model = parts.get("model")
    if model is None and not any((d.hint or "").startswith("write it as `model") for d in problems.found):
        problems.error(
            "missing-section", "the file has no 'model' section", root.span, hint="list the layers below `model:`"
        )
    data = None
    if "data" in parts:
        data = construct(DataSpec, parts["data"], _key_span(root, "data"), problems, "data")
    fit = construct(FitSpec, parts.get("fit"), _key_span(root, "fit"), problems, "fit") or FitSpec()
    spec = Spec(
        document, _name(parts, document, problems), _seed(parts, problems), variables, data, model if model is not None else root,
        _mapping(parts, "define", problems), _mapping(parts, "compile", problems), fit,
    )  # fmt: skip
    if more is not None and problems.errors and model is not None:
        lost = not isinstance(parts.get("define"), (Mapping, Scalar, type(None)))  # names of its definitions are not known
        bare = isinstance(model, Mapping) and not len(model)  # its keys were another section's
        problems.found += (d for d in more(spec) if not (lost and d.code == "unknown-layer") and not (bare and d.code == "missing-key"))
    problems.check(spec.warnings)
    return spec


def _sections(root: Mapping, problems: Problems) -> Mapping:
    """The file's sections, each unknown one told; what is meant by it is read all the same, so that it is no mistake of what follows."""
    meant: dict[str, str] = {}
    homes = _homes(root, problems)
    for e in root.entries:
        key = str(e.key.value)
        if key == "include" and key not in homes:
            problems.error("include-not-here", "'include' is taken from a model file alone", e.key.span,
                           hint="a trained model's file and --set include nothing")  # fmt: skip
        elif key not in SECTIONS and key not in homes:
            _unknown_section(e, root, meant, homes, problems)
    return lifted(put_back(root.renamed(meant), homes), problems, SECTION_KEYS)


def _unknown_section(e: Entry, root: Mapping, meant: dict[str, str], homes: dict[str, str], problems: Problems) -> None:
    """Tells a key that is no section; into `meant` goes the section that it is taken for, into `homes` the one that it belongs into."""
    key = str(e.key.value)
    there = section_of(key, SECTION_KEYS)
    home = (there or "").partition(": {")
    if home[0] in root and home[2].startswith(f"{key}:"):
        homes[key] = home[0]
    elif not there and is_definition(e.value):
        homes[key] = "define"
        problems.error("unknown-section", f"the definition of '{key}' stands outside of 'define'", e.key.span, hint="indent it below `define:`")
        return
    like = _like(e.value, root, meant.values())
    near = "" if there else did_you_mean(key, SECTIONS)
    whole = re.fullmatch(r"(\w+): (\{…\}|\[\.\.\.\]|\{source: …\})", there or "") if not isinstance(e.value, Scalar) else None
    section = FORMAT_KEY if there and there.startswith(FORMAT_KEY) else whole[1] if whole else closest(key, SECTIONS) if near else like
    if section is not None and section not in root and section not in meant.values():
        meant[key] = section
    problems.error("unknown-section", f"there is no section '{key}'{near}", e.key.span,
                   hint=_where_it_goes(there) if there else f"the sections are {', '.join(SECTIONS)}")  # fmt: skip


def _of_another_tool(root: Mapping, problems: Problems) -> None:
    """A file that has nothing of a model file's is said to be none, once.

    Raises:
        LayerctlError: where it is none.
    """
    keys = [str(e.key.value) for e in root]
    if "class_name" in keys and "config" in keys:
        problems.error("unknown-section", "the file is a model as Keras saves it, expected one of layerctl's", root.entries[0].key.span,
                       hint="`layerctl import FILE` writes it as a model file; a file of JSON has its name end in .json")  # fmt: skip
    elif len(keys) > 1 and not any(k in SECTIONS or closest(k, SECTIONS) or k in s for k in keys for s in SECTION_KEYS.values()):
        homes = {k: there for k in keys if (there := section_of(k, SECTION_KEYS)) is not None and not there.startswith("`")}
        moved = "; ".join(f"'{k}' is `{there}`" for k, there in homes.items())
        problems.error("unknown-section", f"none of the file's keys is a section of a model file: {', '.join(keys[:5])}", root.entries[0].key.span,
                       hint=f"{f'{moved}; ' if moved else ''}the sections are {', '.join(SECTIONS)}; `layerctl init` writes a file to begin with")  # fmt: skip
    problems.check()


def _like(node: Node, root: Mapping, taken: Iterable[str]) -> str | None:
    """The section that a value is most likely of, by what it has; one that the file lacks."""
    lacking = [s for s in (FORMAT_KEY, "define", *SECTION_KEYS) if s not in root and s not in taken]
    if isinstance(node, Scalar):
        return FORMAT_KEY if FORMAT_KEY in lacking and node.value == FORMAT and not isinstance(node.value, bool) else None
    if not isinstance(node, Mapping) or not len(node):
        return None
    if "define" in lacking and all(is_definition(e.value) for e in node):
        return "define"
    return next((s for s in lacking if s in SECTION_KEYS and all(e.key.value in SECTION_KEYS[s] for e in node)), None)


def _homes(root: Mapping, problems: Problems) -> dict[str, str]:
    """The section by each key of several that stand at the top because their section's line is missing, which is said once."""
    for section, keys in SECTION_KEYS.items():
        found = [e.key for e in root if e.key.value in keys and e.key.value not in SECTIONS] if section not in root else []
        if len(found) > 1:
            problems.error("unknown-section", f"there are no sections {', '.join(repr(k.value) for k in found)}", found[0].span,
                           hint=f"they belong into `{section}:`, a line of its own before them, and are indented")  # fmt: skip
            return dict.fromkeys((str(k.value) for k in found), section)
    return {}


def _where_it_goes(there: str) -> str:
    return there if there.startswith("`") else f"write it as `{there}`"


def _key_span(root: Mapping, name: str) -> Span:
    return root.key(name).span if name in root else root.span


def _version(root: Mapping, problems: Problems) -> None:
    node = root.get("layerctl")
    if node is None:
        problems.error("missing-version", "the file does not say which format it has", root.entries[0].key.span if root.entries else root.span,
                       hint=f"write `layerctl: {FORMAT}` at the top")  # fmt: skip
    elif node.plain() != FORMAT or isinstance(node.plain(), bool):
        problems.error(
            "unknown-version",
            f"this layerctl reads format {FORMAT}, the file has {told(node.plain())}",
            node.span,
            hint=f"write `layerctl: {FORMAT}`, or update: pip install -U layerctl",
        )


def _variables(root: Mapping, problems: Problems) -> dict[str, Any]:
    node = root.get("vars")
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return {}
    if not isinstance(node, Mapping):
        problems.error("wrong-type", "'vars' must be a mapping of names to values", node.span, hint="as in `vars: {width: 32}`")
        problems.check()  # else each use of a variable would be a mistake too
    try:
        return variables_of(node)
    except LayerctlError as error:
        problems.found.extend(error.diagnostics)
        problems.check()
        return {}


def _mapping(parts: dict[str, Node], name: str, problems: Problems) -> Mapping | None:
    node = parts.get(name)
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return None
    if not isinstance(node, Mapping):
        cure = {"compile": "as in `compile: {optimizer: adam, loss: mean_squared_error}`", "define": "as in `define: {Name: {args: {…}, layers: […]}}`"}
        problems.error("wrong-type", f"'{name}' must be a mapping", node.span, hint=cure.get(name))
        return None
    return node


def _name(parts: dict[str, Node], document: Document, problems: Problems) -> str:
    node = parts.get("name")
    if node is None:
        stem = document.source.name.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
        return "".join(c if c.isalnum() or c in "-_." else "-" for c in stem).strip(".") or "model"
    value = node.plain()
    if (
        not isinstance(value, str)
        or not value
        or any(c in value for c in "/\\\0\n\r")
        or value.startswith((".", *TYPOGRAPHIC))
        or len(value) > 100
    ):
        problems.error(
            "bad-name",
            f"'name' must be text without slashes that does not start with a dot, got {value!r}" if value is not None else "'name' has no value",
            node.span,
            hint="write one, or leave the key out: the file's name is taken then" if value is None
            else f'quote it: name: "{node.text}"' if isinstance(node, Scalar) and node.style == "plain" and not isinstance(value, str)
            else "the run's folder has this name: letters, digits, - and _",
        )
        return "model"
    return value


def _seed(parts: dict[str, Node], problems: Problems) -> int:
    node = parts.get("seed")
    if node is None:
        return 0
    value = node.plain()
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        problems.error("out-of-range", f"'seed' must be a whole number from 0 to 2**63 - 1, got {told(value)}", node.span, hint="as in `seed: 7`")
        return 0
    return value
