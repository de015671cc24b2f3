"""The host is killed again and again in the middle of a release, and the release ends as if nothing had been."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
import requests

from adapters import audit
from adapters.records import read_request, read_vote
from devhost.person import PageProblem
from domain.models import DebtState, ReleaseRecord
from tests.end_to_end.conftest import LONG, REPOSITORY, System

pytestmark = pytest.mark.timeout(LONG)


class Killer:
    """Kills the host at seeded moments and starts it again, until it is told to stop."""

    def __init__(self, system: System, seed: int, kills: int) -> None:
        self.system = system
        self.pauses = [random.Random(f"{seed}.{n}").uniform(0.3, 3.0) for n in range(kills)]
        self.kills = 0
        self.error: Exception | None = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self) -> Killer:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def _run(self) -> None:
        try:
            for pause in self.pauses:
                if self.stop.wait(pause):
                    return
                self.system.host.kill()
                self.kills += 1
                self.system.start_host()
        except Exception as error:
            self.error = error


def press_again(what: str, act: Callable[[], bool]) -> None:
    """Try again and again, like somebody whose page does not come, until `act` says that it is done."""
    for _ in range(120):
        try:
            if act():
                return
        except (requests.RequestException, PageProblem):
            pass  # the host is being killed, or the link has just been replaced
        time.sleep(0.5)
    pytest.fail(f"not possible: {what}")


def vote_patiently(system: System, number: int, person: str) -> None:
    """Vote through the newest link until the vote is kept."""
    release = system.release_of(number)

    def vote() -> bool:
        request = read_request(system.blobs, release, "prod")
        if request and read_vote(system.blobs, request, f"{person}@acme.example", [request.round]):
            return True
        system.vote(number, person, "prod", "approve")
        return False

    press_again(f"{person} votes", vote)


def pay_patiently(system: System, release: str) -> None:
    """Let the night come until it has paid what a release owes."""

    def paid() -> bool:
        debt = system.debt(release)
        if debt and debt.state is DebtState.PAID:
            return True
        if debt and debt.state is DebtState.OPEN:
            system.call_night()
        return False

    press_again("the night pays", paid)


def check_told_once(system: System, number: int, record: ReleaseRecord) -> None:
    """See that GitHub was told everything, and each thing once."""
    pull = system.wait_for_verdict(number, "released")
    system.wait_for_deployments(number, ["dev", "prod"])
    passed = [stage.name for stage in record.stages if not stage.name.startswith("deploy-")]
    system.wait_for_statuses(number, {f"drawbridge/{name}": "success" for name in passed})
    statuses = system.github.pull(REPOSITORY, number)["statuses"]
    said = Counter((status["context"], status["state"], status["description"]) for status in statuses)

    markers = [comment["body"].splitlines()[0] for comment in pull["comments"]]
    assert len(set(markers)) == len(markers), markers
    assert max(said.values()) == 1, said
    assert audit.verify(system.blobs).problems == ()


def test_release_survives_kills_of_the_host(system: System) -> None:
    """Each comment, deployment, status and approval is there exactly once, and the outcome is the same.

    The first kill comes as soon as the webhook was answered.
    """
    number = system.merge({"README.md": "hello"}, "Say hello")
    system.wait("the webhook", lambda: system.blobs.names("claims/release"))

    with Killer(system, seed=11, kills=8) as killer:
        vote_patiently(system, number, "maria")
        vote_patiently(system, number, "jonas")
        record = system.wait_for_end(system.release_of(number))

    assert killer.error is None
    assert killer.kills >= 4
    assert record.outcome == "released", record.reason
    check_told_once(system, number, record)
    assert {vote.approver for vote in record.votes["prod"]} == {"maria", "jonas"}
    evaluations = {summary.kind: (summary.rows, summary.scored) for summary in record.evaluations}
    assert evaluations == {"minimal": (8, 8), "full": (20, 20)}
    assert system.github.commit(REPOSITORY, "main")["sha"] == record.commit.sha


def test_debt_is_paid_once_however_often_the_host_is_killed(system: System) -> None:
    """The release skips its full evaluation, the night pays, people decide on what it found: all of it under fire."""
    number = system.merge_without_full_evaluation({"README.md": "hello"}, "Say hello")
    release = system.release_of(number)
    system.wait("the webhook", lambda: system.blobs.names("claims/release"))

    with Killer(system, seed=23, kills=6) as killer:
        system.wait("the debt", lambda: system.debt(release))
        pay_patiently(system, release)
        vote_patiently(system, number, "maria")
        vote_patiently(system, number, "jonas")
        record = system.wait_for_end(release)

    assert killer.error is None
    assert killer.kills >= 3
    assert record.outcome == "released", record.reason
    assert record.debt is not None
    assert record.debt.state is DebtState.PAID
    check_told_once(system, number, record)
    payments = [name for name in system.blobs.names(f"evaluations/{release}.full") if name.endswith("/summary.json")]
    assert payments == [f"evaluations/{record.debt.evaluation}/summary.json"]
