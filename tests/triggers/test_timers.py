"""Nights are started once for each date, whatever the clock does and however many hosts look at it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from adapters import connect
from adapters.blobs import Blobs
from domain.errors import Unavailable
from settings import Branch, Settings
from tests.triggers.edge import FakeDurable, lines, plain_function
from triggers import timers

REPOSITORY = "acme/helpdesk"
NIGHT = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)


@dataclass
class Durable(FakeDurable):
    """A durable client whose instances run until a test ends them."""

    ended: set[str] = field(default_factory=set)

    async def get_status(self, instance: str) -> DurableOrchestrationStatus:
        status = await super().get_status(instance)
        if instance not in self.ended or status.runtime_status is None:
            return status
        now = "2026-11-23T09:00:00Z"
        fields = {"instanceId": instance, "createdTime": now, "lastUpdatedTime": now, "runtimeStatus": "Failed"}
        return DurableOrchestrationStatus.from_json(fields)


@pytest.fixture
def settings(app: Settings) -> Settings:
    return replace(app, nightly_at=time(2), timezone=ZoneInfo("UTC"))


@pytest.fixture
def blobs(app: Settings) -> Blobs:
    """Blobs of an app that has been here for a while."""
    known = connect.blobs(app)
    known.write_json("schedules/acme.helpdesk/started.json", {"date": "2026-11-20", "instance": ""})
    return known


def look(client: Durable, blobs: Blobs, settings: Settings, now: datetime, repository: str = REPOSITORY) -> None:
    asyncio.run(timers.start_night(client, blobs, settings, repository, now))


def test_night_is_started_with_what_it_needs(blobs: Blobs, settings: Settings) -> None:
    """The date is the local one; later looks find it done."""
    client = Durable()

    for minutes in (0, 15, 60 * 20):
        look(client, blobs, settings, NIGHT + timedelta(minutes=minutes))

    assert client.started == [
        (
            "nightly",
            "nightly-acme.helpdesk-2026-11-23",
            {"repository": REPOSITORY, "date": "2026-11-23", "branch": "main"},
        )
    ]


def test_night_is_of_the_repositorys_own_release_branch(blobs: Blobs, settings: Settings) -> None:
    """What is released from trunk is evaluated on trunk."""
    client = Durable()

    look(client, blobs, replace(settings, release_branch=Branch("main", {REPOSITORY: "trunk"})), NIGHT)

    assert [night["branch"] for _, _, night in client.started] == ["trunk"]


def test_new_repository_has_its_first_night_when_the_next_date_is_due(app: Settings, settings: Settings) -> None:
    """Nobody who sets this app up in the morning expects hours of work at once."""
    blobs, client = connect.blobs(app), Durable()

    for hours in (8, 12, 21.9):
        look(client, blobs, settings, NIGHT + timedelta(hours=hours))
    before = list(client.started)
    look(client, blobs, settings, NIGHT + timedelta(hours=24))

    assert before == []
    assert [instance[-10:] for _, instance, _ in client.started] == ["2026-11-24"]


def test_two_hosts_at_once_start_one_night(blobs: Blobs, settings: Settings) -> None:
    """Each has its own timer, and neither has seen the other's note."""
    client = Durable()

    async def both() -> None:
        await asyncio.gather(
            *(timers.start_night(client, blobs, settings, REPOSITORY, NIGHT) for _ in range(4)), return_exceptions=True
        )

    asyncio.run(both())

    assert len(client.started) == 1


def test_night_is_started_once_even_when_its_note_is_lost(blobs: Blobs, settings: Settings) -> None:
    """The host died between the two; the claim knows."""
    client = Durable()
    look(client, blobs, settings, NIGHT)
    client.ended.add(client.started[0][1])
    blobs.write_json("schedules/acme.helpdesk/started.json", {"date": "2026-11-22", "instance": "of-another-night"})

    look(client, blobs, settings, NIGHT + timedelta(minutes=15))

    assert len(client.started) == 1


