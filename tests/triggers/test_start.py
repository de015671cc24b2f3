"""Starting once, ever: claims in real blobs, a durable client that remembers."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.blobs import Blobs
from domain import blob_names
from domain.errors import Unavailable
from tests import samples
from tests.triggers.edge import FakeDurable
from triggers import start
from triggers.start import DUPLICATE, STARTED, start_once

INSTANCE = samples.RELEASE
INPUT = {"sha": samples.SHA}


async def attempt(client: FakeDurable, blobs: Blobs, instance: str = INSTANCE) -> str:
    """Start the release; a refusal is an answer too."""
    try:
        return await start_once(client, blobs, "release", instance, INPUT)
    except Unavailable:
        return "not now"


async def elsewhere(client: FakeDurable, blobs: Blobs) -> str:
    """Start the release as another process would: without this process's memory of attempts."""
    try:
        return await start._attempt(client, blobs, "release", INSTANCE, INPUT)
    except Unavailable:
        return "not now"


def leave_claim(blobs: Blobs, at: datetime | None = None) -> None:
    """Claim the instance like a process that died before it could start it, and whose clock showed `at`."""
    claim = {"orchestrator": "release", "at": (at or datetime.now(UTC)).isoformat(), "input": INPUT}
    assert blobs.create(blob_names.claim(INSTANCE), json.dumps(claim).encode())


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every claim is old enough to be lost."""
    monkeypatch.setattr(start, "_LOST_AFTER", timedelta(0))


def test_first_delivery_starts_and_the_next_finds_it_started(blobs: Blobs) -> None:
    """The claim keeps all that a start needs, so that a lost one can be finished."""
    client = FakeDurable()

    answers = [asyncio.run(attempt(client, blobs)) for _ in range(3)]

    assert answers == [STARTED, DUPLICATE, DUPLICATE]
    assert client.started == [("release", INSTANCE, INPUT)]
    claim = blobs.read_json(blob_names.claim(INSTANCE))
    assert (claim["orchestrator"], claim["input"]) == ("release", INPUT)


def test_what_this_process_started_needs_no_storage_any_more(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storm of redeliveries costs neither claims nor questions to Durable; what was forgotten is asked for again."""
    client = FakeDurable()
    monkeypatch.setattr(start, "_REMEMBERED", 2)
    for number in range(3):
        asyncio.run(attempt(client, blobs, f"release-{number}"))
    monkeypatch.setattr(blobs, "create", None)
    client.trouble = ConnectionError("Durable is away")

    assert [asyncio.run(attempt(client, blobs, f"release-{number}")) for number in (2, 1)] == [DUPLICATE] * 2

    with pytest.raises(TypeError, match="not callable"):
        asyncio.run(attempt(client, blobs, "release-0"))


def test_fifty_deliveries_at_once_start_once(blobs: Blobs) -> None:
    """They share one attempt, so all but one are told that it was started already."""
    client = FakeDurable()

    async def deliver() -> list[str]:
        return await asyncio.gather(*(attempt(client, blobs) for _ in range(50)))

    answers = asyncio.run(deliver())

    assert sorted(answers) == [DUPLICATE] * 49 + [STARTED]
    assert len(client.started) == 1


def test_fifty_processes_at_once_start_once(blobs: Blobs) -> None:
    """Without a memory in common, the claim decides; who comes too soon is asked to deliver again."""
    client = FakeDurable()

    async def deliver() -> list[str]:
        return await asyncio.gather(*(elsewhere(client, blobs) for _ in range(50)))

    answers = asyncio.run(deliver())

    assert len(client.started) == 1
    assert answers.count(STARTED) == 1
    assert set(answers) <= {STARTED, DUPLICATE, "not now"}


def test_different_commits_are_started_each(blobs: Blobs) -> None:
    """One attempt per instance, not one at a time."""
    client = FakeDurable()

    async def deliver() -> list[str]:
        return await asyncio.gather(*(attempt(client, blobs, f"release-{number}") for number in range(5)))

    assert asyncio.run(deliver()) == [STARTED] * 5


def test_claim_of_a_moment_ago_is_left_to_who_made_it(blobs: Blobs) -> None:
    """The other process may be about to start it; GitHub is asked to deliver again, and told when."""
    leave_claim(blobs)
    client = FakeDurable()

    with pytest.raises(Unavailable, match="is being started by another delivery") as refused:
        asyncio.run(start_once(client, blobs, "release", INSTANCE, INPUT))

    assert refused.value.retry_after == 10
    assert client.started == []


