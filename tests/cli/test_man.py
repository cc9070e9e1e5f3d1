"""Man pages and completion scripts: complete, without a warning, and part of the installation."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from typer.main import get_command

from layerctl.cli.app import app
from layerctl.cli.man import ENVIRONMENT, SCRIPTS, pages, write
from layerctl.diagnostics import ExitCode

ROOT = Path(__file__).parents[2]
COMMANDS = get_command(app).commands
CHECKERS = {"groff": ["-man", "-Tutf8", "-ww"], "mandoc": ["-T", "lint", "-W", "error"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("share")
    done = subprocess.run([sys.executable, "-m", "layerctl.cli.man", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == len(COMMANDS) + 1 + len(SCRIPTS), done.stderr
    return folder


def test_each_command_has_a_page_with_all_its_options():
    found = pages()
    assert set(found) == {"layerctl.1", *(f"layerctl-{n}.1" for n in COMMANDS)}
    for name, command in COMMANDS.items():
        text = found[f"layerctl-{name}.1"].replace("\\-", "-")
        for p in command.params:
            if p.param_type_name == "argument":
                assert (p.metavar or p.name).strip("[].") in text
                continue
            assert all(f"\\fB{o}\\fR" in text for o in p.opts)
            assert p.is_flag or p.metavar or p.min is not None, f"{name} {p.name}: its value has no name, and is no whole number"
        assert all(f".B {w}" in text for w in ("0", "130 and 143")) and f".BR layerctl-{name} (1)" in found["layerctl.1"].replace("\\-", "-") + text


def test_every_exit_code_is_told():
    told = {int(n) for n in re.findall(r"^\.B (\d+)| and (\d+)$", pages()["layerctl.1"], re.M) for n in n if n}
    assert told == {int(code) for code in ExitCode}


def test_the_environment_is_what_the_sources_read():
    sources = "\n".join(p.read_text() for p in (ROOT / "src").rglob("*.py") if p.name != "man.py")
    read = set(re.findall(r"""(?:environ(?:\.get)?[(\[]|getenv\(|ENVIRONMENT = )["']([A-Z_]+)["']""", sources))
    assert {v for v in read if v.startswith("LAYERCTL")} <= set(ENVIRONMENT) and set(ENVIRONMENT) <= read


@pytest.mark.parametrize("checker", [c for c in CHECKERS if shutil.which(c)])
def test_no_page_has_a_mistake(checker, folder):
    for page in sorted((folder / "man" / "man1").glob("*.1")):
        done = subprocess.run([checker, *CHECKERS[checker], str(page)], capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr == "", (page.name, done.stdout if checker == "mandoc" else "", done.stderr)


def test_no_line_is_taken_for_a_command_by_mistake():
    known = {".TH", ".SH", ".TP", ".B", ".I", ".BR"}
    for name, text in pages().items():
        for line in text.splitlines():
            assert not line.startswith("'") and (not line.startswith(".") or line.split()[0] in known), (name, line)


def test_the_scripts_are_those_that_the_command_shows(folder):
    for shell, place in SCRIPTS.items():
        shown = subprocess.run([sys.executable, "-m", "layerctl", "--show-completion", shell], capture_output=True, text=True, check=True).stdout
        assert (folder / place).read_text().startswith(shown.rstrip())


def test_the_hook_of_the_build_adds_them_to_a_wheel(tmp_path, monkeypatch):
    monkeypatch.setenv("LAYERCTL_LOWER", "")  # tests/kernels/test_lowered.py has its kernels
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert wanted["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["path"] == "hatch_build.py"
    assert any(r.startswith("typer") for r in wanted["build-system"]["requires"])
    next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    (wheel,) = tmp_path.glob("*.whl")
    inside = {n.split(".data/data/share/")[1] for n in zipfile.ZipFile(wheel).namelist() if ".data/data/share/" in n}
    assert inside == {str(p.relative_to(tmp_path / "share")) for p in write(tmp_path / "share")}
