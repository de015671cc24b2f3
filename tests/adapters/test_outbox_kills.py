"""A process may end anywhere between posting and delivering: GitHub shows the newest state, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from adapters.github import GitHub
from adapters.outbox import PENDING, Outbox
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from domain.outbox import Comment, DeploymentState, Message, Reply, Status
from tests.model.memory import MemoryBlobs

TOKEN, REPOSITORY = "ghp_of_the_tests", "acme/helpdesk"
FIRST, SECOND = "2027-01-15T08:00:00Z", "2027-01-15T08:01:00Z"


class Killed(BaseException):
    """The process ended there."""


@dataclass
class Killer:
    """Ends the process at the n-th call to the storage, once: nothing it does afterwards has an effect."""

    number: int
    calls: int = 0
    dead: bool = False

    def __call__(self, _name: str) -> None:
        """Count, and strike."""
        self.calls += 1
        self.dead = self.dead or self.calls == self.number
        if self.dead:
            raise Killed

    def again(self, act: Callable[[], object], clock: list[float]) -> None:
        """Run an activity; when its process ends, once more in another one, as soon as somebody finds out."""
        try:
            act()
        except Killed:
            clock[0] += 120
            self.dead = False
            act()


@dataclass
class Site:
    """GitHub with one open change."""

    double: Client
    github: GitHub
    sha: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    options = Options(tmp_path_factory.mktemp("github"), access=Access(token=TOKEN, login="drawbridge-ci"))
    with running(options) as origin:
        double = Client(origin)
        sha = double.create_repository(REPOSITORY)["heads"]["main"]
        double.push(REPOSITORY, "alex/1-answer", {"a.txt": "a"}, "Change", author="alex")
        double.open_pull_request(REPOSITORY, "alex/1-answer", "Answer better", author="alex")
        yield Site(double, GitHub(origin, TOKEN), sha)


def tell(site: Site, messages: list[Message], number: int) -> int:
    """Post and deliver each message, as activities do that run again when their process ends; count the calls."""
    killer = Killer(number)
    blobs = MemoryBlobs(killer)  # type: ignore[arg-type]  # it strikes, or returns None
    clock = [1_800_000_000.0]
    box = Outbox(blobs, lambda: site.github, lambda: clock[0])

    def activity(message: Message) -> None:
        box.post(message)
        box.drain()

    for message in messages:
        killer.again(lambda message=message: activity(message), clock)  # type: ignore[misc]
    killer.again(box.drain, clock)  # the timer
    calls, killer.number = killer.calls, 0
    assert blobs.names(PENDING) == []
    return calls


def statuses(site: Site, key: str) -> list[str]:
    """Return the descriptions of a stage, oldest first."""
    found = sorted(site.double.commit(REPOSITORY, site.sha)["statuses"], key=lambda one: int(one["id"]))
    return [one["description"] for one in found if one["context"] == key]


def comments(site: Site, key: str) -> list[str]:
    """Return our comments with a marker."""
    found = [str(one["body"]).split("\n") for one in site.double.pull(REPOSITORY, 1)["comments"]]
    return [body for marker, body in found if marker == f"<!-- drawbridge:{key} -->"]


def deployments(site: Site, key: str) -> list[str]:
    """Return the states of the deployments of a release, oldest first."""
    found = site.double.commit(REPOSITORY, site.sha)["deployments"]
    (ours,) = [one for one in found if one["payload"] == {"release": key}]
    return [one["description"] for one in sorted(ours["statuses"], key=lambda one: int(one["id"]))]


def status(site: Site, key: str, words: str, at: str) -> Message:
    """How a stage stands."""
    return Status(REPOSITORY, site.sha, key, "running", words, "", at=at, urgent=True)


def comment(site: Site, key: str, words: str, at: str) -> Message:
    """What is said about a change."""
    return Comment(REPOSITORY, 1, site.sha, key, words, at=at, urgent=True)


def reply(_site: Site, key: str, _words: str, at: str) -> Message:
    """What is answered once."""
    return Reply(REPOSITORY, 1, key, "old", at=at, urgent=True)


def deployment(site: Site, key: str, words: str, at: str) -> Message:
    """How a deployment goes."""
    return DeploymentState(REPOSITORY, site.sha, key, key, "in_progress", words, "", "", at=at, urgent=True)


@pytest.mark.parametrize(
    ("make", "shown", "expected"),
    [
        (status, statuses, ["old", "new"]),
        (comment, comments, ["new"]),
        (reply, comments, ["old"]),
        (deployment, deployments, ["old", "new"]),
    ],
)
def test_killed_anywhere_github_shows_each_thing_once(
    site: Site, make: Callable[..., Message], shown: Callable[..., list[str]], expected: list[str]
) -> None:
    """At every single call to the storage, between which the writes to GitHub lie."""
    seen: dict[int, Any] = {}
    number, calls = 1, 2
    while number <= calls:
        key = f"{make.__name__}-{number}"
        calls = tell(site, [make(site, key, "old", FIRST), make(site, key, "new", SECOND)], number)
        found = shown(site, key)
        if found not in (expected, expected[-1:]):  # the newer one may have taken the older one's place
            seen[number] = found
        number += 1

    assert seen == {}
    assert number > 20
