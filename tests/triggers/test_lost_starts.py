"""Claims whose start was lost, and releases whose orchestration an operator took away."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from azure.core.pipeline.transport import RequestsTransport
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from activities.end_release import end_release
from adapters import connect, lanes, records, release_index
from adapters.blobs import Blobs
from domain import blob_names
from domain.errors import Unavailable
from domain.lanes import Bar, Holder, Lane, Waiting
from domain.models import Outcome, ReleaseRecord
from domain.wire import read
from settings import Settings
from tests import samples
from tests.fakes import audited
from tests.triggers.edge import FakeDurable
from triggers import lost_starts, start
from triggers.lost_starts import finish_starts
from triggers.start import start_once

RELEASE = samples.RELEASE


class Durable(FakeDurable):
    """A durable client that an operator can take instances from."""

    def __init__(self, **states: str) -> None:
        super().__init__()
        self.states = states

    async def get_status(self, instance: str) -> DurableOrchestrationStatus:
        if instance not in self.states:
            return await super().get_status(instance)
        now = "2026-11-23T09:00:00Z"
        fields = {"instanceId": instance, "createdTime": now, "lastUpdatedTime": now}
        return DurableOrchestrationStatus.from_json({**fields, "runtimeStatus": self.states[instance]})


@pytest.fixture
def store(app: Settings) -> Blobs:
    """The app's container."""
    return connect.blobs(app)


def claim(blobs: Blobs, instance: str, orchestrator: str = "release") -> dict[str, Any]:
    """Claim an instance; return the input that it is to be started with."""
    payload = {"repository": "acme/helpdesk", "for": instance}
    order = {"orchestrator": orchestrator, "at": "2026-11-23T09:00:00+00:00", "input": payload}
    blobs.write(blob_names.starting(instance), b"")
    blobs.create(blob_names.claim(instance), json.dumps(order).encode())
    return payload


def release(blobs: Blobs, outcome: Outcome = Outcome.RUNNING) -> ReleaseRecord:
    """Keep the record of a release that was claimed."""
    claim(blobs, RELEASE)
    record = read(ReleaseRecord, {**asdict(samples.record()), "outcome": outcome})
    records.save_record(blobs, record)
    return record


def outcome(blobs: Blobs) -> tuple[Outcome, str]:
    """Return how the release stands, and why."""
    record = records.find_record(blobs, RELEASE)
    assert record
    return record.outcome, record.reason


def look(client: FakeDurable, blobs: Blobs, app: Settings, times: int = 1) -> None:
    """Look at the claims."""
    for _ in range(times):
        asyncio.run(finish_starts(client, blobs, app))


def test_claim_of_a_story_is_left_to_it(app: Settings, store: Blobs) -> None:
    """Its child would run twice, once without it."""
    store.write(blob_names.starting("asked-1"), b"")
    store.create_json(blob_names.claim("asked-1"), {"story": "asked-0"})
    client = FakeDurable()
    look(client, store, app, times=2)

    assert client.started == []


