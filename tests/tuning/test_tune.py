"""`layerctl tune` in processes of its own: the best file, pruning, kills, several processes, refusals."""

import errno
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import optuna
import pytest

from layerctl.commands.tuning.journal import storage
from layerctl.diagnostics import LayerctlError

FILE = """
layerctl: 1
name: flowers
seed: 3
data:
  source: {source}
  features: {{flower: {{}}}}
  target: species
  split: {{validation: 0.2, test: 0.2, stratify: true}}
model:
  - Dense: {{units: {{search: [2, 64], scale: log, default: 8}}, activation: {{search: {{choices: [relu, tanh]}}, default: relu}}}}
    name: hidden
  - Dropout: {{search: [0.0, 0.5], step: 0.125, default: 0.125}}
  - Dense: {{units: 3, activation: softmax}}
compile:
  optimizer:
    search:
      choices:
        - {{Adam: {{learning_rate: {{search: [1e-4, 0.1], scale: log}}}}}}
        - {{SGD: {{learning_rate: {{search: [1e-3, 0.5], scale: log}}, momentum: 0.9}}}}
    default: {{SGD: {{learning_rate: {{search: [1e-3, 0.5], scale: log}}, momentum: 0.9}}}}
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
fit: {{epochs: {epochs}, batch_size: {{search: [8, 32], step: 8}}}}
"""


def command(*arguments):
    return [sys.executable, "-m", "layerctl", *arguments]