def test_clock_that_is_set_back_or_an_hour_off_repeats_no_date(blobs: Blobs, settings: Settings) -> None:
    """A host an hour ahead starts early, others find the date done; a clock of last week starts nothing again."""
    client = Durable()
    for hours in (-48, -24, -1):
        look(client, blobs, settings, NIGHT + timedelta(hours=hours) + timedelta(hours=1))
        client.ended.add(client.started[-1][1])

    for hours in (0, -1, -23, -26, -47, 2):
        look(client, blobs, settings, NIGHT + timedelta(hours=hours))

    assert [instance[-10:] for _, instance, _ in client.started] == ["2026-11-21", "2026-11-22", "2026-11-23"]


def test_missed_nights_are_made_up_for_by_one(blobs: Blobs, settings: Settings) -> None:
    """The app was down for days and comes back at noon."""
    client = Durable()
    look(client, blobs, settings, NIGHT)
    client.ended.add(client.started[0][1])

    look(client, blobs, settings, NIGHT + timedelta(days=3, hours=10))
    client.ended.add(client.started[1][1])
    look(client, blobs, settings, NIGHT + timedelta(days=3, hours=11))

    assert [instance[-10:] for _, instance, _ in client.started] == ["2026-11-23", "2026-11-26"]


def test_night_waits_until_the_one_before_has_ended(
    blobs: Blobs, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Two at once would pay one debt twice; the log says what is waited for."""
    caplog.set_level("INFO", "drawbridge")
    client = Durable()
    look(client, blobs, settings, NIGHT)

    look(client, blobs, settings, NIGHT + timedelta(days=1))
    waiting = len(client.started)
    client.ended.add("nightly-acme.helpdesk-2026-11-23")
    look(client, blobs, settings, NIGHT + timedelta(days=1, minutes=15))

    assert waiting == 1
    assert [instance[-10:] for _, instance, _ in client.started] == ["2026-11-23", "2026-11-24"]
    (waits,) = [line for line in lines(caplog, "nightly") if line["decision"] == "waits"]
    assert (waits["date"], waits["before"]) == ("2026-11-24", "nightly-acme.helpdesk-2026-11-23")


def test_durable_that_does_not_answer_is_told(blobs: Blobs, settings: Settings) -> None:
    """Nobody starts a night without knowing about the one before."""
    client = Durable()
    look(client, blobs, settings, NIGHT)
    client.trouble = ConnectionError("no task hub")

    with pytest.raises(Unavailable, match=r"Nobody can say now whether nightly-acme\.helpdesk-2026-11-23 is under way"):
        look(client, blobs, settings, NIGHT + timedelta(days=1))


def test_trouble_with_one_repository_keeps_no_other_from_its_night(
    blobs: Blobs, app: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The timer looks at all of them, also at two of one name in different organizations."""
    caplog.set_level("INFO", "drawbridge")
    several = replace(app, repositories=("acme/helpdesk", "contoso/helpdesk"), nightly_at=time(0))
    monkeypatch.setattr(timers, "current", lambda: several)
    start = timers.start_night

    async def troubled(client: Any, blobs: Blobs, settings: Settings, repository: str, now: datetime) -> None:
        if repository == "acme/helpdesk":
            raise Unavailable("storage is away")
        await start(client, blobs, settings, repository, now)

    monkeypatch.setattr(timers, "start_night", troubled)
    for name in several.repositories:
        flat = name.replace("/", ".")
        blobs.write_json(f"schedules/{flat}/started.json", {"date": "2026-11-20", "instance": ""})
    client = Durable()

    asyncio.run(plain_function(timers.nights)(None, client))

    assert [instance[:24] for _, instance, _ in client.started] == ["nightly-contoso.helpdesk"]
    assert [line["reason"] for line in lines(caplog, "nightly") if line["decision"] == "refused"] == ["storage is away"]
