"""Reconciler: how many requests count against the rate limit when nothing is new, with 200 changes and 500 commits.

Against the double of GitHub, which counts as GitHub does: a 304 to a conditional request is free. Two passes are
measured: one as usual, and one whose etags no longer fit, as it happens to an App every hour with its new token.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from adapters import github_seen
from adapters.blobs import Blobs
from adapters.github import GitHub
from benchmarks.deliveries import REPOSITORY, SECRET
from benchmarks.local_system import local_system
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from domain import blob_names
from domain.reconcile import Pass, Seen
from settings import Settings
from triggers import reconcile

GOAL = 10  # requests
CHANGES = 200
COMMITS = 500
TOKEN = "token-of-the-double"  # noqa: S105  of a double that lives for one benchmark
NOT_MODIFIED = 304


@dataclass
class Started:
    """A durable client that only remembers: nothing runs beside what is measured."""

    instances: set[str] = field(default_factory=set)

    async def start_new(self, _orchestrator: str, instance: str, _payload: Any) -> str:
        """Start an instance."""
        self.instances.add(instance)
        return instance

    async def get_status(self, _instance: str) -> None:
        """Know nothing: nothing is asked for twice here."""


@dataclass(frozen=True)
class World:
    """A repository, and an app that compares it with what exists."""

    double: Client
    settings: Settings
    blobs: Blobs
    client: Started

    def look(self) -> tuple[float, int, int]:
        """Make a pass; return its seconds, the requests it sent, and those of them that counted."""
        github_seen.save(self.blobs, blob_names.SEEN_PASS, Pass())
        before = len(self.double.requests())
        github = GitHub(self.double.origin, TOKEN)
        started = time.perf_counter()
        asyncio.run(reconcile.run(self.client, self.blobs, self.settings, lambda: github))  # type: ignore[arg-type]
        seconds = time.perf_counter() - started
        sent = self.double.requests()[before:]
        return seconds, len(sent), sum(one["status"] != NOT_MODIFIED for one in sent)

    def forget_etags(self) -> None:
        """Let every etag be one that GitHub does not know."""
        name = blob_names.seen(REPOSITORY)
        seen = github_seen.load(self.blobs, name, Seen)
        pages = {path: replace(page, etag='"of-another-token"') for path, page in seen.pages.items()}
        github_seen.save(self.blobs, name, replace(seen, pages=pages))


def main(runs: int) -> list[dict[str, Any]]:
    """Fill a repository, let everything in it be dealt with, and count what looking again costs."""
    with tempfile.TemporaryDirectory() as folder, local_system(Path(folder)) as system:
        options = Options(Path(folder, "github"), access=Access(token=TOKEN))
        with running(options) as origin:
            world = _world(Path(folder), system.blobs, origin)
            usual, cold = [], []
            for _ in range(runs):
                usual.append(world.look())
                world.forget_etags()
                cold.append(world.look())
    return [_row("nothing new", usual), _row("nothing new, no etag fits", cold)]


def _world(folder: Path, blobs: str, origin: str) -> World:
    settings = Settings.from_env(
        {
            "DRAWBRIDGE_REPOSITORIES": REPOSITORY,
            "DRAWBRIDGE_PUBLIC_URL": "http://localhost",
            "DRAWBRIDGE_WEBHOOK_SECRET": SECRET,
            "DRAWBRIDGE_LINK_SECRET": "link-secret",
            "DRAWBRIDGE_GITHUB_URL": origin,
            "DRAWBRIDGE_GITHUB_TOKEN": TOKEN,
            "DRAWBRIDGE_GITHUB_EVENTS": "poll",
            "DRAWBRIDGE_STATE": str(folder / "state"),
            "AzureWebJobsStorage": blobs,
        }
    )
    world = World(Client(origin), settings, Blobs(blobs, f"bench-{uuid.uuid4().hex}"), Started())
    world.double.create_repository(REPOSITORY, branches=("main", "develop"))
    world.look()
    for number in range(CHANGES):
        branch = f"sam/{number}-x"
        world.double.push(REPOSITORY, branch, {f"{number}.txt": "x"}, base="develop")
        world.double.open_pull_request(REPOSITORY, branch, f"Change {number}", base="develop")
    for number in range(COMMITS):
        world.double.push(REPOSITORY, "main", {"count.txt": f"{number}"})
    for _ in range(2):  # the first starts everything, the second asks for what came in its place
        world.look()
    if len(world.client.instances) != CHANGES + 1:
        raise RuntimeError(f"{len(world.client.instances)} were started, not {CHANGES} validations and one release")
    return world


def _row(case: str, passes: list[tuple[float, int, int]]) -> dict[str, Any]:
    seconds, sent, counted = (statistics.median(each) for each in zip(*passes, strict=True))
    return {
        "name": f"reconciling {CHANGES} open changes and {COMMITS} commits: {case}",
        "ours": f"{counted:.0f} requests that count",
        "peer": f"one request per change and branch: {CHANGES + 2}",
        "ratio": counted,
        "goal": GOAL,
        "note": f"ratio is the number of requests; {sent:.0f} sent in {seconds:.2f} s",
    }
