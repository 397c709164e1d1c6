"""What the documentation names exists: files, commands and scripts."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
# The changelog also names what earlier versions had.
CURRENT_PAGES = [page for page in PAGES if page.name != "CHANGELOG.md"]
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"python -m munit_tf\.(\w+)")
SCRIPT = re.compile(r"\btools/[\w/]+\.\w+")


def name(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files_of_the_repository(page):
    targets = [link.partition("#")[0] for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", CURRENT_PAGES, ids=name)
def test_commands_and_scripts_exist(page):
    text = page.read_text()
    named = [f"munit_tf/{command}.py" for command in COMMAND.findall(text)] + SCRIPT.findall(text)
    assert sorted({path for path in named if not (ROOT / path).exists()}) == []


def test_pages_are_in_the_navigation():
    navigation = re.findall(r'= "(\w+\.md)"', (ROOT / "zensical.toml").read_text())
    assert sorted(navigation) == sorted(page.name for page in (ROOT / "docs").glob("*.md"))
