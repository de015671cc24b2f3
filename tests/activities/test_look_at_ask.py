"""Who asks for an evaluation, and of which commit, as the double knows them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from activities.look_at_ask import look_at_ask
from adapters import changes
from domain.git_flow import Ask
from domain.models import ChangeRequest
from tests.activities.conftest import World, run


def look(world: World, **fields: Any) -> dict[str, Any]:
    ask = asdict(Ask(world.repository, 1, 4711, "full", "alex"))
    return dict(run(look_at_ask, {"ask": {**ask, **fields}}))


def found(world: World, **fields: Any) -> dict[str, Any]:
    """Return what was found that says something."""
    standing = look(world, **fields)["standing"]
    return {name: value for name, value in standing.items() if value not in (None, ())}


@pytest.fixture
def head(world: World) -> str:
    """The head of an open change, number 2."""
    world.double.push(world.repository, "alex/2-more", {"more.txt": "x"}, author="alex")
    pull = world.double.open_pull_request(world.repository, "alex/2-more", "More", author="alex")
    return str(pull["head"]["sha"])


def test_head_of_the_change_is_what_is_asked_about(world: World, head: str) -> None:
    """By somebody who can write."""
    assert found(world, number=2) == {"permission": "write", "sha": head, "fork": False}


def test_button_asks_about_the_commit_of_its_check(world: World, head: str) -> None:
    """The change may have moved on since."""
    assert look(world, number=2, comment=0, check=5, sha="5" * 40)["standing"]["sha"] == "5" * 40


def test_stranger_is_not_looked_after_any_further(world: World, head: str) -> None:
    """Reading is not enough."""
    assert found(world, number=2, by="stranger") == {"permission": "read", "sha": "", "fork": False}


def test_change_of_a_fork_is_known_as_one(world: World) -> None:
    """Whoever asks for it."""
    world.double.fork(world.repository, "stranger")
    name = world.repository.partition("/")[2]
    world.double.push(f"stranger/{name}", "better", {"evil.txt": "x"}, author="stranger")
    number = world.double.open_pull_request(world.repository, "stranger:better", "Better", author="stranger")["number"]

    assert look(world, number=number)["standing"]["fork"] is True


def test_button_without_a_change_is_about_a_commit_of_main(world: World) -> None:
    """Of a release. Any other commit may be a fork's."""
    main = world.record.commit.sha
    stray = world.double.push(world.repository, "sam/3-stray", {"stray.txt": "x"})

    assert found(world, number=None, check=5, sha=main) == {"permission": "write", "sha": main, "fork": False}
    assert "is not on main or develop" in look(world, number=None, check=5, sha=stray)["error"]


def test_validation_that_runs_again_is_the_attempt_that_is_due(world: World, head: str) -> None:
    """One that was broken off meanwhile has used up the attempt after the one that was shown."""
    ask = {"number": 2, "comment": 0, "check": 5, "sha": head, "kind": "validation", "rerun": "rerun5", "attempt": 2}
    first = found(world, **ask)["validation"]
    changes.pass_over(world.blobs, ChangeRequest(world.repository, 2, head, "d-1", attempt=2))

    assert (first["sha"], first["attempt"]) == (head, 2)
    assert found(world, **ask)["validation"]["attempt"] == 3
    assert "validation" not in found(world, **ask, by="stranger")


def test_what_is_not_there_any_more_is_an_answer(world: World) -> None:
    """An issue, a repository that was deleted."""
    assert "has no such thing" in look(world, number=4711)["error"]
    assert "has no such thing" in look(world, repository="acme/deleted")["error"]


def test_outage_of_github_is_to_be_waited_for(world: World) -> None:
    """As long as it says."""
    world.double.fault(path_regex="/collaborators/", status=503, retry_after=77, times=10)

    assert look(world)["retry_after"] == 77
