"""The pages of docs/tutorials and docs/how-to do what they say: their files are written, their commands run, what is shown is compared.

A file is a fenced block under a line that is its name in backticks and a colon. A block `console` has commands after `$ ` (`> ` goes on with
one) and below each what the terminal shows, both streams together: `…` stands for anything in a line, and for any lines where it stands
alone; a number with one or two digits behind its point (a time, a size) for any such number. A command that ends in `# exits 2` has that
exit code, every other 0.
"""

import re
import subprocess
from pathlib import Path

import pytest
from shell import with_command

ROOT = Path(__file__).parents[2]
PAGES = sorted(p for folder in ("tutorials", "how-to") for p in (ROOT / "docs" / folder).glob("*.md"))
PART = re.compile(r"^`(?P<name>[\w./-]+)`:\n\n```\w*\n(?P<text>.*?)^```$|^```console\n(?P<console>.*?)^```$", re.M | re.S)
NUMBER = r"(?<![\d.])\d[\d,]*\.\d{1,2}(?![\d.e])"
LEFT_OUT = ("compiling ",)
"""Lines that only a machine's first run shows."""


def steps(page):
    """(file name, text) and (None, [(command, shown), ...]) in the page's order."""
    for found in PART.finditer(page.read_text()):
        if found["name"]:
            yield found["name"], found["text"]
        else:
            yield None, commands(found["console"])


def commands(block):
    out = []
    for line in block.splitlines():
        if line.startswith("$ "):
            out.append([line[2:], []])
        elif line.startswith("> ") and not out[-1][1]:
            out[-1][0] += f"\n{line[2:]}"
        else:
            out[-1][1].append(line)
    return [(command, shown) for command, shown in out]


def pattern(shown):
    """What is shown as a regular expression."""
    lines = []
    for line in shown:
        if line.strip() == "…":
            lines.append(r"(?:.*\n)*?")
            continue
        parts = re.split(f"(…|{NUMBER})", line.rstrip())
        lines.append("".join(".*" if p == "…" else NUMBER if re.fullmatch(NUMBER, p) else re.escape(p) for p in parts) + r"[ ]*\n")
    return re.compile("".join(lines))


def seen(text):
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines() if not line.startswith(LEFT_OUT)).replace("\n\n\n", "\n\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_page_does_what_it_says(page, tmp_path):
    environment = with_command(tmp_path / "path")
    work = tmp_path / "work"
    work.mkdir()
    ran = 0
    for name, what in steps(page):
        if name:
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_text(what)
            continue
        for command, shown in what:
            wanted = re.search(r"# exits (\d+)$", command)
            done = subprocess.run(["bash", "-c", command], cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  timeout=300)  # fmt: skip
            assert done.returncode == (int(wanted[1]) if wanted else 0), f"{command}\n{done.stdout}"
            if shown:
                said = seen(done.stdout)
                assert pattern(shown).fullmatch(said), "\n".join([command, "--- shown on the page", *shown, "--- seen", said])
            ran += 1
    assert ran >= 3


def test_a_wrong_page_is_noticed():
    assert pattern(["a 1.5 …", "…", "end"]).fullmatch("a 2.25 b\nmore\nlines\nend\n")
    assert pattern(["a 1.555 b"]).fullmatch("a 1.555 b\n") and not pattern(["a 1.555 b"]).fullmatch("a 1.556 b\n")
    assert not pattern(["a 1.5"]).fullmatch("b 1.5\n") and not pattern(["a 1.5"]).fullmatch("a 1\n") and not pattern(["a"]).fullmatch("a\nb\n")


def test_every_block_of_these_pages_is_run_or_is_a_file():
    for page in PAGES:
        text = page.read_text()
        fences = re.findall(r"^```(\w*)\n", text, re.M)
        opened = [f for f in fences[0::1] if f]
        assert len(opened) == len(list(PART.finditer(text))), f"{page.name}: a block that is no file and no console"


def test_the_first_page_and_its_picture_show_a_run(tmp_path):
    """What README and docs/run.svg show of the quickstart's training, but for its times."""
    run = subprocess.run(["layerctl", "train", str(ROOT / "configs/digits.yaml")], cwd=tmp_path, env=with_command(tmp_path / "path"),
                         capture_output=True, text=True, check=True, timeout=300)  # fmt: skip
    said = {re.sub(NUMBER + " s", "# s", line) for line in (run.stdout + run.stderr).splitlines()}
    drawn = "\n".join(re.findall(r">([^<]+)</text>", (ROOT / "docs/run.svg").read_text())).replace("&#160;", " ")
    for page in ((ROOT / "README.md").read_text(), drawn):
        shown = re.findall(r"^ *((?:epoch|training|test:|\d+ epochs) .*)$", page, re.M)
        assert len(shown) > 5
        assert {re.sub(NUMBER + " s", "# s", line.strip()) for line in shown} <= said
