"""docs/keras-coverage.md says what is so: `python tests/catalogues/keras_coverage.py` writes it anew."""

import keras_coverage as coverage
import pytest

from layerctl.catalogue import catalogue


def test_the_page_is_what_the_catalogues_say():
    assert coverage.PAGE.read_text(encoding="utf-8") == coverage.page(coverage.api()), "run python tests/catalogues/keras_coverage.py"


def test_what_is_missing_says_why_and_nothing_else_does():
    tables = [(kind, names) for kind, names in coverage.api().items() if kind != "version"]
    missing = {n for kind, names in tables for n in names if catalogue(kind).get(n) is None}
    assert missing == set(coverage.WHY_NAMES)
    arguments = {a for kind, names in tables if isinstance(names, dict) for n, theirs in names.items()
                 if (cls := catalogue(kind).get(n)) for a in theirs if a not in cls.model_fields and a != coverage.NAMED}  # fmt: skip
    assert arguments == set(coverage.WHY_ARGUMENTS)


def test_defaults_agree():
    """Where a default is not Keras's, files would mean another model there than here."""
    for kind, names in coverage.api().items():
        for name, theirs in names.items() if isinstance(names, dict) else ():
            cls = catalogue(kind).get(name)
            if cls is not None:
                wrong = [d for d in coverage.differences(theirs, coverage.defaults(cls))[0] if " is " in d.split("(")[0]]
                assert not wrong or (name, wrong) == ("CategoryEncoding", ["`num_tokens` is required, in Keras `null`"])


@pytest.mark.parametrize(("ours", "theirs", "same"), [
    ([1, 1], 1, True), ([[1, 1], [1, 1]], 1, True), ([2, 1], 2, False), ("GlorotUniform", "glorot_uniform", True), (1, 2, False), (None, 0, False),
    (0.0, 0, True), ("required", None, False),
])  # fmt: skip
def test_defaults_are_compared_by_what_they_mean(ours, theirs, same):
    found, more = coverage.differences({"a": theirs, "gone": 1}, {"a": ours, "b": 2})
    assert (len(found) == 1) == same and found[-1].startswith("no `gone`") and more == ["b"]
