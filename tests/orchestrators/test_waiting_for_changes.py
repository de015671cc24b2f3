"""Waiting for required checks, for a change that can be merged, for a look at its label."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest

from domain.git_flow import LookAtLabel
from domain.models import ChangeRequest
from orchestrators.mergeability import mergeability
from orchestrators.opt_out_preview import opt_out_preview
from orchestrators.required_checks import required_checks
from tests import samples
from tests.domain.test_changes import OLD, facts
from tests.orchestrators.stage import START, Stage
from tests.orchestrators.test_pull_request import answers

WORK = {
    "repository": samples.REPOSITORY,
    "number": 7,
    "instance": "i",
    "sha": OLD,
    "base": "develop",
    "look": 300,
    "until": (START + timedelta(hours=2)).isoformat(),
}
LOOK = asdict(LookAtLabel(ChangeRequest(samples.REPOSITORY, 7, OLD, "d"), "k-on"))
PENDING, PASSED = {"name": "ci", "state": "pending"}, {"name": "ci", "state": "passed"}
MISSING = {"name": "ci", "state": "missing"}


def wait_for_checks(*seen: Any) -> tuple[Any, Stage]:
    """Play the wait for `ci` over what each look sees."""
    stage = Stage({"look_at_checks": answers(*seen)})
    return stage.play(required_checks, {**WORK, "names": ["ci"]}), stage


def looked(*checks: Any) -> dict[str, Any]:
    """Return what a look sees."""
    return {"checks": list(checks), "over": False}


def test_checks_are_looked_at_until_they_have_passed() -> None:
    """Every few minutes."""
    result, stage = wait_for_checks(looked(MISSING), looked(PENDING), looked(PASSED))

    assert result == {"checks": [PASSED]}
    assert stage.now == START + timedelta(minutes=10)


def test_check_that_never_comes_is_given_up_at_the_end_of_its_time() -> None:
    """Across generations, so that the history stays short, and not a look later."""
    stage = Stage({"look_at_checks": lambda _: looked(MISSING)})
    until = (START + timedelta(hours=20, minutes=2)).isoformat()

    result = stage.play(required_checks, {**WORK, "names": ["ci"], "until": until})

    assert result == {"checks": [MISSING]}
    assert stage.now == START + timedelta(hours=20, minutes=2)
    assert stage.generations > 5


def test_story_that_is_over_waits_for_nothing() -> None:
    """A newer push has its own wait."""
    result, stage = wait_for_checks(looked(PENDING), {"checks": [], "over": True})

    assert result["over"] is True
    assert stage.now == START + timedelta(minutes=5)


def test_github_away_is_waited_out_as_long_as_it_says() -> None:
    """And is no missing check."""
    result, stage = wait_for_checks({"retry_after": 1200.0}, looked(PASSED))

    assert result == {"checks": [PASSED]}
    assert stage.now == START + timedelta(minutes=20)


def test_github_away_until_the_end_is_said() -> None:
    """Nobody knows what the check came to."""
    result, _ = wait_for_checks({"retry_after": 1200.0})

    assert result["error"].startswith("GitHub did not answer for too long")


def wait_to_merge(*seen: Any, known: str = "") -> tuple[Any, Stage]:
    """Play the wait for a change over what each look sees."""
    looks = [one if "retry_after" in one else {"facts": one, "rules": False, "over": False} for one in seen]
    stage = Stage({"look_at_merge": answers(*looks)})
    return stage.play(mergeability, {**WORK, "known": known}), stage


def test_github_is_asked_again_soon_while_it_finds_out() -> None:
    """It tells whether a change can be merged some seconds after it was asked first."""
    unknown = asdict(replace(facts(), mergeable=None, merge_state="unknown"))

    result, stage = wait_to_merge(unknown, unknown, asdict(facts()))

    assert result["facts"]["merge_state"] == "clean"
    assert stage.now == START + timedelta(seconds=20)


def test_what_is_known_to_stand_in_the_way_is_waited_out() -> None:
    """Only something new wakes the story."""
    blocked = asdict(replace(facts(), merge_state="blocked", reviewers=("maria",)))

    result, stage = wait_to_merge(
        blocked, blocked, asdict(facts()), known="the branch protection of develop still wants a review by maria"
    )

    assert result["facts"]["merge_state"] == "clean"
    assert stage.now == START + timedelta(minutes=5, seconds=10)


def test_what_stands_in_the_way_is_told_when_it_does_so_twice() -> None:
    """GitHub may not have our own status yet, which it requires."""
    blocked = asdict(replace(facts(), merge_state="blocked"))

    shortly, _ = wait_to_merge(blocked, asdict(facts()))
    lastingly, stage = wait_to_merge(blocked, blocked, asdict(facts()))

    assert shortly["facts"]["merge_state"] == "clean"
    assert lastingly["facts"]["merge_state"] == "blocked"
    assert stage.now == START + timedelta(seconds=10)


def test_wait_ends_with_its_time() -> None:
    """The story then leaves it to people."""
    blocked = asdict(replace(facts(), merge_state="blocked", reviewers=("maria",)))

    result, stage = wait_to_merge(blocked, known="the branch protection of develop still wants a review by maria")

    assert result["late"] is True
    assert stage.now == START + timedelta(hours=2)


def test_label_is_looked_at_until_github_answers() -> None:
    """An outage hides no refusal."""
    stage = Stage({"look_at_label": answers({"retry_after": 60.0}, {})})

    assert stage.play(opt_out_preview, LOOK) == {}
    assert stage.payloads("look_at_label") == [{"repository": samples.REPOSITORY, "number": 7, "toggle": None}] * 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"retry_after": 60.0}, "GitHub did not answer for too long. Push again, or press Re-run on the check,"),
        ({"error": "403"}, "403"),
    ],
)
def test_label_that_nobody_could_look_at_is_told_on_the_change(answer: dict[str, Any], words: str) -> None:
    """What the change said before may be wrong by now."""
    stage = Stage({"look_at_label": lambda work: {} if "error" in work else answer})

    stage.play(opt_out_preview, LOOK)

    assert stage.payloads("look_at_label")[-1]["error"].startswith(words)


def test_look_at_a_label_that_an_earlier_version_started_goes_on() -> None:
    """Its input was the request alone."""
    stage = Stage({"look_at_label": answers({})})

    assert stage.play(opt_out_preview, LOOK["request"]) == {}
    assert stage.payloads("look_at_label") == [{"repository": samples.REPOSITORY, "number": 7, "toggle": None}]
