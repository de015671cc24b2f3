"""The host is killed again and again in the middle of a release, and the release ends as if nothing had been."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import pytest
import requests

from domain import blob_names
from tests.end_to_end.conftest import REPOSITORY, System


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


def vote_patiently(system: System, number: int, person: str) -> None:
    """Vote like somebody who presses the button again when the page does not come."""
    for _ in range(60):
        try:
            system.vote(number, person, "prod", "approve")
            return
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.5)
        except Exception as error:
            if "no form" in str(error):  # the first try had been recorded before the host died
                return
            time.sleep(0.5)
    pytest.fail(f"{person} could not vote")


def test_release_survives_kills_of_the_host(system: System) -> None:
    """Each comment, deployment, status and approval is there exactly once, and the outcome is the same.

    The first kill comes as soon as the webhook was answered.
    """
    number = system.merge({"README.md": "hello"}, "Say hello")
    system.wait("the webhook", lambda: system.blobs.names("claims/"))

    with Killer(system, seed=11, kills=8) as killer:
        vote_patiently(system, number, "maria")
        vote_patiently(system, number, "jonas")
        record = system.wait_for_end(system.release_of(number))
        pull = system.wait_for_verdict(number, "released")

    assert killer.error is None
    assert killer.kills >= 4
    assert record.outcome == "released", record.reason
    assert len(pull["comments"]) == 1
    assert Counter(deployment["environment"] for deployment in pull["deployments"]) == {"dev": 1, "prod": 1}
    stages = [stage.name for stage in record.stages if not stage.name.startswith("deploy-")]
    system.wait_for_statuses(number, {f"drawbridge/{name}": "success" for name in stages})
    statuses = system.github.pull(REPOSITORY, number)["statuses"]
    said = Counter((status["context"], status["state"], status["description"]) for status in statuses)
    assert max(said.values()) == 1
    votes = [system.blobs.read_json(name) for name in system.blobs.names(blob_names.votes(record.id, "prod", 1))]
    assert [vote["approver"] for vote in votes] == ["maria", "jonas"]
    evaluations = {summary.kind: (summary.rows, summary.scored) for summary in record.evaluations}
    assert evaluations == {"minimal": (8, 8), "full": (20, 20)}
    assert system.github.commit(REPOSITORY, "main")["sha"] == record.commit.sha
