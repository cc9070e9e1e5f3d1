"""The store: same bits at every width, damage, strangers, races, stale keys; no Numba once it is filled."""

import json
import os
import subprocess
import sys
from pathlib import Path

import examples
import pytest

from layerctl.kernels import build, selftest, store, target
from layerctl.ops.kernel import Loop

EXAMPLES = Path(examples.__file__)


def start(cache, script=EXAMPLES, **environment):
    return subprocess.Popen(
        [sys.executable, str(script)], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"LAYERCTL_CACHE": str(cache)} | environment,
    )  # fmt: skip


def finish(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out)


def fresh(cache, script=EXAMPLES, **environment):
    return finish(start(cache, script, **environment))


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A filled store, and what the process that filled it printed. Tests leave it whole."""
    cache = tmp_path_factory.mktemp("store")
    return cache, fresh(cache)


def widths():
    if not target.host().triple.startswith("x86_64"):
        return ["lanes4"]
    return ["lanes4", "lanes8", *(["lanes16"] if target.host().lanes == 16 else [])]


@pytest.mark.parametrize("width", widths())
def test_every_width_gives_the_same_bits(filled, tmp_path, width):
    got = fresh(tmp_path, LAYERCTL_CPU=width)
    assert got["lanes"] == int(width[5:]) and got["digests"] == filled[1]["digests"]


def test_a_width_that_the_processor_lacks_is_refused(tmp_path):
    process = start(tmp_path, LAYERCTL_CPU="lanes32")
    assert "[bad-cpu]" in process.communicate()[1]


def test_a_filled_store_needs_no_numba(filled):
    cache, first = filled
    assert first["numba"]
    again = fresh(cache)
    assert not again["numba"] and again["digests"] == first["digests"]


def test_the_folder_is_ours_alone(filled):
    assert Path(filled[1]["folder"]).stat().st_mode & 0o077 == 0


def entry(printed, name):
    return Path(printed["folder"]) / f"{store.symbol(examples.REFS[name])}.o"


@pytest.mark.parametrize("damage", ["a flipped bit", "half", "empty", "another's", "foreign"])
def test_a_damaged_entry_is_rebuilt(filled, damage):
    cache, first = filled
    path = entry(first, "loop")
    whole = path.read_bytes()
    path.write_bytes({
        "a flipped bit": whole[:-9] + bytes([whole[-9] ^ 4]) + whole[-8:], "half": whole[: len(whole) // 2], "empty": b"",
        "another's": entry(first, "sum").read_bytes(), "foreign": b"\x7fELF" + whole[200:],
    }[damage])  # fmt: skip
    assert fresh(cache)["digests"] == first["digests"]
    assert path.read_bytes() == whole


def test_an_entry_that_others_may_write_is_rebuilt(filled):
    path = entry(filled[1], "loop")
    os.chmod(path, 0o666)
    fresh(filled[0])
    assert path.stat().st_mode & 0o022 == 0


def test_a_folder_that_others_may_write_is_not_used(filled):
    folder = Path(filled[1]["folder"])
    os.chmod(folder, 0o777)
    try:
        got = fresh(filled[0])
    finally:
        os.chmod(folder, 0o700)
    assert got["folder"] is None and got["digests"] == filled[1]["digests"]


def test_a_folder_that_cannot_be_had_costs_no_error(filled, tmp_path):
    (tmp_path / "file").write_text("")
    got = fresh(tmp_path / "file")
    assert got["folder"] is None and got["digests"] == filled[1]["digests"]


def test_two_processes_may_fill_it_at_once(filled, tmp_path):
    both = [start(tmp_path), start(tmp_path)]
    assert all(finish(p)["digests"] == filled[1]["digests"] for p in both)
    assert not list(tmp_path.rglob(".layerctl-tmp.*"))
    assert not fresh(tmp_path)["numba"]


@pytest.mark.parametrize("change", [("* SCALE", "* SCALE + 1"), ("SCALE = 0.75", "SCALE = 0.5")])
def test_a_changed_helper_or_constant_changes_the_key(filled, tmp_path, change):
    script = tmp_path / "examples.py"
    script.write_text(EXAMPLES.read_text().replace(*change))
    got = fresh(filled[0], script)["digests"]
    changed = {name for name in got if got[name] != filled[1]["digests"][name]}
    assert changed == {"curve_f32", "curve_f64"}


def test_settings_of_numba_in_the_environment_change_nothing(filled, tmp_path):
    settings = {"NUMBA_DISABLE_JIT": "1", "NUMBA_BOUNDSCHECK": "1", "NUMBA_OPT": "0", "NUMBA_CPU_NAME": "generic"}
    assert fresh(tmp_path, **settings)["digests"] == filled[1]["digests"]


def test_constants_that_compare_equal_are_different_kernels():
    def with_constant(number):
        return Loop((("f32", 1),), (("add", "f32", (0, ("const", "f32", number))),), (1,))

    assert store.symbol(with_constant(0.0)) != store.symbol(with_constant(-0.0))


def test_what_fails_its_self_test_is_compiled_again(monkeypatch, tmp_path):
    monkeypatch.setenv("LAYERCTL_CACHE", str(tmp_path))
    ref = Loop((("f32", 1),), (("add", "f32", (0, ("const", "f32", 17.25))),), (1,))
    store.keep(store.folder(), store.symbol(ref), store.compiled(ref))
    answers = iter([False, True])
    monkeypatch.setattr(selftest, "passes", lambda address: next(answers))
    compiled = []
    monkeypatch.setattr(build, "compiled", lambda r: compiled.append(r) or store.compiled(r))
    assert store.addresses([ref])[ref.key] and compiled == [ref]


@pytest.mark.parametrize("linker", [store._linked, store.linked_by_llvm])
def test_the_self_test_tells_wrong_constants(monkeypatch, linker):
    _held, found = linker({selftest.NAME: selftest.object_code()})
    assert selftest.passes(found[selftest.NAME])
    monkeypatch.setattr(selftest, "_TERMS", (0.625, 5.5, -7.0))
    assert not selftest.passes(found[selftest.NAME])


def test_what_our_linker_refuses_is_linked_by_llvm(filled):
    got = fresh(filled[0], LINK_BY_LLVM="1")
    assert got["llvmlite"] and got["digests"] == filled[1]["digests"]


def test_a_filled_store_needs_no_llvm(filled):
    again = fresh(filled[0])
    assert again["llvmlite"] == (target.host().architecture != "x86_64") and again["digests"] == filled[1]["digests"]


def test_kernels_alone_are_never_compiled(monkeypatch, tmp_path):
    monkeypatch.setenv("LAYERCTL_CACHE", str(tmp_path))
    ref = Loop((("f32", 1),), (("add", "f32", (0, ("const", "f32", 23.25))),), (1,))
    assert store.known([store.symbol(ref)]) is None
    address = store.addresses([ref])[ref.key]
    assert store.known([store.symbol(ref)]) == {store.symbol(ref): address}


@pytest.mark.parametrize("name", examples.REFS)
def test_a_ref_survives_json(name):
    ref = examples.REFS[name]
    again = build.ref_from_json(json.loads(json.dumps(build.ref_to_json(ref))))
    assert again == ref and store.symbol(again) == store.symbol(ref)


def many():
    from layerctl.ops import gather, select

    return [k.at(T=t) for t in ("f32", "f64") for k in (gather.rows, gather.add_rows, select.pick_one, select.put_one)]


@pytest.mark.parametrize("python", [sys.executable, "/bin/false", "/no/such/program"])
def test_processes_share_the_work_and_may_fail(monkeypatch, python):
    refs, told = many(), []
    monkeypatch.setattr(build, "cores", lambda: 2)
    monkeypatch.setattr(build, "WORTH_A_PROCESS", 1e-3)
    monkeypatch.setattr(sys, "executable", python)
    out = build.build(refs, None, lambda *event: told.append(event))
    assert set(out) == {store.symbol(r) for r in refs} and all(out.values())
    assert told[-1][1:] == (8, 8) and {t[0] for t in told} == {r.key for r in refs}