def test_claim_that_was_never_started_is_started_as_it_was_meant(
    app: Settings, store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever orchestration it was for; once, and only when nobody can be at it any more."""
    asked = claim(store, "asked-acme.helpdesk-comment5-full", "asked")
    client = Durable()
    look(client, store, app, times=2)
    too_soon = list(client.started)
    monkeypatch.setattr(start, "_LOST_AFTER", timedelta(0))
    look(client, store, app, times=3)

    assert too_soon == []
    assert client.started == [("asked", "asked-acme.helpdesk-comment5-full", asked)]


def test_claim_of_before_the_orchestrator_was_written_down_is_a_release(
    app: Settings, store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There was nothing else then."""
    monkeypatch.setattr(start, "_LOST_AFTER", timedelta(0))
    store.write(blob_names.starting(RELEASE), b"")
    store.create(blob_names.claim(RELEASE), json.dumps({"at": "2026-11-23T09:00:00+00:00", "input": {}}).encode())
    client = Durable()
    look(client, store, app)

    assert client.started == [("release", RELEASE, {})]


def test_looking_costs_what_is_new_and_not_what_there_ever_was(
    app: Settings, store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claims and records stay for ever: four requests say that nothing is new, however many there are."""
    requests: list[str] = []
    send = RequestsTransport.send

    def count(self: RequestsTransport, asked: Any, **options: Any) -> Any:
        requests.append(unquote(asked.url.partition("?")[2] or asked.url.rpartition("/index/")[2]))
        return send(self, asked, **options)

    client = Durable()
    release(store, Outcome.FAILED)
    for number in range(20):
        asyncio.run(start_once(client, store, "nightly", f"nightly-{number}", {}))
    look(client, store, app)
    monkeypatch.setattr(RequestsTransport, "send", count)
    look(client, store, app)

    assert len(store.names("claims/")) == 21
    starting, untold, read_head, all_lanes = requests[:4]
    listed = zip(("starting/", "untold/", "lanes/"), (starting, untold, all_lanes), strict=True)
    assert all(f"prefix={what}" in asked for what, asked in listed)
    assert read_head == "releases.json"
    assert ["claims/" in one for one in requests] == [False, False, False, False, True]  # the last one is this test's


def test_start_is_noted_before_it_is_claimed(app: Settings, store: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process may die at any point after that: whatever is claimed will be found."""

    def die(*_: object) -> bool:
        raise Unavailable("storage is away")

    client = Durable()
    with monkeypatch.context() as broken:
        broken.setattr(Blobs, "create", die)
        with pytest.raises(Unavailable, match="storage is away"):
            asyncio.run(start_once(client, store, "asked", "asked-1", {}))
    look(client, store, app)
    noted = store.names("starting/"), store.names("claims/")
    client.trouble = ConnectionError("Durable is away")
    with pytest.raises(Unavailable, match="asked-1 could not be started"):
        asyncio.run(start_once(client, store, "asked", "asked-1", {"for": "sam"}))
    client.trouble = None
    monkeypatch.setattr(start, "_LOST_AFTER", timedelta(0))
    look(client, store, app)

    assert noted == ([blob_names.starting("asked-1")], [])
    assert client.started == [("asked", "asked-1", {"for": "sam"})]
    assert store.names("starting/") == []


def test_start_that_nobody_claims_is_given_up(app: Settings, store: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process died before the claim: there is nothing to start."""
    monkeypatch.setattr(lost_starts, "_GIVEN_UP", timedelta(seconds=-1))
    store.write(blob_names.starting("asked-1"), b"")
    client = Durable()
    look(client, store, app)

    assert (client.started, store.names("starting/"), store.names("claims/")) == ([], [], [])


@pytest.mark.parametrize(
    ("state", "how"),
    [
        ("Terminated", "was terminated by an operator"),
        ("Failed", "crashed"),
        ("Canceled", "was cancelled"),
        (None, "was purged by an operator"),
    ],
)
def test_release_without_orchestration_is_closed_and_told(
    app: Settings, store: Blobs, state: str | None, how: str
) -> None:
    """Its record says so, for good, and GitHub will hear of it."""
    release(store)
    client = Durable(**{RELEASE: "Running"})
    look(client, store, app)
    before = outcome(store)[0]
    client.states = {RELEASE: state} if state else {}
    look(client, store, app, times=2)

    assert before is Outcome.RUNNING
    assert outcome(store) == (
        Outcome.CANCELLED,
        f"The orchestration of this release {how}, so nobody carries it on. What is deployed stays. Push a new commit "
        "to release again.",
    )
    assert any(how.encode() in (store.read(name) or b"") for name in store.names("outbox/pending/"))
    assert client.started == []


def test_cancelling_that_was_cut_off_is_finished_in_the_name_of_who_cancelled(app: Settings, store: Blobs) -> None:
    """Its orchestration was ended, and nothing else had happened yet."""
    lanes.bar(store, release(store).repository, (), Bar(RELEASE, "Cancelled by alex: wrong branch", "now", "alex"))

    look(Durable(**{RELEASE: "Terminated"}), store, app)

    assert outcome(store) == (Outcome.CANCELLED, "Cancelled by alex: wrong branch")
    assert [trace["who"] for trace in audited(store, "cancelled")] == ["alex"]


@pytest.mark.parametrize("state", ["Running", "Pending", "Suspended", "ContinuedAsNew", "Completed"])
def test_release_with_its_orchestration_is_left_alone(app: Settings, store: Blobs, state: str) -> None:
    """A suspended one too: an operator wants to go on with it."""
    release(store)
    look(Durable(**{RELEASE: state}), store, app, times=2)

    assert outcome(store)[0] is Outcome.RUNNING


def test_release_that_ended_by_itself_keeps_its_end(app: Settings, store: Blobs) -> None:
    """However its orchestration stands, and it is not looked at again."""
    end_release({"record": asdict(release(store, Outcome.FAILED))})
    look(Durable(**{RELEASE: "Failed"}), store, app)

    assert outcome(store)[0] is Outcome.FAILED
    assert release_index.running(store) == []
    assert store.names("outbox/pending/") == []


def test_end_that_nobody_was_told_is_told(app: Settings, store: Blobs) -> None:
    """The story, or who cancelled the release, kept how it ended and died of storage that did not answer."""
    release(store, Outcome.REJECTED)
    look(Durable(**{RELEASE: "Failed"}), store, app)
    told = store.names("outbox/pending/")
    for name in told:
        store.remove(name)
    look(Durable(**{RELEASE: "Failed"}), store, app)

    assert outcome(store)[0] is Outcome.REJECTED
    assert any("comment" in name for name in told)
    assert store.names("outbox/pending/") == []  # once


def test_end_that_the_story_is_about_to_tell_is_left_to_it(app: Settings, store: Blobs) -> None:
    """It has kept its end and runs on, to tell it."""
    release(store, Outcome.REJECTED)
    look(Durable(**{RELEASE: "Running"}), store, app)

    assert store.names("outbox/pending/") == []


def test_release_is_watched_until_it_ends(app: Settings, store: Blobs) -> None:
    """Its claim is seen once, its end may come days later."""
    release(store)
    client = Durable(**{RELEASE: "Running"})
    look(client, store, app, times=3)

    assert release_index.running(store) == [RELEASE]

    client.states = {RELEASE: "Terminated"}
    look(client, store, app)

    assert outcome(store)[0] is Outcome.CANCELLED
    assert release_index.running(store) == []


def test_nothing_is_closed_while_durable_does_not_answer(app: Settings, store: Blobs) -> None:
    """Not to know is no reason."""
    release(store)
    client = Durable()
    client.trouble = ConnectionError("Durable is away")
    with pytest.raises(Unavailable, match=f"Durable does not say how {RELEASE} stands"):
        look(client, store, app)

    assert outcome(store)[0] is Outcome.RUNNING


ROLLBACK, OTHER = f"{RELEASE}.rollback-prod-1", "release-older.rollback-prod-1"


def going_back(blobs: Blobs) -> None:
    """Let a rollback hold prod, and another one wait for it; a release waits behind them."""
    for instance in (ROLLBACK, OTHER):
        claim(blobs, instance, "rollback")
    wait = Waiting("release-older", "a" * 40, 2, "", "", "2026-11-23T09:00:00Z", True, rollback=True)
    waiting = (wait, Waiting("release-newer", "b" * 40, 9, "", "", "2026-11-23T09:00:00Z", True))
    there = Lane(samples.REPOSITORY, "prod", holder=Holder(RELEASE, "", rollback=True), waiting=waiting)
    lanes.change(blobs, samples.REPOSITORY, "prod", lambda _: there)


async def leave_alone(*_: object) -> bool:
    """Stand in for a look at the claims that comes too late."""
    return False


def in_prod(blobs: Blobs) -> tuple[str, list[str]]:
    """Return who deploys to prod, and who waits."""
    lane = lanes.read(blobs, samples.REPOSITORY, "prod")
    return lane.holder.release if lane.holder else "", [one.release for one in lane.waiting]


def test_rollback_that_an_operator_ended_leaves_its_lane_and_that_is_audited(app: Settings, store: Blobs) -> None:
    """Nobody would be let in any more, until somebody asked for it again."""
    going_back(store)
    client = Durable(**{ROLLBACK: "Terminated", OTHER: "Running"})
    look(client, store, app, times=2)

    assert in_prod(store) == ("", ["release-older", "release-newer"])
    (trace,) = audited(store, "rollback-ended")
    assert (trace["subject"], trace["details"]["environment"]) == (RELEASE, "prod")
    assert trace["details"]["why"].startswith("the rollback was ended from outside before it left prod: see what runs")


@pytest.mark.parametrize("going_on", [ROLLBACK, f"{ROLLBACK}.deploy", f"{ROLLBACK}.lane"])
def test_rollback_keeps_its_lane_while_anything_of_it_goes_on(app: Settings, store: Blobs, going_on: str) -> None:
    """Durable does not end with an instance what that has begun: two would deploy at once."""
    going_back(store)
    client = Durable(**{ROLLBACK: "Terminated", OTHER: "Running", going_on: "Running"})
    look(client, store, app)

    assert in_prod(store)[0] == RELEASE
    assert audited(store, "rollback-ended") == []


@pytest.mark.parametrize("noted", [False, True])
def test_rollback_that_was_purged_leaves_its_lane_once_it_is_known_that_it_was_started(
    app: Settings, store: Blobs, monkeypatch: pytest.MonkeyPatch, noted: bool
) -> None:
    """By whichever process: while its note is there it may only be about to begin."""
    going_back(store)
    look(Durable(**{ROLLBACK: "Running", OTHER: "Running"}), store, app)
    start._started.clear()
    monkeypatch.setattr(lost_starts, "_finish", leave_alone)
    claimed = timedelta(minutes=1)
    monkeypatch.setattr(start, "_age", lambda blobs, one: claimed * blobs.exists(blob_names.claim(one)))
    if noted:
        store.write(blob_names.starting(ROLLBACK), b"")

    look(Durable(**{OTHER: "Running"}), store, app)

    assert in_prod(store)[0] == (RELEASE if noted else "")


def test_lane_of_a_rollback_that_was_asked_for_again_is_its_own(app: Settings, store: Blobs) -> None:
    """It is claimed before it begins, and finds itself in the lane."""
    going_back(store)
    claim(store, f"{RELEASE}.rollback-prod-2", "rollback")
    client = Durable(**{ROLLBACK: "Terminated", OTHER: "Running"})
    look(client, store, app)

    assert in_prod(store)[0] == RELEASE


def test_rollback_that_waits_and_was_ended_waits_no_more(app: Settings, store: Blobs) -> None:
    """The page would show it for ever."""
    going_back(store)
    client = Durable(**{ROLLBACK: "Running", OTHER: "Terminated"})
    look(client, store, app)

    assert in_prod(store) == (RELEASE, ["release-newer"])
