"""Observers of installed packages, and MLflow with a real store: what they hear, and that none of them can break training."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from mlflow import MlflowClient

ROOT = Path(__file__).parents[2]
PACKAGE = '''
import json, os
from layerctl.training.events import Observer

class Writer(Observer):
    def __init__(self, run):
        self.file = open(os.environ["HEARD"], "a")
        self.say("made", name=run.name, folder=str(run.folder), rows=run.rows, epochs=run.plain["fit"]["epochs"])
    def say(self, what, **more):
        print(json.dumps({"what": what, **more}), file=self.file, flush=True)
    def started(self, run):
        self.say("started", data=run.data)
    def epoch(self, epoch, epochs, logs, seconds):
        self.say("epoch", epoch=epoch, loss=logs["loss"])
        logs.clear()
    def ended(self, run):
        self.say("ended", reason=run.reason, scores=run.scores, files=[p.name for p in run.files], error=run.error)

class Bad(Observer):
    def epoch(self, epoch, epochs, logs, seconds):
        raise RuntimeError("no room\\nleft")

def writer(run): return Writer(run)
def bad(run): return Bad()
def worse(run): raise KeyError("token")
def idle(run): return None
'''


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A folder that looks like site-packages with a package of observers installed in it."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "watchers.py").write_text(PACKAGE)
    info = folder / "watchers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: watchers\nVersion: 1.0\n")
    points = "writer = watchers:writer\nbad = watchers:bad\nworse=watchers:worse\nidle = watchers:idle\ngone = nowhere:x\n"
    (info / "entry_points.txt").write_text(f"[console_scripts]\nw = watchers:main\n\n[layerctl.observers]\n{points}")
    return folder


def train(cwd, *more, code=0, path=None, **environment):
    env = {**os.environ, "GITHUB_ACTIONS": "", "MLFLOW_TRACKING_URI": "", **environment}
    if path is not None:
        env["PYTHONPATH"] = os.pathsep.join([str(path), *filter(None, [env.get("PYTHONPATH")])])
    done = subprocess.run([sys.executable, "-m", "layerctl", "train", str(ROOT / "configs" / "iris.yaml"), *more], cwd=cwd, capture_output=True,
                          text=True, timeout=300, env=env)  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


def heard(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_installed_observers_hear_all_and_break_nothing(tmp_path, package):
    done = train(tmp_path, "--out", "run", "--set", "fit.epochs=3", path=package, HEARD=str(tmp_path / "heard"))
    lines = heard(tmp_path / "heard")
    assert [x["what"] for x in lines] == ["made", "started", "epoch", "epoch", "epoch", "ended"]
    assert lines[0] == {"what": "made", "name": "iris", "folder": "run", "rows": 96, "epochs": 3}
    history = heard(tmp_path / "run" / "history.jsonl")
    assert [x["loss"] for x in lines[2:5]] == [r["loss"] for r in history] and "val_loss" in history[-1]
    end = lines[-1]
    assert end["reason"] == "done" and end["error"] is None and set(end["scores"]) == {"loss", "accuracy"}
    assert end["files"] == ["model.safetensors", "model.yaml", "history.jsonl", "report.html"]
    for name, why in (("bad", "RuntimeError: no room left"), ("worse", "KeyError: 'token'"), ("gone", "No module named 'nowhere'")):
        assert done.stderr.count(f"the observer '{name}' failed") == 1 and why in done.stderr and "[observer-failed]" in done.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["state"] == "finished"
    assert "Traceback" not in done.stderr


def test_observers_are_chosen_by_name(tmp_path, package):
    for asked, count in (("", 0), ("idle, writer", 6)):
        path = tmp_path / f"heard{count}"
        path.touch()
        done = train(tmp_path, "--out", f"run{count}", "--set", "fit.epochs=3", path=package, HEARD=str(path), LAYERCTL_OBSERVERS=asked)
        assert len(heard(path)) == count and "observer-failed" not in done.stderr


def test_a_failed_training_is_told(tmp_path, package):
    train(tmp_path, "--out", "run", "--set", "compile.optimizer={SGD: {learning_rate: 1e30}}", code=3, path=package,
          HEARD=str(tmp_path / "heard"), LAYERCTL_OBSERVERS="writer")  # fmt: skip
    end = heard(tmp_path / "heard")[-1]
    assert end["reason"] == "failed" and "loss-not-finite" in end["error"]


def test_weights_do_not_depend_on_observers(tmp_path, package):
    train(tmp_path, "--out", "a", "--set", "fit.epochs=3", path=package, HEARD=str(tmp_path / "heard"))
    train(tmp_path, "--out", "b", "--set", "fit.epochs=3")
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()


# MLflow


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A local MLflow: a database, and a folder beside it for artifacts."""
    folder = tmp_path_factory.mktemp("mlflow")
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    for name in ("flowers", "broken", "resumed", "hooked"):
        client.create_experiment(name, artifact_location=(folder / "artifacts" / name).as_uri())
    return client, f"sqlite:///{folder}/mlflow.db", folder


def runs(client, experiment):
    return client.search_runs([client.get_experiment_by_name(experiment).experiment_id], order_by=["attributes.start_time ASC"])


def callback(uri, experiment, **more):
    return ("--set", f"fit.callbacks={json.dumps([{'MLflow': {'experiment': experiment, 'tracking_uri': uri, **more}}])}")


