"""What a merge queue is about to merge: taken up, told, ended, on a GitHub and with real blobs."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from activities.find_origin import find_origin
from activities.look_at_checks import look_at_checks
from activities.take_up_group import take_up_group
from activities.tell_change import tell_change
from adapters import changes
from domain import blob_names
from domain.changes import ChangeRecord, ChangeState
from domain.git_flow import GroupRequest, group_id
from domain.wire import read
from tests.activities.conftest import World, run
from tests.activities.test_changes import AT, opened, statuses


def queued(world: World, *numbers: int) -> list[GroupRequest]:
    """Put changes into the queue, and return what it is to merge, each built on the one before."""
    groups = world.double.queue(world.repository, numbers, by="sam")
    return [GroupRequest(world.repository, group["head"], "main", group["branch"]) for group in groups]


def ours(world: World, name: str = "one") -> int:
    """Open a change of alex."""
    world.double.push(world.repository, f"alex/{name}", {f"{name}.md": name}, author="alex", base="main")
    return int(world.double.open_pull_request(world.repository, f"alex/{name}", name, author="alex")["number"])


def of_a_fork(world: World) -> int:
    """Open a stranger's change."""
    fork = world.double.fork(world.repository, "stranger")["full_name"]
    world.double.push(fork, "patch-1", {"patch.md": "x"}, author="stranger")
    head = "stranger:patch-1"
    return int(world.double.open_pull_request(world.repository, head, "Patch", author="stranger")["number"])


def taken_up(group: GroupRequest) -> Any:
    """Ask GitHub for the group, and take it up."""
    return run(take_up_group, {"request": asdict(group), "at": AT})


def told(record: dict[str, Any], **fields: Any) -> Any:
    """Tell how a group stands."""
    return run(tell_change, {"record": asdict(replace(read(ChangeRecord, record), news=1, **fields)), "last": True})


def test_group_is_taken_up_with_all_its_changes(world: World) -> None:
    """Under its head, so that the changes keep their own records. Twice is the same."""
    one, two = ours(world), ours(world, "two")
    _, group = queued(world, one, two)

    first, second = taken_up(group), taken_up(group)

    assert first == second
    assert first["facts"]["title"] == f"Merge queue: #{one}, #{two}"
    assert (first["facts"]["fork"], first["facts"]["group"], first["branch"]) == (False, True, "main")
    assert first["record"]["instance"] == group_id(group)
    assert changes.find(world.blobs, world.repository, two) is None
    assert changes.speaks(world.blobs, world.repository, group.sha, group_id(group))


def test_group_is_a_strangers_when_any_change_in_it_is(world: World) -> None:
    """Those before it in the queue count; those behind it are not in it."""
    groups = queued(world, ours(world), of_a_fork(world), ours(world, "two"))

    assert [taken_up(group)["facts"]["fork"] for group in groups] == [False, True, True]


def test_change_that_landed_meanwhile_is_no_longer_in_the_queue(world: World) -> None:
    """The base has it, so it is as trusted as all that is there."""
    first, second = queued(world, of_a_fork(world), ours(world))
    world.double.land_queue(world.repository, first.branch)

    assert taken_up(second)["facts"]["fork"] is False


def test_group_that_stands_on_something_unknown_is_a_strangers(world: World) -> None:
    """Nobody can say what was below it: it gets no secret."""
    first, second = queued(world, ours(world), ours(world, "two"))
    world.double.delete_branch(world.repository, first.branch)

    assert taken_up(second)["facts"]["fork"] is True


def test_branch_with_another_kind_of_name_is_a_strangers(world: World) -> None:
    """Whose changes it holds, nobody can say."""
    (group,) = queued(world, ours(world))
    world.double.move_branch(world.repository, "gh-readonly-queue/main/odd", group.sha)

    facts = taken_up(replace(group, branch="gh-readonly-queue/main/odd"))["facts"]

    assert (facts["fork"], facts["title"], facts["number"]) == (True, "Merge queue: changes unknown", 0)


def test_group_that_the_queue_does_not_have_is_not_taken_up(world: World) -> None:
    """It was given up, or made anew, before its story began."""
    (group,) = queued(world, ours(world))

    assert taken_up(replace(group, sha="d" * 40))["moved"] == ""
    world.double.delete_branch(world.repository, group.branch)
    assert taken_up(group)["moved"] == ""
    assert changes.find(world.blobs, world.repository, group.sha) is None


def test_github_away_is_waited_for(world: World) -> None:
    """The queue waits, too."""
    (group,) = queued(world, ours(world))
    world.double.fault(path_regex="/git/matching-refs/", status=503, retry_after=77, times=9)

    assert taken_up(group)["retry_after"] == 77


def test_group_has_its_status_and_nothing_else(world: World) -> None:
    """No comment and no label: its changes have theirs. The status leads to its own page."""
    request = opened(world)
    (group,) = queued(world, request.number)

    record = taken_up(group)["record"]
    told(record, state=ChangeState.FAILED, reason="Validate failed", needed="x", person="needs-a-person")

    (status,) = world.double.commit(world.repository, group.sha)["statuses"]
    assert (status["context"], status["state"]) == ("drawbridge/change", "failure")
    assert status["target_url"] == f"https://drawbridge.acme.example/api/changes/{group_id(group)}"
    assert world.comments(request.number) == []
    assert world.double.pull(world.repository, request.number)["labels"] == []
    assert statuses(world, request.sha) == {}


def test_group_that_is_given_up_ends(world: World) -> None:
    """Its jobs are ended at the next look, its status says why, and no late delivery starts it again."""
    (group,) = queued(world, ours(world))
    record = taken_up(group)["record"]

    assert changes.end(world.blobs, world.repository, group.sha, "taken out of the merge queue")

    why = "the change was taken out of the merge queue: what ran for it was ended"
    assert world.blobs.exists(blob_names.cancelled(blob_names.validation_plan(group_id(group))))
    assert told(record, state=ChangeState.PASSED)["over"] == why
    (status,) = world.double.commit(world.repository, group.sha)["statuses"]
    assert (status["state"], status["description"]) == ("error", why)
    assert taken_up(group)["over"] == why


def test_required_checks_of_a_group_are_those_on_its_head(world: World) -> None:
    """As long as its story speaks for it."""
    (group,) = queued(world, ours(world))
    taken_up(group)
    world.double.report_check(world.repository, group.sha, "ci", "success")
    where = {"repository": world.repository, "number": group.sha, "instance": group_id(group), "sha": group.sha}

    seen = run(look_at_checks, {**where, "names": ["ci"]})

    assert ([check["state"] for check in seen["checks"]], seen["over"]) == (["passed"], False)
    changes.end(world.blobs, world.repository, group.sha, "taken out of the merge queue")
    assert run(look_at_checks, {**where, "names": ["ci"]})["over"] is True


def test_release_of_what_landed_together_carries_every_change(world: World) -> None:
    """One push, several changes, and whoever put each of them into the queue."""
    before = world.double.repository(world.repository)["heads"]["main"]
    numbers = [ours(world), of_a_fork(world), ours(world, "two")]
    groups = queued(world, *numbers)
    world.double.land_queue(world.repository, groups[-1].branch)

    where = {"repository": world.repository, "sha": groups[-1].sha, "before": before, "branch": "main", "rule": None}
    origin = run(find_origin, {**where, "release": "release-x"})["origin"]

    assert [change["number"] for change in origin["changes"]] == numbers
    assert {change["merged_by"] for change in origin["changes"]} == {"sam"}
    assert (origin["unlinked"], origin["unseen"], origin["direct"]) == (False, 0, 0)