@pytest.mark.parametrize("hours", [-1, 1])
def test_claim_of_a_host_whose_clock_is_an_hour_off_is_as_old_as_storage_says(blobs: Blobs, hours: int) -> None:
    """It is not taken for lost while its host may be about to start it."""
    leave_claim(blobs, datetime.now(UTC) + timedelta(hours=hours))
    client = FakeDurable()

    assert asyncio.run(attempt(client, blobs)) == "not now"
    assert client.started == []


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_claim_whose_start_was_lost_is_finished_by_a_later_delivery(blobs: Blobs, hours: int) -> None:
    """A process that died between claim and start strands nothing, whatever its clock showed."""
    leave_claim(blobs, datetime.now(UTC) + timedelta(hours=hours))
    client = FakeDurable()

    assert asyncio.run(attempt(client, blobs)) == STARTED
    assert asyncio.run(attempt(client, blobs)) == DUPLICATE
    assert len(client.started) == 1


def test_lost_claim_is_taken_over_by_one_of_many_processes(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two starts of one id would race inside Durable; the renewed claim is young again."""

    def age(where: Blobs, instance: str) -> timedelta:  # storage cannot be told that a minute has passed
        return datetime.now(UTC) - datetime.fromisoformat(where.read_json(blob_names.claim(instance))["at"])

    monkeypatch.setattr(start, "_age", age)
    leave_claim(blobs, datetime.now(UTC) - timedelta(minutes=1))
    client = FakeDurable()

    async def deliver() -> list[str]:
        return await asyncio.gather(*(elsewhere(client, blobs) for _ in range(20)))

    answers = asyncio.run(deliver())

    assert len(client.started) == 1
    assert answers.count(STARTED) == 1


@pytest.mark.usefixtures("later")
def test_release_with_a_record_is_never_started_again(blobs: Blobs) -> None:
    """Not even when the hub was purged and has forgotten the instance."""
    leave_claim(blobs)
    blobs.write_json(blob_names.record(INSTANCE), {"id": INSTANCE})
    client = FakeDurable()

    assert asyncio.run(attempt(client, blobs)) == DUPLICATE
    assert client.started == []


@pytest.mark.usefixtures("later")
def test_claim_of_long_ago_counts_as_started(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its instance may have been purged: what has no record of its own is not started a second time for that."""
    monkeypatch.setattr(start, "_FORGOTTEN_AFTER", timedelta(seconds=-1))
    leave_claim(blobs)
    client = FakeDurable()

    assert asyncio.run(attempt(client, blobs)) == DUPLICATE
    assert client.started == []


@pytest.mark.usefixtures("later")
def test_instance_without_a_record_yet_is_not_started_again(blobs: Blobs) -> None:
    """The first record comes seconds after the start."""
    leave_claim(blobs)
    client = FakeDurable(known={INSTANCE: {}})

    assert asyncio.run(attempt(client, blobs)) == DUPLICATE
    assert client.started == []


def test_start_that_fails_is_done_by_a_later_delivery(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender hears that it failed, since GitHub shows that; the next delivery, after the wait, starts it."""
    client = FakeDurable(trouble=ConnectionError("Durable is away"))

    with pytest.raises(Unavailable, match="could not be started: deliver again") as refused:
        asyncio.run(start_once(client, blobs, "release", INSTANCE, INPUT))

    assert refused.value.retry_after == 10
    assert isinstance(refused.value.__cause__, ConnectionError)

    client.trouble = None
    assert asyncio.run(attempt(client, blobs)) == "not now"
    monkeypatch.setattr(start, "_LOST_AFTER", timedelta(0))
    assert asyncio.run(attempt(client, blobs)) == STARTED
    assert len(client.started) == 1


def test_all_deliveries_that_share_a_failed_attempt_hear_of_it(blobs: Blobs) -> None:
    """None of them is told that it was started."""
    client = FakeDurable(trouble=ConnectionError("Durable is away"))

    async def deliver() -> list[Any]:
        return await asyncio.gather(*(attempt(client, blobs) for _ in range(10)))

    assert asyncio.run(deliver()) == ["not now"] * 10


def test_delivery_that_is_cut_off_does_not_cut_off_the_start(blobs: Blobs) -> None:
    """The connection of the first sender may break while others wait for the same start."""
    client = FakeDurable()

    async def deliver() -> str:
        first = asyncio.ensure_future(attempt(client, blobs))
        second = asyncio.ensure_future(attempt(client, blobs))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(deliver()) == DUPLICATE
    assert len(client.started) == 1