def test_mlflow_has_parameters_metrics_artifacts_and_status(tmp_path, store):
    client, uri, folder = store
    done = train(tmp_path, "--out", "run", "--set", "fit.epochs=4", *callback(uri, "flowers", tags={"team": "a"}, run_name="first"))
    assert "observer-failed" not in done.stderr
    (run,) = runs(client, "flowers")
    assert run.info.status == "FINISHED" and run.info.run_name == "first" and run.data.tags["team"] == "a"
    expected = {"fit.epochs": "4", "model.0.Dense.units": "16", "compile.optimizer.Adam.learning_rate": "0.01", "seed": "7", "rows": "96"}
    assert expected.items() <= run.data.params.items()
    history = heard(tmp_path / "run" / "history.jsonl")
    for name in ("loss", "val_accuracy", "learning_rate"):
        found = client.get_metric_history(run.info.run_id, name)
        assert [(m.step, m.value) for m in found] == [(r["epoch"], pytest.approx(r[name])) for r in history]
    assert run.data.metrics["test_accuracy"] == pytest.approx(json.loads((tmp_path / "run" / "run.json").read_text())["scores"]["accuracy"])
    names = {a.path for a in client.list_artifacts(run.info.run_id)}
    assert names == {"model.safetensors", "model.yaml", "history.jsonl", "report.html"}
    kept = next((folder / "artifacts" / "flowers").glob("*/artifacts/model.safetensors"))
    assert kept.read_bytes() == (tmp_path / "run" / "model.safetensors").read_bytes()


def test_mlflow_s_folder_of_files(tmp_path, monkeypatch):
    """MLflow takes one where it is told to; else it is a warning, and training goes on."""
    uri = (tmp_path / "mlruns").as_uri()
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    refused = train(tmp_path, "--out", "a", "--set", "fit.epochs=1", *callback(uri, "files"))
    assert "[observer-failed]" in refused.stderr and "MLFLOW_ALLOW_FILE_STORE" in refused.stderr and not (tmp_path / "mlruns").exists()
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    done = train(tmp_path, "--out", "b", "--set", "fit.epochs=2", *callback(uri, "files"))
    assert "observer-failed" not in done.stderr
    client = MlflowClient(uri)
    (run,) = runs(client, "files")
    assert run.info.status == "FINISHED" and [m.step for m in client.get_metric_history(run.info.run_id, "loss")] == [1, 2]
    assert {a.path for a in client.list_artifacts(run.info.run_id)} == {"model.safetensors", "model.yaml", "history.jsonl", "report.html"}


def test_mlflow_hears_of_failures(tmp_path, store):
    client, uri, _ = store
    train(tmp_path, "--out", "run", "--set", "compile.optimizer={SGD: {learning_rate: 1e30}}", *callback(uri, "broken"), code=3)
    (run,) = runs(client, "broken")
    assert run.info.status == "FAILED" and "loss-not-finite" in run.data.tags["layerctl.error"]


def test_a_resumed_run_goes_on_in_mlflow(tmp_path, store):
    client, uri, _ = store
    more = ["--out", "run", "--set", "fit.epochs=1000000", *callback(uri, "resumed", artifacts=False)]
    process = subprocess.Popen([sys.executable, "-m", "layerctl", "train", str(ROOT / "configs" / "iris.yaml"), "-q", *more], cwd=tmp_path)
    history = tmp_path / "run" / "history.jsonl"
    deadline = time.monotonic() + 120
    while not (history.exists() and history.stat().st_size > 400) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 143
    (run,) = runs(client, "resumed")
    assert run.info.status == "KILLED"
    done = train(tmp_path, *more, "--resume", "--max-time", "1s")
    assert "observer-failed" not in done.stderr
    (run,) = runs(client, "resumed")
    steps = [m.step for m in client.get_metric_history(run.info.run_id, "loss")]
    assert run.info.status == "FINISHED" and steps == sorted(set(steps)) and len(steps) == len(heard(history))
    assert uri not in (tmp_path / "run" / "mlflow.json").read_text()
    assert not client.list_artifacts(run.info.run_id)


def test_the_hook_takes_the_environment(tmp_path, store):
    client, uri, _ = store
    place = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["layerctl.observers"]["mlflow"]
    info = tmp_path / "site" / "hook-1.0.dist-info"  # as pip leaves layerctl's own, whatever this environment was installed from
    info.mkdir(parents=True)
    (info / "entry_points.txt").write_text(f"[layerctl.observers]\nmlflow = {place}\n")
    options = {"path": tmp_path / "site", "MLFLOW_TRACKING_URI": uri, "MLFLOW_EXPERIMENT_NAME": "hooked"}
    train(tmp_path, "--out", "a", "--set", "fit.epochs=2", "--no-report", **options)
    train(tmp_path, "--out", "b", "--set", "fit.epochs=2", *callback(uri, "hooked"), **options)  # the file asks, so that the hook does not
    found = runs(client, "hooked")
    assert [r.info.status for r in found] == ["FINISHED", "FINISHED"]
    train(tmp_path, "--out", "c", "--set", "fit.epochs=2", **options, LAYERCTL_OBSERVERS="")
    assert len(runs(client, "hooked")) == 2


def test_no_server_is_a_warning_and_no_package_an_error(tmp_path):
    for uri in ("sqlite:////dev/null/all.db", "http://127.0.0.1:9"):
        done = train(tmp_path, "--out", "run", "--force", "--set", "fit.epochs=2", *callback(uri, "x"))
        assert "warning: the observer 'MLflow' failed" in done.stderr and "epoch 2/2" in done.stderr
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\nu.find_spec = lambda n, *a: None if n == 'mlflow' else find(n, *a)\n"
    )
    done = train(tmp_path, "--out", "b", *callback("sqlite:///x.db", "x"), code=2, path=tmp_path / "site")
    assert "[bad-callback]" in done.stderr and "pip install 'layerctl[mlflow]'" in done.stderr
