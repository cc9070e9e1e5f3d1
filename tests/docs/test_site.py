"""The site builds without a warning, links lead somewhere, and nothing on it needs a network."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.main import get_command

from layerctl.cli.app import app
from layerctl.commands.layers import KINDS, pages
from layerctl.configured import singular

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(ROOT / "mkdocs.yml"), "--site-dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


class _Loaded(HTMLParser):
    """What a page loads, and where it links to."""

    def __init__(self):
        super().__init__()
        self.loads, self.links = [], []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag in ("script", "img", "iframe", "source", "video", "audio") and found.get("src"):
            self.loads.append(found["src"])
        elif tag == "link" and found.get("rel") not in ("canonical", "next", "prev"):
            self.loads.append(found["href"])
        elif tag == "a" and found.get("href"):
            self.links.append(found["href"])


def test_everything_that_a_page_loads_is_part_of_the_site(site):
    found = 0
    for page in site.rglob("*.html"):
        seen = _Loaded()
        seen.feed(page.read_text())
        for place in [*seen.loads, *(x for x in seen.links if not re.match(r"[a-z]+:|#|$", x))]:
            assert not re.match(r"[a-z]+:|//", place), (page.name, place)
            target = (site / place.lstrip("/") if place.startswith("/") else page.parent / place.split("#")[0].split("?")[0]).resolve()
            assert target.exists(), (page.name, place)
            found += 1
    assert found > 1000
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet.read_text()), sheet.name


def test_the_reference_has_each_name_and_each_command(site):
    for kind in KINDS:
        for page in pages((kind,)):
            assert (site / "reference" / f"{singular(kind)}-{page.name}.html").exists(), page.name
    text = (site / "reference" / "commands.html").read_text()
    for name, command in get_command(app).commands.items():
        assert f'id="{name}"' in text
        assert all(f"<code>{o}" in text for p in command.params if p.param_type_name == "option" for o in p.opts)


def test_each_page_of_the_folder_is_in_the_navigation(site):
    index = _Loaded()
    index.feed((site / "index.html").read_text())
    for page in (ROOT / "docs").rglob("*.md"):
        place = str(page.relative_to(ROOT / "docs").with_suffix(".html"))
        assert place in index.links, place


def test_a_link_that_leads_nowhere_is_noticed(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[gone](gone.md)\n")
    (tmp_path / "mkdocs.yml").write_text((ROOT / "mkdocs.yml").read_text().replace("hooks: [docs/hooks.py]\n", ""))
    done = subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "out")], cwd=tmp_path, capture_output=True)
    assert done.returncode == 1
