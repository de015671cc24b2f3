"""Reminding approvers: those who have not voted, once, where their links are."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from activities.open_approval import open_approval
from activities.remind_approvers import remind_approvers
from domain import blob_names
from domain.config import Environment
from domain.models import ApprovalRequest, ReleaseRecord, Vote
from domain.wire import read
from tests.activities.conftest import AT, World, release_of, run

RULES = {"name": "prod", "approvers": ["maria", "jonas", "priya"], "approvals": 2}


def ask(world: World, record: ReleaseRecord | None = None, **rules: Any) -> ApprovalRequest:
    """Ask the approvers of prod."""
    record = record or world.record
    world.blobs.write_json(blob_names.record(record.id), asdict(record))
    environment = Environment.model_validate({**RULES, **rules}).model_dump(mode="json")
    order = {"record": asdict(record), "environment": environment, "instance": "child", "at": AT, "last": True}
    return read(ApprovalRequest, run(open_approval, order)["request"])


def remind(asked: ApprovalRequest) -> None:
    """Remind whoever has not voted."""
    run(remind_approvers, {"release": asked.release, "environment": asked.environment})


@pytest.fixture
def asked(world: World) -> ApprovalRequest:
    """The question to the approvers of prod."""
    return ask(world)


def test_reminder_names_who_has_not_voted_and_is_written_once(world: World, asked: ApprovalRequest) -> None:
    """With the date, and without a link that anybody else could use."""
    given = Vote("jonas", "jonas@acme.example", "approve", "", asked.digest, AT)
    world.blobs.create_json(blob_names.vote(asked.release, "prod", 1, given.principal), asdict(given))

    for _ in range(2):
        remind(asked)
        world.deliver()

    (comment,) = world.comments(1)
    assert "@maria, @priya: the release still waits for your decision about **prod**" in comment
    assert asked.expires_at in comment
    assert "@jonas" not in comment
    assert "/api/approvals/" not in comment


def test_reminder_leaves_out_who_may_not_vote(world: World) -> None:
    """An author is not asked to do what is refused."""
    remind(ask(world, approvers=["maria", "jonas", "alex"], prevent_self_approval=True))
    world.deliver()

    assert "@maria, @jonas: the release" in world.comments(1)[0]


def test_group_is_reminded_although_one_of_it_has_voted(world: World) -> None:
    """Its others may be wanted as well."""
    group = "entra:1a2b3c4d-0000-4000-8000-00000000000a"
    asked = ask(world, approvers=[group])
    given = Vote(group, "jonas@acme.example", "approve", "", asked.digest, AT)
    world.blobs.create_json(blob_names.vote(asked.release, "prod", 1, given.principal), asdict(given))

    remind(asked)
    world.deliver()

    assert "the Entra group 1a2b3c4d-0000-4000-8000-00000000000a: the release still waits" in world.comments(1)[0]


def test_new_round_has_a_reminder_of_its_own(world: World, asked: ApprovalRequest) -> None:
    """Whoever is asked again is told again: an old comment that changes notifies nobody."""
    remind(asked)
    world.deliver()

    remind(ask(world, replace(world.record, notes=(), evaluations=())))
    world.deliver()
    assert len(world.comments(1)) == 2


def test_release_of_many_changes_reminds_where_the_links_are(world: World) -> None:
    """On three of them."""
    pulls = [world.double.pull(world.repository, 1), *(world.merge() for _ in range(3))]
    remind(ask(world, release_of(world.repository, *pulls)))
    world.deliver()

    assert [len(world.comments(number)) for number in (1, 2, 3, 4)] == [1, 1, 1, 0]


def test_github_being_away_stops_nothing(world: World, asked: ApprovalRequest) -> None:
    """The question stands all the same, and the reminder arrives later."""
    world.double.fault(status=503, times=10)
    remind(asked)
    world.deliver()
    world.double.clear_faults()
    world.deliver()
    world.deliver()

    assert len(world.comments(1)) == 1