def said(folder, *arguments, code=0):
    """(standard output, standard error) of the command, which ends with `code`."""
    done = subprocess.run(command(*arguments), cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def events(text):
    return [json.loads(line, parse_constant=lambda word: pytest.fail(word)) for line in text.splitlines()]


def trials(text):
    """What does not depend on the clock of each trial, by number."""
    kept = ("number", "state", "value", "epochs", "chosen", "why")
    return sorted(({k: e[k] for k in kept} for e in events(text) if e["event"] == "trial"), key=lambda t: t["number"])


def told(folder, *arguments):
    """All trials of a study that is there already."""
    from layerctl.commands.tune import tune

    before = os.getcwd()
    os.chdir(folder)
    try:
        found = tune("flowers.yaml", out=arguments[0], trials=1)
    finally:
        os.chdir(before)
    return [{"number": t.number, "state": t.state, "value": t.value, "epochs": t.epochs, "chosen": t.chosen, "why": t.why} for t in found.trials]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a file, and a study of 12 trials by one process; `whole` is what it said."""
    folder = tmp_path_factory.mktemp("tune")
    (folder / "flowers.yaml").write_text(FILE.format(source="builtin:iris", epochs=8))
    return folder


@pytest.fixture(scope="module")
def whole(folder):
    return said(folder, "tune", "flowers.yaml", "--trials", "12", "--json")[0]


def test_the_best_is_a_plain_file_that_trains_to_the_same_score(folder, whole):
    last = events(whole)[-1]
    best = min((t for t in trials(whole) if t["state"] == "done"), key=lambda t: t["value"])
    assert last["event"] == "tune" and last["best"]["number"] == best["number"] and last["direction"] == "minimize"
    text = (folder / last["file"]).read_text()
    assert "search" not in text and text.startswith(f"# From `layerctl tune`: val_loss {best['value']:.6g} in trial {best['number']}.")
    assert f"units: {best['chosen']['model.hidden.Dense.units']}," in text
    said(folder, "train", last["file"], "--quiet")
    history = (folder / "runs" / "flowers" / "history.jsonl").read_text().splitlines()
    assert json.loads(history[-1])["val_loss"] == best["value"]


def test_values_stay_in_their_ranges_and_of_their_kind(whole):
    for t in trials(whole):
        c = t["chosen"]
        assert isinstance(c["model.hidden.Dense.units"], int) and 2 <= c["model.hidden.Dense.units"] <= 64
        assert c["fit.batch_size"] in (8, 16, 24, 32) and c["model.1.Dropout"] in (0.0, 0.125, 0.25, 0.375, 0.5)
        assert c["model.hidden.Dense.activation"] in ("relu", "tanh") and c["compile.optimizer"] in ("Adam", "SGD")
        other = {"Adam": "compile.optimizer.1.SGD.learning_rate", "SGD": "compile.optimizer.0.Adam.learning_rate"}[c["compile.optimizer"]]
        assert other not in c


def test_what_is_behind_is_pruned(whole):
    assert {"done", "pruned"} == {t["state"] for t in trials(whole)}
    assert all(t["epochs"] < 8 for t in trials(whole) if t["state"] == "pruned") and all(t["epochs"] == 8 for t in trials(whole) if t["state"] == "done")
    assert all(t["state"] == "done" for t in trials(whole)[:5])


def test_a_finished_study_is_told_again_without_training(folder, whole):
    out, err = said(folder, "tune", "flowers.yaml", "--trials", "12")
    head, _, first = out.splitlines()[:3]
    assert head.split()[:6] == ["trial", "state", "val_loss", "epochs", "seconds", "units"]
    assert first.split()[0] == str(events(whole)[-1]["best"]["number"]) and "12 of them are there" in err


class _Counting(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "path", "circle", "polyline"):
            self.open.append(tag)

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        if tag not in ("path", "circle", "polyline"):
            assert self.open.pop() == tag


def test_the_report_shows_every_trial_and_needs_no_network(folder, whole):
    text = (folder / "studies" / "flowers" / "report.html").read_text()
    assert not re.search(r"(src|href)=|@import|url\(|<script", text)
    page = _Counting()
    page.feed(re.sub(r"<(path|circle|polyline|meta)([^>]*)/>", r"<\1\2>", text))
    tags = [tag for tag, _ in page.seen]
    assert tags.count("svg") == 1 + len(events(whole)[0]["parameters"]) and tags.count("tr") == 1 + 12 + len(events(whole)[-1]["best"]["chosen"])
    assert tags.count("circle") > 12 * 4
    for tag, attributes in page.seen:
        if tag == "circle":
            assert 0 < float(attributes["cx"]) < 420 and 0 < float(attributes["cy"]) < 260


def test_after_a_kill_the_study_is_what_it_would_have_been(folder, whole):
    started = subprocess.Popen(command("tune", "flowers.yaml", "--trials", "12", "--out", "killed", "--json"), cwd=folder, stdout=subprocess.PIPE, text=True)
    for line in started.stdout:
        if json.loads(line).get("number") == 3:
            break
    time.sleep(0.05)
    started.send_signal(signal.SIGKILL)
    started.wait()
    journal = folder / "killed" / "journal.log"
    with open(journal, "a") as file:
        file.write('{"op_code":8,"worker_id":"torn')
    said(folder, "tune", "flowers.yaml", "--trials", "12", "--out", "killed", "--quiet")
    assert told(folder, "killed") == trials(whole)
    assert all(json.loads(line) for line in journal.read_text().splitlines())


def test_a_signal_leaves_the_trial_for_the_next_start(folder, whole):
    started = subprocess.Popen(command("tune", "flowers.yaml", "--trials", "12", "--out", "stopped", "--json"), cwd=folder,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    for line in started.stdout:
        if json.loads(line).get("number") == 2:
            break
    started.send_signal(signal.SIGTERM)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 143 and "the same command goes on with it" in err and json.loads(out.splitlines()[-1])["reason"] == "interrupted"
    said(folder, "tune", "flowers.yaml", "--trials", "12", "--out", "stopped", "--quiet")
    assert told(folder, "stopped") == trials(whole)


def test_several_processes_share_a_study(folder):
    out, _ = said(folder, "tune", "flowers.yaml", "--trials", "9", "--jobs", "2", "--out", "shared", "--json", "--prune", "none")
    found = trials(out)
    assert [t["number"] for t in found] == list(range(9)) and all(t["state"] == "done" for t in found)
    journal = [json.loads(line) for line in (folder / "shared" / "journal.log").read_text().splitlines()]
    assert len({j["worker_id"] for j in journal}) == 2


def test_processes_work_where_modules_of_the_same_names_as_others_lie(folder, tmp_path):
    (tmp_path / "flowers.yaml").write_text((folder / "flowers.yaml").read_text())
    (tmp_path / "optuna.py").write_text("raise SystemExit('not this one')")
    arguments = ["tune", "flowers.yaml", "--trials", "6", "--jobs", "2", "--quiet", "--prune", "none"]
    done = subprocess.run([sys.executable, "-P", "-m", "layerctl", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0 and "not this one" not in done.stderr, done.stderr


def test_a_process_that_cannot_be_started_is_told_and_done_without(monkeypatch, capsys):
    from layerctl.cli.verbs.tune import _Helpers

    def refuse(*_, **__):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", refuse)
    helpers = _Helpers(3, [])
    helpers.start()
    assert not helpers.waiting()
    helpers.stop()
    assert "warning: 4 processes were asked for, and the system lets no more than 1 work" in capsys.readouterr().err


def test_commands_started_side_by_side_make_no_trial_twice(folder):
    arguments = command("tune", "flowers.yaml", "--trials", "8", "--out", "beside", "--quiet")
    started = [subprocess.Popen(arguments, cwd=folder, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [p.wait(timeout=120) for p in started] == [0, 0]
    assert [t["number"] for t in told(folder, "beside")] == list(range(8))


def test_hyperband_prunes_and_time_ends_a_study(folder):
    out, _ = said(folder, "tune", "flowers.yaml", "--trials", "500", "--max-time", "6s", "--prune", "hyperband", "--out", "timed", "--json")
    last = events(out)[-1]
    assert last["reason"] == "time" and last["trials"] < 500 and any(t["state"] == "pruned" for t in trials(out))


def test_a_metric_that_should_rise_is_maximized(folder):
    out, _ = said(folder, "tune", "flowers.yaml", "--trials", "3", "--metric", "val_accuracy", "--out", "rising", "--json")
    assert events(out)[-1]["direction"] == "maximize"
    assert events(out)[-1]["best"]["value"] == max(t["value"] for t in trials(out) if t["state"] == "done")


def test_trials_that_cannot_be_trained_do_not_end_the_study(folder, tmp_path):
    text = FILE.format(source="builtin:iris", epochs=2)
    text = text.replace("{search: [1e-4, 0.1], scale: log}", "{search: {choices: [0.01, 1e30]}}")
    text = text.replace("Dropout: {search: [0.0, 0.5], step: 0.125, default: 0.125}", "Reshape: [{search: {choices: [8, 7]}}]")
    text = text.replace("search: [2, 64], scale: log, default: 8", "search: {choices: [8, 7]}")
    (tmp_path / "flowers.yaml").write_text(text)
    out, _ = said(tmp_path, "tune", "flowers.yaml", "--trials", "14", "--json", "--seed", "5")
    found = trials(out)
    assert {"done", "refused"} <= {t["state"] for t in found}
    assert all("Reshape" in t["why"] for t in found if t["state"] == "refused" and not t["why"].startswith("the same"))
    assert all(t["chosen"]["model.hidden.Dense.units"] == t["chosen"]["model.1.Reshape.0"] for t in found if t["state"] == "done")


@pytest.mark.parametrize(("arguments", "words"), [
    (("flowers.yaml", "--metric", "val_acc"), "did you mean 'val_accuracy'"),
    (("flowers.yaml", "--direction", "up"), "--direction takes minimize or maximize"),
    (("flowers.yaml", "--prune", "medain"), "did you mean 'median'"),
    (("flowers.yaml", "--seed", "4"), "foreign-study"),
    (("flowers.yaml", "--set", "data.split={test: 0.2}", "--out", "unjudged"), "there are no validation rows"),
    (("plain.yaml",), "no-search"),
    (("-",), "tune needs a file of its own"),
])  # fmt: skip
def test_refusals(folder, whole, arguments, words):
    (folder / "plain.yaml").write_text((Path(__file__).parents[2] / "configs" / "iris.yaml").read_text())
    out, err = said(folder, "tune", *arguments, code=2)
    assert words in err and out == ""


def test_a_journal_of_something_else_is_refused(folder):
    (folder / "alien").mkdir()
    (folder / "alien" / "journal.log").write_text('{"a": 1}\n{"b": 2}\n')
    _, err = said(folder, "tune", "flowers.yaml", "--out", "alien", code=2)
    assert "bad-journal" in err and "--force" in err
    said(folder, "tune", "flowers.yaml", "--out", "alien", "--force", "--trials", "1")


@pytest.mark.parametrize("line, words", [("garbage", "journal.log:1:1: error: this line is no log"), ("[]", "journal.log:1:1"),
                                         ('{"op_code": 99, "worker_id": "w"}', "a log of a kind that there is not")])  # fmt: skip
def test_a_line_that_is_no_log_is_told_before_a_trial_begins(tmp_path, line, words):
    (tmp_path / "journal.log").write_text(line + "\n")
    with pytest.raises(LayerctlError, match=re.escape(words)):
        storage(tmp_path)


def test_a_full_disk_leaves_no_half_line_for_others_to_write_behind(tmp_path):
    store = storage(tmp_path)
    study = optuna.create_study(storage=store)
    before = (tmp_path / "journal.log").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, hard))
        with pytest.raises(LayerctlError) as caught:
            study.set_user_attr("what", "has no room")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (told,) = caught.value.diagnostics
    assert told.code == "cannot-write" and told.span.source.name == str(tmp_path / "journal.log")
    assert (tmp_path / "journal.log").read_bytes() == before
    study.set_user_attr("what", "has room")
    assert optuna.load_study(study_name=study.study_name, storage=storage(tmp_path)).user_attrs == {"what": "has room"}


def test_half_a_line_of_a_killed_process_is_gone_before_another_adds_its_own(tmp_path):
    study = optuna.create_study(storage=storage(tmp_path))
    with open(tmp_path / "journal.log", "a") as file:
        file.write('{"op_code":8,"worker_id":"torn')
    study.set_user_attr("what", "is whole")
    assert all(json.loads(line) for line in (tmp_path / "journal.log").read_text().splitlines())
    assert optuna.load_study(study_name=study.study_name, storage=storage(tmp_path)).user_attrs == {"what": "is whole"}


def test_other_commands_take_the_defaults(folder):
    assert "search-without-default" in said(folder, "build", "flowers.yaml", code=2)[1]
    out, _ = said(folder, "build", "flowers.yaml", "--set", "fit.batch_size=8", "--set", "compile.optimizer=adam")
    assert re.search(r"hidden +Dense +.*8\D+40 ", out)
