"""Stages as check runs, written by an App against the double: native, complete, and never green by mistake."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from adapters.github import GitHub
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from domain.errors import Unavailable
from domain.messages_github import EVALUATE_FULLY
from domain.outbox import Annotation, Status, Told, Written
from tests.adapters.apps import APP, key_pair

AT = "2027-01-15T08:00:00Z"
GREEN = {"success", "neutral", "skipped"}  # conclusions that GitHub counts as passing
_numbers = itertools.count(1)


@dataclass
class World:
    """A repository with one commit, and an App on it."""

    double: Client
    github: GitHub
    repository: str
    sha: str
    writes: int = 0

    def tell(self, message: Status, told: Told | None = None) -> Written:
        """Deliver a message."""
        return self.github.deliver(message, told, self._spend)

    def _spend(self) -> None:
        self.writes += 1

    def status(self, state: str, stage: str = "validate", **fields: Any) -> Status:
        """A stage of the commit."""
        context, url = f"drawbridge/{stage}", "https://drawbridge.example/api/releases/r"
        made = Status(self.repository, self.sha, context, state, f"it is {state}", url, external_id="r", at=AT)
        return replace(made, **fields)

    def runs(self) -> list[dict[str, Any]]:
        """Return the newest check run of each name."""
        return list(self.double.commit(self.repository, self.sha)["check_runs"])


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, GitHub]]:
    private, public = key_pair()
    access = Access(app_id=APP, app_public_key=public)
    with running(Options(tmp_path_factory.mktemp("github"), access=access)) as origin:
        yield Client(origin), GitHub(origin, app_id=APP, app_key=private)


@pytest.fixture
def world(app: tuple[Client, GitHub]) -> Iterator[World]:
    double, github = app
    repository = f"contoso/marks{next(_numbers)}"
    yield World(double, github, repository, double.create_repository(repository)["heads"]["main"])
    double.clear_faults()


def test_stage_is_one_check_run_with_words_and_links(world: World) -> None:
    """It goes on and ends in place; its summary is Markdown, its link leads to the details."""
    begun = world.tell(world.status("running", summary="**evaluating**"))
    ended = world.tell(world.status("passed", summary="f1 **0.61**"), Told(AT, "", begun.id, begun.url))

    (run,) = world.runs()
    assert (begun.id, begun.in_progress) == (run["id"], True)
    assert (ended.id, ended.in_progress) == (run["id"], False)
    assert (run["name"], run["external_id"]) == ("drawbridge/validate", "r")
    assert (run["status"], run["conclusion"]) == ("completed", "success")
    assert (run["output"]["title"], run["output"]["summary"]) == ("it is passed", "f1 **0.61**")
    assert run["details_url"] == "https://drawbridge.example/api/releases/r"
    assert run["app"]["slug"] == "drawbridge"
    assert world.writes == 2


@pytest.mark.parametrize(
    ("state", "status", "conclusion"),
    [
        ("waiting", "in_progress", None),
        ("running", "in_progress", None),
        ("passed", "completed", "success"),
        ("failed", "completed", "failure"),
        ("inconclusive", "completed", "action_required"),
        ("skipped", "completed", "action_required"),
        ("rejected", "completed", "failure"),
        ("expired", "completed", "timed_out"),
        ("superseded", "completed", "cancelled"),
        ("cancelled", "completed", "cancelled"),
    ],
)
def test_only_what_passed_is_green(world: World, state: str, status: str, conclusion: str | None) -> None:
    """What was skipped least of all."""
    world.tell(world.status(state))

    (run,) = world.runs()
    assert (run["status"], run["conclusion"]) == (status, conclusion)
    assert (run["conclusion"] in GREEN) == (state == "passed")


@pytest.mark.parametrize("stage", ["approve-prod", "override"])
def test_question_to_people_is_never_in_progress(world: World, stage: str) -> None:
    """It may stay open for weeks, and GitHub gives up on what is in progress for 14 days."""
    written = world.tell(world.status("waiting", stage))

    (run,) = world.runs()
    assert (run["status"], run["conclusion"]) == ("completed", "action_required")
    assert not written.in_progress


def test_decision_follows_its_question_in_place(world: World) -> None:
    """One check run for both."""
    for state in ("waiting", "passed"):
        world.tell(world.status(state, "approve-prod"))

    runs = [run["conclusion"] for run in world.runs()]
    assert runs == ["success"]
    assert world.writes == 2


def test_stage_that_was_forgotten_is_found_again(world: World) -> None:
    """A process may end between writing it and remembering it; nothing is written twice."""
    for _ in range(2):
        world.tell(world.status("failed", annotations=(Annotation("app.py", 3, "unused"),)))

    (run,) = world.runs()
    assert len(run["annotations"]) == 1
    assert world.writes == 1


def test_stage_that_runs_again_gets_a_check_run_of_its_own(world: World) -> None:
    """A label was taken off after the merge: the full evaluation runs after all."""
    skipped = world.tell(world.status("skipped", "evaluate-full"))
    again = world.tell(world.status("running", "evaluate-full"), Told(AT, "", skipped.id, ""))

    (run,) = world.runs()
    assert again.id == run["id"] != skipped.id
    assert run["status"] == "in_progress"


def test_other_attempt_gets_a_check_run_of_its_own(world: World) -> None:
    """Somebody pressed Re-run: what the first attempt came to stays readable."""
    first = world.tell(world.status("failed", external_id="change-1"))
    second = world.tell(world.status("passed", external_id="change-1.2"), Told(AT, "", first.id, ""))

    (run,) = world.runs()
    assert second.id == run["id"] != first.id


def test_check_of_another_app_is_left_alone(world: World) -> None:
    """Although it has the same name."""
    world.double.report_check(world.repository, world.sha, "drawbridge/validate", "success", app="ci")
    world.tell(world.status("failed"))

    runs = sorted((run["app"]["slug"], run["conclusion"]) for run in world.runs())
    assert runs == [("ci", "success"), ("drawbridge", "failure")]


def remarks(count: int) -> tuple[Annotation, ...]:
    """Say something about as many lines."""
    return tuple(Annotation("data/full.jsonl", line, f"row {line} got worse") for line in range(1, count + 1))


@pytest.mark.parametrize(("count", "writes"), [(1, 1), (50, 1), (51, 2), (143, 3)])
def test_all_annotations_arrive_fifty_at_a_time(world: World, count: int, writes: int) -> None:
    """In order, each once."""
    wanted = world.status("failed", annotations=remarks(count))
    world.tell(wanted)

    (run,) = world.runs()
    assert [one["start_line"] for one in run["annotations"]] == list(range(1, count + 1))
    assert {one["annotation_level"] for one in run["annotations"]} == {"failure"}
    assert world.writes == writes == wanted.writes


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("broken", [1, 2, 3])
def test_annotations_are_complete_wherever_the_first_attempt_broke(
    world: World, broken: int, after_effect: bool
) -> None:
    """What is there is not added again."""
    wanted = world.status("failed", annotations=remarks(143))
    method = "POST" if broken == 1 else "PATCH"
    lost = {"method": method, "path_regex": "/check-runs", "status": 502, "after_effect": after_effect}
    passing = Passing(world, broken, lost)

    with pytest.raises(Unavailable):
        world.github.deliver(wanted, None, passing)
    world.double.clear_faults()
    world.tell(wanted)

    (run,) = world.runs()
    assert sorted(one["start_line"] for one in run["annotations"]) == list(range(1, 144))


@dataclass
class Passing:
    """Lets the writes before one pass, and breaks that one."""

    world: World
    number: int
    fault: dict[str, Any]

    def __call__(self) -> None:
        """Count down."""
        self.number -= 1
        if self.number == 0:
            self.world.double.fault(**self.fault)


def test_long_summary_is_cut_with_a_link_to_the_rest(world: World) -> None:
    """70,000 characters arrive as what GitHub takes."""
    world.tell(world.status("failed", summary="| row | 0.5 |\n" * 5_000))

    (run,) = world.runs()
    assert 65_000 < len(run["output"]["summary"]) <= 65_535
    assert run["output"]["summary"].endswith("[read the rest](https://drawbridge.example/api/releases/r)*")


def test_long_remark_on_a_line_is_cut(world: World) -> None:
    """At what GitHub takes, in bytes; it is known again although it is shorter there."""
    wanted = world.status("failed", annotations=(Annotation("app.py", 3, "é" * 40_000),))
    for _ in range(2):
        world.tell(wanted)

    (run,) = world.runs()
    (said,) = run["annotations"]
    assert said["message"] == f"{'é' * 32_766}…"
    assert world.writes == 1


def test_skipped_evaluation_has_a_button_and_says_by_whom(world: World) -> None:
    """Pressing it is up to people; GitHub tells us then."""
    world.tell(
        world.status("skipped", "evaluate-full", description="skipped by @alex because …", buttons=(EVALUATE_FULLY,))
    )

    (run,) = world.runs()
    assert run["output"]["title"] == "skipped by @alex because …"
    assert [(one["identifier"], one["label"]) for one in run["actions"]] == [("evaluate-full", "Evaluate fully")]
    world.double.press(world.repository, run["id"], "evaluate-full", by="sam")


def test_where_nobody_hears_of_buttons_there_are_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also none that was there before."""
    skipped = world.status("skipped", "evaluate-full", description="skipped", buttons=(EVALUATE_FULLY,))
    told = world.tell(skipped)
    monkeypatch.setattr(world.github, "_buttons", False)
    world.tell(skipped, Told(AT, "", told.id, told.url))

    (run,) = world.runs()
    assert run["actions"] == []


@pytest.mark.parametrize("lost", [{"reset": True}, {"status": 502}])
def test_lost_reply_leaves_one_check_run(world: World, lost: dict[str, Any]) -> None:
    """It is found by the release it belongs to."""
    world.double.fault(method="POST", path_regex="/check-runs$", after_effect=True, **lost)
    with pytest.raises(Unavailable):
        world.tell(world.status("running"))
    world.tell(world.status("running"))

    assert len(world.runs()) == 1
    assert world.writes == 1
