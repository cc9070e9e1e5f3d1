"""A page for every code, and no page without one; examples and documentation as they would be written anew."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from layerctl.catalogue import CATALOGUES
from layerctl.commands import explain
from layerctl.configured import singular

ROOT = Path(__file__).parents[2]
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
SINGLE = {"shape", "cycle", "usage"}
REPORTS = {"fail", "error", "warn", "Diagnostic"}
"""What takes a code of one word; codes of several words are recognised wherever they are handed on."""
ENCODINGS = {"encode", "decode", "read_text", "write_text"}
NO_CODES = {"utf-8", "utf-8-sig", "latin-1", "self-test", "e-0", "x86-64-v3", "tune-begin", "layerctl-reader"}


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "layerctl", *arguments], capture_output=True, text=True, timeout=120, env={**os.environ, "GITHUB_ACTIONS": ""})


def texts(node):
    """The texts that an argument may be; what is computed in one is {}."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [*texts(node.body), *texts(node.orelse)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)]
    return []


def codes_in(source):
    """(codes, forms of codes) that are handed to a function in a Python text."""
    codes, forms = set(), set()
    tree = ast.parse(source)
    for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
        names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
        for name, default in zip(names[len(names) - len(function.args.defaults) :], function.args.defaults, strict=True):
            codes |= {t for t in texts(default) if name == "code" and SLUG.fullmatch(t)}
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        for text in (t for a in (*call.args, *(k.value for k in call.keywords)) for t in texts(a)):
            several = SLUG.fullmatch(text) and text not in NO_CODES and name not in ENCODINGS
            if several or (name in REPORTS and text in SINGLE):
                codes.add(text)
            elif name in REPORTS and "{}" in text and SLUG.fullmatch(text.replace("{}", "x")):
                forms.add(text)
    return codes, forms


def codes_of_the_source():
    codes, forms = set(), set()
    for path in (ROOT / "src" / "layerctl").rglob("*.py"):
        found = codes_in(path.read_text(encoding="utf-8"))
        codes |= found[0]
        forms |= found[1]
    return codes, forms


def test_every_code_has_a_page_and_every_page_a_code():
    codes, forms = codes_of_the_source()
    assert forms == {"unknown-{}"}, "a code that is computed: say here what it can be"
    codes |= {f"unknown-{singular(kind)}" for kind in CATALOGUES}
    pages = set(explain.explanations())
    assert codes - pages == set(), "write their pages in src/layerctl/commands/codes/*.md"
    assert pages - codes == set(), "no message has these codes"


def test_a_code_without_a_page_is_noticed():
    text = 'fail("no-such-code", "m")\nproblems.error(f"odd-{kind}", "m")\nself._stop("a-b" if x else "c-d", "m")\n'
    text += 'fail("cycle", "m")\nget("shape")\ndef f(code="e-f"): ...\n'
    assert codes_in(text) == ({"no-such-code", "a-b", "c-d", "e-f", "cycle"}, {"odd-{}"})


def test_pages_say_what_and_how():
    for page in explain.explanations().values():
        assert (page.means and page.cure and page.cure[0].islower()) or page.cure.startswith(("`", "LAYERCTL")), page.code
        assert len(page.summary) < 200 and page.summary.endswith((".", ":")), page.code
    assert len([p for p in explain.explanations().values() if p.example is not None]) >= 100


def test_the_corpus_has_no_code_without_a_page():
    said = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests" / "failing").glob("*/*/expected.txt"))
    found = set(re.findall(r"(?:error|warning): .* \[([a-z0-9-]+)\]$", said, re.MULTILINE))
    assert found <= set(explain.explanations())


def test_examples_and_documentation_have_not_drifted():
    again = "python -m layerctl.commands.explain tests/failing docs"
    assert explain.EXAMPLES.read_text(encoding="utf-8") == explain.dumped(explain.gathered(ROOT / "tests" / "failing")), again
    assert (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8") == explain.markdown(), again


@pytest.mark.parametrize("code", ["yaml-tab", "[yaml-tab]"])
def test_the_page_of_a_code(code):
    done = run("explain", code)
    assert done.returncode == 0 and done.stdout.startswith("yaml-tab\n\nYAML takes no tabs")
    assert "example:" in done.stdout and "$ layerctl build model.yaml" in done.stdout and "error: a tab in the indentation" in done.stdout


def test_the_list_and_json():
    listed = run("explain").stdout
    assert all(f"  {code} " in listed for code in explain.explanations())
    lines = [json.loads(line) for line in run("explain", "--json").stdout.splitlines()]
    assert [line["code"] for line in lines] == list(explain.explanations())
    assert json.loads(run("explain", "shape", "--json").stdout)["example"]["command"].startswith("layerctl ")


def test_an_unknown_code_is_answered():
    done = run("explain", "yaml-tabs")
    assert done.returncode == 2 and "did you mean 'yaml-tab'? [unknown-code]" in done.stderr
