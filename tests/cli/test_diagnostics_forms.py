"""`--diagnostics text|json|github|sarif`: what is on which stream, and that a SARIF log is one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import pytest

from layerctl.cli.sarif import log
from layerctl.diagnostics import Diagnostic, Note, Source, Span

WRONG = "layerctl: 1\nmodel:\n  - Input: [4]\n  - Dense: {unit: 3}\n  - Dense: 0\n    name: a\ncompile: {loss: mse, lr: 1}\n"
RIGHT = "layerctl: 1\nmodel:\n  - Input: [4]\n  - Dense: 3\n"

PLACE = {
    "type": "object", "required": ["physicalLocation"],
    "properties": {
        "message": {"type": "object", "required": ["text"]},
        "physicalLocation": {
            "type": "object", "required": ["artifactLocation"], "additionalProperties": False,
            "properties": {
                "artifactLocation": {"type": "object", "required": ["uri"], "properties": {"uri": {"type": "string", "format": "uri-reference"}}},
                "region": {"type": "object", "additionalProperties": False, "required": ["startLine", "startColumn"],
                           "properties": {k: {"type": "integer", "minimum": 1} for k in ("startLine", "startColumn", "endLine", "endColumn")}},
            },
        },
    },
}  # fmt: skip
TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
SARIF = {  # what SARIF 2.1.0 requires of a log, its runs, rules and results (sections 3.13, 3.14, 3.18, 3.19, 3.27, 3.28, 3.29, 3.30, 3.49)
    "type": "object", "required": ["version", "runs", "$schema"], "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"}, "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "items": {
            "type": "object", "required": ["tool", "results"], "additionalProperties": False,
            "properties": {
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "tool": {"type": "object", "required": ["driver"], "properties": {"driver": {
                    "type": "object", "required": ["name", "version"],
                    "properties": {"semanticVersion": {"type": "string", "pattern": r"^\d+\.\d+\.\d+"},
                        "rules": {"type": "array", "uniqueItems": True, "items": {
                        "type": "object", "required": ["id"], "additionalProperties": False,
                        "properties": {"id": {"type": "string"}, "shortDescription": TEXT, "fullDescription": TEXT, "help": TEXT}}}},
                }}},
                "results": {"type": "array", "items": {
                    "type": "object", "required": ["message", "ruleId", "level"], "additionalProperties": False,
                    "properties": {
                        "ruleId": {"type": "string"}, "ruleIndex": {"type": "integer", "minimum": 0}, "level": {"enum": ["none", "note", "warning", "error"]},
                        "message": TEXT, "locations": {"type": "array", "items": PLACE}, "relatedLocations": {"type": "array", "items": PLACE},
                        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
                    },
                }},
            },
        }},
    },
}  # fmt: skip


def checked(document):
    """A log that has all that SARIF requires, and whose results point at their rules."""
    jsonschema.Draft7Validator(SARIF).validate(document)
    (run,) = document["runs"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        for place in result.get("locations", ()):
            uri = urlsplit(place["physicalLocation"]["artifactLocation"]["uri"])
            assert " " not in uri.path and uri.scheme in ("", "file")
    return run


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "wrong.yaml").write_text(WRONG)
    (tmp_path / "right.yaml").write_text(RIGHT)
    return tmp_path


def run(folder, *arguments, **environment):
    command = [sys.executable, "-m", "layerctl", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env={**os.environ, "GITHUB_ACTIONS": "", **environment})


@pytest.mark.parametrize("command", [["build"], ["train"], ["render"], ["eval"]])
def test_a_sarif_log_on_standard_output(folder, command):
    done = run(folder, *command, "wrong.yaml", "--diagnostics", "sarif")
    assert done.returncode == 2 and done.stderr == ""
    log = checked(json.loads(done.stdout))
    if command == ["eval"]:
        assert [r["ruleId"] for r in log["results"]] == ["no-model"]
        return
    there = [(r["ruleId"], r["locations"][0]["physicalLocation"]["region"]["startLine"]) for r in log["results"]]
    assert there == [("unknown-argument", 4), ("out-of-range", 5), ("unknown-key", 7)]
    assert log["results"][0]["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "wrong.yaml"}, "region": {"startLine": 4, "startColumn": 13, "endLine": 4, "endColumn": 17},
    }  # fmt: skip
    assert log["tool"]["driver"]["rules"][0]["help"]["text"].startswith("take the name")


def test_a_file_without_mistakes_has_an_empty_log_and_its_table_elsewhere(folder):
    done = run(folder, "build", "right.yaml", "--diagnostics", "sarif")
    assert done.returncode == 0 and "Dense" in done.stderr
    assert checked(json.loads(done.stdout))["results"] == []
    done = run(folder, "build", "right.yaml", "--diagnostics", "json")
    assert (done.returncode, done.stdout) == (0, "") and "Dense" in done.stderr


def test_what_a_log_says_of_places_notes_and_odd_names():
    file, option = Source("a folder/ä#.yaml", "x: 1\n"), Source("--set", "x")
    found = [
        Diagnostic("shape", "m", Span(file, 1, 1, 1, 2), (Note("from here", Span(file, 1, 4, 1, 5)), Note("no place")), "a hint", "warning"),
        Diagnostic("file-empty", "m", Span(file)), Diagnostic("override-path", "m", Span(option, 1, 1, 1, 2)), Diagnostic("usage", "m"),
    ]  # fmt: skip
    made = checked(log(found))
    first, second, third, last = made["results"]
    assert first["level"] == "warning" and first["message"]["text"] == "m\nhint: a hint" and len(first["relatedLocations"]) == 1
    assert first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20folder/%C3%A4%23.yaml"
    assert second["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "a%20folder/%C3%A4%23.yaml"}}}]
    assert "locations" not in third and "locations" not in last


def test_fingerprints_stay_when_lines_come_and_go(folder):
    before = checked(json.loads(run(folder, "build", "wrong.yaml", "--diagnostics", "sarif").stdout))
    (folder / "wrong.yaml").write_text("# a comment\n\n" + WRONG)
    after = checked(json.loads(run(folder, "build", "wrong.yaml", "--diagnostics", "sarif").stdout))
    assert [r["partialFingerprints"] for r in before["results"]] == [r["partialFingerprints"] for r in after["results"]]


def test_json_and_github(folder):
    done = run(folder, "build", "wrong.yaml", "--diagnostics", "json")
    assert done.returncode == 2 and done.stderr == ""
    assert [json.loads(line)["code"] for line in done.stdout.splitlines()] == ["unknown-argument", "out-of-range", "unknown-key"]
    done = run(folder, "build", "wrong.yaml", "--diagnostics", "github")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines()[0].startswith("::error file=wrong.yaml,line=4,col=13,endLine=4,endColumn=17,title=unknown-argument::Dense has no argument")
    assert len(done.stderr.splitlines()) == 3
    text = run(folder, "build", "wrong.yaml")
    assert run(folder, "build", "wrong.yaml", "--diagnostics", "text").stderr == text.stderr
    both = run(folder, "build", "wrong.yaml", GITHUB_ACTIONS="true").stderr
    assert both.startswith(text.stderr) and both.count("::error ") == 3


def test_mistakes_on_the_command_line_too(folder):
    done = run(folder, "build", "right.yaml", "--diagnostics", "xml")
    assert done.returncode == 2 and "--diagnostics takes text, json, github, sarif, got 'xml' [bad-option]" in done.stderr
    done = run(folder, "build", "right.yaml", "--diagnostics", "sarif", "--set", "fit.epochs")
    assert [r["ruleId"] for r in checked(json.loads(done.stdout))["results"]] == ["override-syntax"]
    done = run(folder, "build", "right.yaml", "--diagnostics", "sarif", "--nonsense")
    assert [r["ruleId"] for r in checked(json.loads(done.stdout))["results"]] == ["usage"]


def test_orders_to_a_terminal_in_names_and_data_are_only_shown(folder):
    """A diagnostic stays one line, which is what editors' and CI's matchers read."""
    source = Source("odd\n\x1b[31mname.csv", "x,\x1b]0;title\x07y\n")
    text = Diagnostic("c", "'\x9b2J\u202e' is no name", Span(source, 1, 3), (Note("see\r", Span(source)),), "write\x00it").render()
    assert text.split("\n") == [
        r"odd\n\x1b[31mname.csv:1:3: error: '\x9b2J\u202e' is no name [c]", "  1 │ x,\ufffd]0;title\ufffdy", "    │   ^^^^^^^^^^^",
        r"odd\n\x1b[31mname.csv: note: see\r", r"  hint: write\x00it",
    ]  # fmt: skip


def test_a_reader_that_has_left(folder):
    command = f"{sys.executable} -m layerctl build right.yaml --diagnostics sarif | true"
    done = subprocess.run(["bash", "-c", command], cwd=Path(folder), capture_output=True, text=True, timeout=120, env=dict(os.environ))
    assert "Traceback" not in done.stderr
