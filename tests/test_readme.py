"""What the README draws and tells is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from domain import timeline
from domain.config import read_config
from domain.models import Outcome, ReleaseRequest
from scripts.setup import NEEDED_SPACE, OLDEST_NODE, OLDEST_PYTHON, TRIED_PYTHONS
from tests import drawing
from tests.drawing import README

ROOT = Path(__file__).parents[1]


def drawn(begin: str) -> list[str]:
    """The first line of each node whose shape begins so."""
    return re.findall(rf'{re.escape(begin)}"([^"<]+)', drawing.source())


def stages_of_the_sample() -> set[str]:
    """Every stage that a release of the sample repository goes through."""
    config = read_config((ROOT / "samples" / "helpdesk" / "drawbridge.yaml").read_text(encoding="utf-8"))
    request = ReleaseRequest("acme/helpdesk", "a" * 40, "b" * 40, "main", "sam", "d-1")
    record = timeline.open_record("release-1", request, "2026-01-01T00:00:00Z")
    return {stage.name for stage in timeline.plan_stages(record, config).stages}


def test_the_picture_shows_every_stage_and_no_other():
    """Whoever adds a stage to a release draws it."""
    shown = [name for name in drawn("[") if name not in drawn("([")]

    assert len(shown) == len(set(shown))
    assert set(shown) == stages_of_the_sample() | {timeline.OVERRIDE}  # only there when it is needed


def test_the_picture_shows_every_end_and_no_other():
    """A release ends in one of these ways; the push is where it begins."""
    ends = {outcome.value for outcome in Outcome if outcome is not Outcome.RUNNING}

    assert set(drawn("([")) - {"a push to main"} == ends


def test_everything_drawn_is_connected():
    """Each node but the first has an arrow that leads to it."""
    reached = {end for _, end in drawing.edges()}

    assert set(drawing.nodes().values()) - reached == {"a push to main"}


def test_a_release_may_fail_or_be_called_off_wherever_it_is():
    """In every other way it ends at certain stages only; the tests of its story hold each end to the picture."""
    kinds = {drawing.kind(stage) for stage in stages_of_the_sample() | {timeline.OVERRIDE}}
    people, lanes = {"approve"}, {"approve", "deploy", timeline.OVERRIDE}

    assert drawing.ends() == {
        *((stage, end) for stage in kinds for end in ("failed", "cancelled")),
        *((stage, end) for stage in people for end in ("rejected", "expired")),
        *((stage, "superseded") for stage in lanes),
        ("deploy", "released"),
    }


def test_end_that_nobody_drew_is_noticed():
    """A story that ended so in a test would fail there."""
    config = read_config((ROOT / "samples" / "helpdesk" / "drawbridge.yaml").read_text(encoding="utf-8"))
    request = ReleaseRequest("acme/helpdesk", "a" * 40, "b" * 40, "main", "sam", "d-1")
    record = timeline.plan_stages(timeline.open_record("release-1", request, "2026-01-01T00:00:00Z"), config)
    ended = timeline.close(record, Outcome.EXPIRED, "Nobody came.", "2026-01-02T00:00:00Z")

    with pytest.raises(AssertionError, match=r"no arrow for \('prepare', 'expired'\): Nobody came"):
        drawing.check_end(ended)


def test_the_commands_shown_exist():
    """Every `make something` in README and docs is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    pages = [README, *(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))]
    shown = {name for text in pages for name in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)}

    assert {"demo", "test", "up", "setup", "lint", "bench", "preview"} <= shown
    assert shown <= targets


def test_ci_runs_what_the_readme_gives():
    """The test command of the README is the one that every change has to pass."""
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert re.findall(r"^make (\w+)$", ci, re.MULTILINE) == ["lint", "test"]
    assert "\nmake test " in README
    assert "`make lint`" in README


def test_the_requirements_are_those_the_set_up_checks():
    """Versions stand in one place in code and are told in one place."""
    oldest = ".".join(map(str, OLDEST_PYTHON))
    tried = ", ".join(".".join(map(str, version)) for version in TRIED_PYTHONS)

    assert f"Python {oldest} or newer (tried: {tried})" in README
    assert f"Node.js {OLDEST_NODE} or newer" in README
    assert f"{NEEDED_SPACE // 10**9} GB of disk" in README


def test_the_map_has_every_directory_of_code():
    """A newcomer finds each package in the table."""
    packages = {file.parent.name for file in ROOT.glob("*/__init__.py")}
    rows = re.findall(r"^\| (`.+?) \|", README, re.MULTILINE)
    listed = {name.rstrip("/") for row in rows for name in re.findall(r"`([\w.]+/?)`", row)}

    assert packages | {"tests", "samples", "scripts"} <= listed | {"samples"}
    assert "`samples/helpdesk/`" in README


def test_pictures_are_small():
    """The repository stays quick to clone: below 200 KB each."""
    sizes = {file.name: file.stat().st_size for file in (ROOT / "docs" / "images").iterdir()}

    assert set(sizes) == set(re.findall(r"docs/images/([\w.-]+)", README))
    assert {name for name, size in sizes.items() if size >= 200_000} == set()
