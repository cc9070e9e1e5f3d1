"""Files that include files, and values of the environment: what is joined, where its places are, what is refused."""

import os
import subprocess
import sys

import pytest

from layerctl.diagnostics import LayerctlError
from layerctl.source.environment import with_environment
from layerctl.source.include import DEEPEST_INCLUDE, MOST_FILES
from layerctl.source.opening import opened
from layerctl.source.read import loads
from layerctl.spec.file import read_spec

BASE = "layerctl: 1\nvars: {width: 8}\ncompile: {optimizer: {Adam: {learning_rate: 0.01}}, loss: mse}\nfit: {epochs: 3, batch_size: 4}\n"
MODEL = "model:\n  - Input: [4]\n  - Dense: ${width}\n"


def write(folder, **files):
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def codes(path):
    with pytest.raises(LayerctlError) as caught:
        opened(path)
    return [(d.code, str(d.span)) for d in caught.value.diagnostics]


def run(arguments, folder, **environment):
    command = [sys.executable, "-m", "layerctl", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env={**os.environ, "GITHUB_ACTIONS": "", **environment})


def test_sections_are_joined_and_the_including_file_counts(tmp_path):
    write(tmp_path, base=BASE, m="include: base.yaml\nfit: {epochs: 5}\ncompile: {optimizer: {Adam: {beta_1: 0.8}}}\n" + MODEL)
    plain = opened(tmp_path / "m.yaml").plain()
    assert "include" not in plain and plain["vars"] == {"width": 8}
    assert plain["fit"] == {"epochs": 5, "batch_size": 4}
    assert plain["compile"] == {"optimizer": {"Adam": {"learning_rate": 0.01, "beta_1": 0.8}}, "loss": "mse"}


def test_later_files_count_more_and_a_file_may_come_twice(tmp_path):
    write(tmp_path, base=BASE, parts__a="include: ../base.yaml\nseed: 1\n", parts__b="include: ../base.yaml\nseed: 2\nmodel: [Flatten]\n",
          m="include: [parts/a.yaml, parts/b.yaml]\n" + MODEL)  # fmt: skip
    plain = opened(tmp_path / "m.yaml").plain()
    assert plain["seed"] == 2 and len(plain["model"]) == 2 and plain["fit"]["epochs"] == 3


