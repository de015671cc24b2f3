"""Links in the documentation lead somewhere, and the files it names exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "samples").rglob("README.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

# Made by a command that the text gives, and not in every checkout.
MADE = {"preview/", "devhost/azurite/node_modules/.bin/azurite-blob"}


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[str]:
    """The targets of all links and pictures that stay in this repository."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


@cache
def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def paths(page: Path) -> list[str]:
    """Everything in backticks that looks like a path of this repository: it begins with one of its directories."""
    tops = {entry.name for entry in ROOT.iterdir() if entry.is_dir() and not entry.name.startswith(".")}
    spans = re.findall(r"`([^`\n]+)`", prose(page))
    return [
        span
        for span in spans
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)*/?", span) and span.split("/")[0] in tops and "/" in span
    ]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_resolve(page: Path):
    """Each relative link is a file here, and its anchor a heading there."""
    for target in links(page):
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page

        assert file.exists(), f"{target} leads nowhere"
        assert not anchor or anchor in anchors(file), f"{target} has no such heading"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_files_named_exist(page: Path):
    """Who follows a name in backticks finds the file."""
    root = page.parent if "samples" in page.parts else ROOT
    missing = [path for path in paths(page) if path not in MADE and not (root / path).exists()]

    assert missing == []


def test_every_page_is_linked():
    """From the README, one can click through to every page."""
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        targets = {(page.parent / target.partition("#")[0]).resolve() for target in links(page)}
        waiting += [
            target for target in targets if target.suffix == ".md" and target.exists() and target not in reached
        ]

    assert [name for name, page in zip(NAMES, PAGES, strict=True) if "docs" in page.parts and page not in reached] == []
