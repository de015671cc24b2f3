"""A GitHub with one merged change, the settings that lead there, and a release of that change."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import settings
from adapters import connect
from adapters.blobs import Blobs
from adapters.outbox import Drained, drain
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from domain import timeline
from domain.models import Change, ReleaseRecord, StageState
from tests import samples

TOKEN = "ghp_of_the_tests"
AT = "2026-11-23T09:00:00Z"
_numbers = itertools.count(1)


@dataclass
class World:
    """GitHub's side and ours."""

    double: Client
    settings: settings.Settings
    blobs: Blobs
    repository: str
    record: ReleaseRecord
    minutes: int = 0

    def deliver(self) -> Drained:
        """Let the timer deliver what waits for GitHub, a minute later each time."""
        self.minutes += 1
        github = connect.github(self.settings)
        return drain(self.blobs, github, lambda: time.time() + 60 * self.minutes)

    def merge(self, author: str = "alex") -> dict[str, Any]:
        """Let somebody bring a change and sam merge it."""
        branch = f"{author}/{uuid.uuid4().hex[:8]}"
        self.double.push(self.repository, branch, {f"{branch[-8:]}.txt": "x"}, "Change", author=author)
        number = int(self.double.open_pull_request(self.repository, branch, "Answer better", author=author)["number"])
        return self.double.merge(self.repository, number, by="sam")

    def comments(self, number: int) -> list[str]:
        """Return the comments on a change."""
        return [str(comment["body"]) for comment in self.double.pull(self.repository, number)["comments"]]

    def statuses(self) -> list[tuple[str, str]]:
        """Return the commit statuses, oldest first."""
        statuses = self.double.commit(self.repository, self.record.commit.sha)["statuses"]
        return [(one["context"], one["state"]) for one in sorted(statuses, key=lambda one: one["id"])]


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A GitHub that knows one token."""
    options = Options(tmp_path_factory.mktemp("github"), access=Access(token=TOKEN, login="drawbridge-ci"))
    with running(options) as origin:
        yield Client(origin)


@pytest.fixture
def world(double: Client, azurite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A fresh repository with one merged change, by alex, and its release."""
    repository = f"acme/app{next(_numbers)}"
    double.create_repository(repository)
    environment = {
        "DRAWBRIDGE_REPOSITORIES": repository,
        "DRAWBRIDGE_PUBLIC_URL": "https://drawbridge.acme.example",
        "DRAWBRIDGE_CONTAINER": f"activities-{uuid.uuid4().hex}",
        "DRAWBRIDGE_WEBHOOK_SECRET": "webhook-secret-of-the-tests",
        "DRAWBRIDGE_LINK_SECRET": "link-secret-of-the-tests",
        "DRAWBRIDGE_GITHUB_URL": double.origin,
        "DRAWBRIDGE_GITHUB_TOKEN": TOKEN,
        "DRAWBRIDGE_PEOPLE": json.dumps({}),
        "DRAWBRIDGE_STATE": str(tmp_path / "state"),
        "AzureWebJobsStorage": azurite,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings.current.cache_clear()
    known = settings.current()
    made = World(double, known, connect.blobs(known), repository, None)  # type: ignore[arg-type]
    made.record = release_of(repository, made.merge())
    yield made
    double.clear_faults()
    settings.current.cache_clear()


def release_of(repository: str, *pulls: dict[str, Any]) -> ReleaseRecord:
    """Return the record of a release that has been evaluated and built, of the last of these merges."""
    sha = pulls[-1]["merge_commit_sha"]
    changes = tuple(
        Change(pull["number"], pull["title"], pull["user"]["login"], "sam", AT, (), pull["html_url"]) for pull in pulls
    )
    commit = replace(samples.origin().commit, repository=repository, sha=sha)
    known = samples.record(id=f"release-{repository.replace('/', '.')}-{sha}", repository=repository)
    known = timeline.know_origin(known, samples.origin(commit=commit, changes=changes))
    known = timeline.end(known, timeline.PREPARE, StageState.PASSED, AT)
    return replace(timeline.add_evaluation(known, samples.summary()), image=samples.IMAGE)


def run(activity: Any, payload: Any) -> Any:
    """Run an activity as the host does."""
    return activity.build().get_user_function()(payload)