def test_what_is_included_is_in_the_model_and_mistakes_point_into_the_included_file(tmp_path):
    write(tmp_path, parts__blocks="define:\n  Pair:\n    args: {n: 4}\n    layers:\n      - Dense: {unts: \"${n}\"}\n",
          m="layerctl: 1\ninclude: parts/blocks.yaml\nmodel:\n  - Input: [4]\n  - Pair: 3\n")  # fmt: skip
    done = run(["build", "m.yaml"], tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("parts/blocks.yaml:5:17: error: Dense has no argument 'unts'; did you mean 'units'? [unknown-argument]\n  5 │       - Dense")
    write(tmp_path, parts__blocks="define:\n  Pair:\n    args: {n: 4}\n    layers:\n      - Dense: {units: \"${n}\"}\n")
    assert "pair" in run(["build", "m.yaml"], tmp_path).stdout


def test_cycles_depth_and_number_are_bounded(tmp_path):
    write(tmp_path, a="include: b.yaml\n", b="include: ./parts/../a.yaml\n", parts__x="seed: 1\n")
    assert codes(tmp_path / "a.yaml") == [("include-cycle", f"{tmp_path}/b.yaml:1:10")]
    write(tmp_path, **{f"c{i}": f"include: c{i + 1}.yaml\n" for i in range(DEEPEST_INCLUDE + 2)})
    assert codes(tmp_path / "c0.yaml") == [("include-too-deep", f"{tmp_path}/c{DEEPEST_INCLUDE}.yaml:1:10")]
    write(tmp_path, **{f"c{DEEPEST_INCLUDE}": "seed: 1\n"})
    assert opened(tmp_path / "c0.yaml").plain() == {"seed": 1}
    write(tmp_path, many=f"include: [{', '.join(['parts/x.yaml'] * (MOST_FILES + 1))}]\n")
    assert codes(tmp_path / "many.yaml")[0][0] == "include-too-deep"


def test_values_are_counted_over_all_files(tmp_path):
    write(tmp_path, big="vars: {a: [" + ", ".join(["1"] * 60_000) + "]}\n", m="include: [big.yaml, big.yaml]\n")
    assert codes(tmp_path / "m.yaml") == [("yaml-too-many-values", f"{tmp_path}/m.yaml:1:21")]


@pytest.mark.parametrize(("name", "code"), [
    ("http://example.com/a.yaml", "include-path"), ("file:///etc/passwd", "include-path"), ("/etc/passwd", "include-path"),
    ("~/a.yaml", "include-path"), ("a-${x}.yaml", "include-path"), ("nothing.yaml", "file-not-found"), ("parts", "file-unreadable"),
    ("list.yaml", "wrong-type"), ("5", "wrong-type"), ("", "wrong-type"), ("[]", None),
])  # fmt: skip
def test_what_is_no_file_here_is_refused_with_its_place(tmp_path, name, code):
    write(tmp_path, list="- 1\n", parts__x="seed: 1\n", m=f"include: {name}\nseed: 3\n")
    if code is None:
        assert opened(tmp_path / "m.yaml").plain() == {"seed": 3}
        return
    (found, place), *rest = codes(tmp_path / "m.yaml")
    assert found == code and not rest
    assert place.startswith(f"{tmp_path}/m.yaml:1:" if name != "list.yaml" else f"{tmp_path}/list.yaml:1:") or name == "parts"


def test_a_trained_models_file_and_set_include_nothing(tmp_path):
    write(tmp_path, base=BASE, m="layerctl: 1\n" + MODEL)
    done = run(["build", "m.yaml", "--set", "include=base.yaml"], tmp_path)
    assert done.returncode == 2 and "[include-not-here]" in done.stderr
    with pytest.raises(LayerctlError) as caught:
        read_spec(loads("layerctl: 1\ninclude: base.yaml\nmodel: [{Dense: 1}]\n"))
    assert [d.code for d in caught.value.diagnostics] == ["include-not-here"]


def test_the_environment_is_read_as_yaml_reads_it(tmp_path):
    text = 'a: ${env:N}\nb: "${env:N}"\nc: n is ${env:N}\nd: ["${env:NONE:-1e-3}", "${env:NONE:-}"]\ne: $${env:N}\nf: ${env:T}\n'
    found = with_environment(loads(text), {"N": "3", "T": "x ${vars} [y]"}).plain()
    assert found == {"a": 3, "b": 3, "c": "n is 3", "d": [1e-3, None], "e": "$${env:N}", "f": "x $${vars} [y]"}


def test_the_environment_in_a_file(tmp_path):
    write(tmp_path, m='layerctl: 1\nvars: {n: "${env:WIDTH:-2}"}\nfit: {epochs: "${env:EPOCHS}"}\nmodel:\n  - Input: [4]\n  - Dense: ${n * 2}\n')
    done = run(["build", "m.yaml"], tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("m.yaml:3:16: error: the environment variable 'EPOCHS' is not set")
    assert "[missing-environment]" in done.stderr and "${env:EPOCHS:-…}" in done.stderr
    assert "(None, 4)" in run(["build", "m.yaml"], tmp_path, EPOCHS="3").stdout
    assert "(None, 10)" in run(["build", "m.yaml"], tmp_path, EPOCHS="3", WIDTH="5").stdout
    done = run(["build", "m.yaml"], tmp_path, EPOCHS="many")
    assert done.returncode == 2 and "'epochs' must be a whole number, got 'many' [wrong-type]" in done.stderr
    assert "(None, 4)" in run(["build", "m.yaml", "--set", "fit.epochs=${env:OTHER:-7}"], tmp_path).stdout


def test_a_trained_models_file_asks_for_nothing():
    spec = "layerctl: 1\nname: ${env:HOME}\nmodel: [{Dense: 1}]\n"
    with pytest.raises(LayerctlError) as caught:
        read_spec(loads(spec))
    assert [d.code for d in caught.value.diagnostics] == ["environment-not-here"]


@pytest.mark.parametrize("name", ["", "A B", "1A", "A-B"])
def test_what_is_no_variables_name(name):
    with pytest.raises(LayerctlError) as caught:
        with_environment(loads(f"a: '${{env:{name}}}'\n"), {})
    assert [d.code for d in caught.value.diagnostics] == ["variable-syntax"]


def test_unprintable_and_huge_values_are_refused():
    for value, code in (("a\nb", "yaml-character"), ("a" * 40_000, "variable-too-large"), ("9" * 40, "yaml-number")):
        with pytest.raises(LayerctlError) as caught:
            with_environment(loads("a: ${env:V}\n"), {"V": value})
        assert [d.code for d in caught.value.diagnostics] == [code]
