"""Completion in the shells that are there: commands, options, choices, model files, runs' folders, names."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest
from shell import with_command

SHELLS = [s for s in ("bash", "zsh", "fish") if shutil.which(s)]
ASKED = {
    "bash": """
words=({line}); $(:)
COMP_WORDS=("${{words[@]}}"); [ -n "{blank}" ] && COMP_WORDS+=("")
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_layerctl_completion layerctl
printf '%s\\n' "${{COMPREPLY[@]}}"
""",
    "zsh": """
_arguments() {{ local all=${{${{1#*\\(\\(}}%\\)\\)}} word; for word in ${{(Q)${{(z)all}}}}; do print -r -- "${{word%%:*}}"; done }}
_files() {{ print files }}
words=({line}); [ -n "{blank}" ] && words+=("")
CURRENT=$#words
_layerctl_completion
""",
    "fish": "complete -C '{line}{blank}'\n",
}
BEFORE = {"bash": "", "zsh": "compdef() { : }\n", "fish": ""}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the command on its own path, the scripts, files and a run."""
    folder = tmp_path_factory.mktemp("completion")
    with_command(folder)
    for name in ("configs/iris.yaml", "configs/wine.yml", "configs/notes.txt", "runs/iris/model.safetensors", "runs/iris/history.jsonl", "saved.keras"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    for shell in SHELLS:
        said = subprocess.run([folder / "bin" / "layerctl", "--show-completion", shell], capture_output=True, text=True, check=True).stdout
        (folder / f"completion.{shell}").write_text(said)
    return folder


def environment(folder):
    return {**with_command(folder), "HOME": str(folder)}


def offered(shell, folder, line):
    """What the shell offers at the end of a line."""
    asked = ASKED[shell].format(line=line.rstrip(" ") if shell != "fish" else line, blank="1" if line.endswith(" ") and shell != "fish" else "")
    script = f"{BEFORE[shell]}source completion.{shell}\n{asked}"
    quiet = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run([shell, *quiet, "-c", script], cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return [line.split("\t")[0].strip() for line in done.stdout.splitlines() if line.strip()]


def test_bash_is_there():
    assert "bash" in SHELLS


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("line", "answer"), [
    ("layerctl tr", ["train"]),
    ("layerctl train --max", ["--max-steps", "--max-time"]),
    ("layerctl export --to ", ["onnx", "c", "python", "keras", "npz"]),
    ("layerctl tune --prune h", ["hyperband"]),
    ("layerctl train configs/", ["configs/iris.yaml", "configs/wine.yml"]),
    ("layerctl eval runs/i", ["runs/iris"]),
    ("layerctl import sa", ["saved.keras"]),
    ("layerctl layers GlobalMax", ["GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D"]),
])  # fmt: skip
def test_what_is_offered(shell, folder, line, answer):
    assert sorted(offered(shell, folder, line)) == sorted(answer)


@pytest.fixture(scope="module")
def trained(folder):
    """A trained model, and a run that was begun, in the same folder."""
    (folder / "flowers.yaml").write_text("""
layerctl: 1
name: flowers
data: {source: builtin:iris, features: {x: {scale: standard}}, target: species}
model: [{Dense: {units: 4, activation: relu}, name: hidden}, {Dense: {units: 3, activation: softmax}, name: kinds}]
compile: {optimizer: {Adam: 0.01}, loss: sparse_categorical_crossentropy}
fit: {epochs: 1, batch_size: 30}
""")
    done = subprocess.run(["layerctl", "train", "flowers.yaml", "-q", "--no-report"], cwd=folder, env=environment(folder), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (folder / "runs" / "begun").mkdir()
    (folder / "runs" / "begun" / "history.jsonl").write_text("")
    return folder


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("line", "answer"), [
    ("layerctl report runs/b", ["runs/begun"]),
    ("layerctl compare runs/flowers runs/", ["runs/begun", "runs/flowers", "runs/iris"]),
    ("layerctl explain unknown-tar", ["unknown-target"]),
    ("layerctl init --template t", ["table", "text", "timeseries"]),
    ("layerctl runs --sort e", ["epochs"]),
    ("layerctl eval runs/flowers --threshold y", ["youden"]),
    ("layerctl predict runs/flowers --layer k", ["kinds"]),
    ("layerctl predict runs/flowers --layer ", ["hidden", "kinds"]),
    ("layerctl train flowers.yaml --set fit.", ["fit.batch_size=30", "fit.epochs=1"]),
    ("layerctl build flowers.yaml --set model.hidden.Dense.u", ["model.hidden.Dense.units=4"]),
])  # fmt: skip
def test_what_is_offered_by_what_there_is(shell, trained, line, answer):
    assert sorted(offered(shell, trained, line)) == answer


def test_where_nothing_is_known_the_shell_offers_files(folder):
    assert offered("bash", folder, "layerctl train configs/wine.yml --set fit") == [], "a file that cannot be read offers nothing, and says nothing"
    assert offered("bash", folder, "layerctl train conf") == [] and offered("bash", folder, "layerctl predict runs/iris conf") == []
    assert "complete -o default" in (folder / "completion.bash").read_text()


def test_a_tab_in_a_real_bash(folder):
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environment(folder))
    seen = b""

    def until(pattern):
        nonlocal seen
        end = time.monotonic() + 240
        while not re.search(pattern, seen) and time.monotonic() < end:
            if select.select([terminal], [], [], 0.2)[0]:
                seen += os.read(terminal, 4096)
        assert re.search(pattern, seen), seen

    try:
        os.write(terminal, b"source completion.bash && echo ready-$((40 + 2))\n")
        until(rb"ready-42")
        os.write(terminal, b"layerctl insp\t")
        until(rb"layerctl inspect ")
        os.write(terminal, b"runs/ir\t")
        until(rb"inspect runs/iris ")
    finally:
        os.write(terminal, b"\x03\x04")
        os.close(terminal)
        os.waitpid(process, 0)
