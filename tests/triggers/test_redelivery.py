"""What GitHub could not deliver is asked for again, once: an App may do that, and only what may start something."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from adapters import connect
from adapters.blobs import Blobs
from adapters.github import GitHub
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from settings import Settings
from tests.adapters.apps import APP, key_pair
from tests.devhost.github.world import SECRET, Inbox, wait_for
from tests.triggers.edge import FakeDurable
from triggers import reconcile

_numbers = itertools.count(1)


@dataclass
class World:
    """An App on a repository, an inbox its webhook goes to, and a way to look."""

    double: Client
    inbox: Inbox
    github: GitHub
    settings: Settings
    blobs: Blobs

    def look(self) -> None:
        """Make a pass."""
        asyncio.run(reconcile.run(FakeDurable(), self.blobs, self.settings, lambda: self.github))

    def push(self, branch: str = "sam/1-x") -> None:
        """Push, which is told as one delivery."""
        told = len(self.double.deliveries())
        self.double.push(self.settings.repositories[0], branch, {f"{next(_numbers)}.txt": "x"}, author="sam")
        wait_for(lambda: len(self.double.deliveries()) > told)
        self.settle()

    def settle(self) -> None:
        """Wait until everything under way has been answered."""
        wait_for(lambda: all(one["status_code"] for one in self.double.deliveries()))

    def attempts(self) -> list[list[int]]:
        """Return the status of each attempt of each push, in order."""
        found: dict[str, list[int]] = {}
        for one in self.double.deliveries():
            if one["event"] == "push":
                found.setdefault(one["guid"], []).append(one["status_code"])
        return list(found.values())


@pytest.fixture
def world(app: Settings, tmp_path: Any) -> Iterator[World]:
    """A repository that has been looked at once."""
    private, public = key_pair()
    inbox = Inbox()
    access = Access(app_id=APP, app_public_key=public)
    with running(Options(tmp_path / "github", webhook=inbox.url, secret=SECRET, access=access)) as origin:
        double = Client(origin)
        double.create_repository("acme/helpdesk", branches=("main", "develop"))
        settings = replace(app, reconcile_seconds=0.5, github_url=origin, github_token="", github_app_id=APP)
        github = GitHub(origin, app_id=APP, app_key=private, sleep=lambda _: None)
        world = World(double, inbox, github, settings, connect.blobs(settings))
        world.settle()
        world.look()
        yield world
    inbox.close()


def test_failed_delivery_is_sent_again_once(world: World) -> None:
    """It arrives now, and later passes leave it alone."""
    world.double.lose_webhooks()
    world.push()
    for _ in range(3):
        world.look()
        world.settle()

    assert world.attempts() == [[502, 202]]


def test_delivery_that_keeps_failing_is_not_sent_for_ever(world: World) -> None:
    """One more try, then it is for people: comparing finds what it would have told."""
    world.inbox.status = 500
    world.push()
    for _ in range(3):
        world.look()
        world.settle()

    assert world.attempts() == [[500, 500]]


@pytest.mark.parametrize("status", [404, 422])
def test_delivery_that_github_will_not_send_again_holds_up_none_behind_it(world: World, status: int) -> None:
    """It is for people then: GitHub may have dropped it, or a hook that it went to is gone."""
    world.double.lose_webhooks(times=3)
    for _ in range(3):
        world.push()
    world.double.fault(method="POST", path_regex="/attempts$", status=status)
    for _ in range(2):
        world.look()
        world.settle()

    assert world.attempts() == [[502], [502, 202], [502, 202]]


@pytest.mark.parametrize("status", [401, 502])
def test_delivery_is_asked_for_again_when_github_was_away(world: World, status: int) -> None:
    """Or when our own credentials were refused: that was no word about the delivery."""
    world.double.lose_webhooks()
    world.push()
    world.double.fault(method="POST", path_regex="/attempts$", status=status)
    for _ in range(2):
        world.look()
        world.settle()

    assert world.attempts() == [[502, 202]]


def test_what_failed_before_the_first_look_is_left_alone(world: World) -> None:
    """An app that is installed anew does not go through what GitHub has kept for three days."""
    world.settings = replace(world.settings, container=f"new{next(_numbers)}-{uuid.uuid4().hex[:8]}")
    world.blobs = connect.blobs(world.settings)
    for _ in range(2):
        world.double.lose_webhooks()
        world.push()
        world.look()
        world.settle()

    assert world.attempts() == [[502], [502, 202]]


def test_delivery_that_arrived_meanwhile_is_left_alone(world: World) -> None:
    """Somebody pressed the button on GitHub."""
    world.double.lose_webhooks()
    world.push()
    lost = next(one for one in world.double.deliveries() if one["event"] == "push")
    world.double.redeliver(lost["id"])
    wait_for(lambda: len(world.attempts()[0]) == 2)
    world.settle()
    world.look()
    world.settle()

    assert world.attempts() == [[502, 202]]


def test_delivery_that_could_start_nothing_is_not_asked_for(world: World) -> None:
    """Only what may start something is worth a request."""
    told = len(world.double.deliveries())
    world.double.lose_webhooks(times=50)
    world.double.open_issue("acme/helpdesk", "Help", author="sam")
    wait_for(lambda: len(world.double.deliveries()) > told)
    world.settle()
    world.double.lose_webhooks(times=0)
    told = len(world.double.deliveries())
    world.look()
    world.settle()

    assert len(world.double.deliveries()) == told


def test_app_that_polls_asks_for_no_deliveries(world: World) -> None:
    """There is no webhook that could take them."""
    world.settings = replace(world.settings, github_events="poll")
    world.double.lose_webhooks()
    world.push()
    asked = len(world.double.requests())
    world.look()

    assert world.attempts() == [[502]]
    assert [one for one in world.double.requests()[asked:] if "deliveries" in one["path"]] == []
