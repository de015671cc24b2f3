"""Webhook: how long a signed delivery waits for its answer while 50 are under way, beside a bare HTTP trigger.

Both triggers are served by one host process and get the same bytes in turn: the app as it is, and a trigger that
answers 202 and does nothing else. GitHub accepts connections and never answers, so the releases that start wait for it
instead of taking the host's time from the deliveries after them; they are terminated between measurements.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.blobs import Blobs
from benchmarks.deliveries import SENDERS, new_sha, other, p99, push, send, to
from benchmarks.local_system import LocalSystem, local_system
from domain import blob_names

GOAL = 1.5
DEDUPLICATION_GOAL = 1 / 0.7  # of the time: throughput of at least 0.7 of the peer's
PUSHES = 1_000
COPIES = 10  # of each push
# The webhook alone, over releases that end at once; and a trigger that reads and decides the same and starts each time.
STARTS_ALONE = """\
import json
import uuid

import azure.durable_functions as df
import azure.functions as func

from domain.git_flow import decide
from settings import current
from triggers import github_webhook
from triggers.dispatch import starts

app = df.DFApp()
app.register_functions(github_webhook.bp)


@app.orchestration_trigger(context_name="context")
def release(context):
    return None


@app.route(route="without", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@app.durable_client_input(client_name="client")
async def without(req: func.HttpRequest, client) -> func.HttpResponse:
    settings = current()
    event = github_webhook.read_event(req.headers, req.get_body(), settings.webhook_secret)
    (action,) = decide(event, settings.repositories, *settings.branches(event.repository))
    start = starts(action)
    instance = f"without-{uuid.uuid4().hex}"
    await client.start_new(start.orchestrator, instance, start.payload)
    return func.HttpResponse(json.dumps({"instance": instance}), status_code=202)
"""
MERGES = 5  # in each round of the mix
# What GitHub says around one merge: the merge itself, pushes elsewhere, and what people, checks and Drawbridge do.
AROUND_ONE_MERGE = {
    "status": 14,
    "check_run": 12,
    "pull_request": 6,
    "check_suite": 4,
    "issue_comment": 4,
    "deployment_status": 4,
}
PUSHES_ELSEWHERE = 5


def as_github_sends_them() -> list[bytes]:
    """Return 250 deliveries around 5 merges, in random order: one in 50 starts a release."""
    requests = nothing_to_do()[:-MERGES] + [push(new_sha()) for _ in range(MERGES)]
    random.shuffle(requests)
    return requests


def nothing_to_do() -> list[bytes]:
    """Return 250 deliveries of which none starts anything."""
    requests = [other(event) for event, count in AROUND_ONE_MERGE.items() for _ in range(count)]
    requests += [push(new_sha(), f"sam/{n}") for n in range(PUSHES_ELSEWHERE)]
    return (requests * (MERGES + 1))[: SENDERS * MERGES]


def one_push() -> list[bytes]:
    """Return one push 50 times."""
    return [push(new_sha())] * SENDERS


def many_pushes() -> list[bytes]:
    """Return 50 pushes, each of a commit of its own."""
    return [push(new_sha()) for _ in range(SENDERS)]


@dataclass(frozen=True)
class Case:
    """One kind of load."""

    name: str
    requests: Callable[[], list[bytes]]
    rounds: int  # in each run
    note: str


CASES = (
    Case("as GitHub sends them", as_github_sends_them, 6, "250: 2 % claim and start a release"),
    Case("events that start nothing", nothing_to_do, 6, "250; what is more: verifying, parsing, logging"),
    Case("one push 50 times at once", one_push, 10, "50: one claims and starts, 49 wait and learn of it"),
    Case("50 different pushes at once", many_pushes, 4, "50: all claim and start"),
)


@dataclass(frozen=True)
class Round:
    """The seconds that each delivery of one round waited, at both triggers."""

    ours: list[float]
    bare: list[float]


def main(runs: int) -> list[dict[str, Any]]:
    """Measure each load, the two triggers alternating."""
    with tempfile.TemporaryDirectory() as folder, local_system(Path(folder)) as system:
        for case in CASES:  # once unmeasured: what is imported on first use is there
            _round(system, case)
        rounds: dict[Case, list[Round]] = {case: [] for case in CASES}
        for _ in range(runs):
            for case in CASES:
                rounds[case] += [_round(system, case) for _ in range(case.rounds)]
        alone = statistics.median(_start_alone(system) for _ in range(runs))
        storage = statistics.median(_claims_alone(system) for _ in range(runs))
    rows = [_row(case, rounds[case]) for case in CASES]
    rows[0]["note"] += (
        f", so p99 is a start: {alone * 1000:.0f} ms alone; under load its calls to storage and to the durable API"
        " queue behind the other deliveries"
    )
    rows[-1]["note"] += (
        f"; Azurite alone takes {storage * 1000:.0f} ms to note and claim 50 at once, a bare trigger keeps none"
    )
    return [*rows, _deduplicated(runs, COPIES), _deduplicated(runs, 1)]


def _deduplicated(runs: int, copies: int) -> dict[str, Any]:
    """Compare the time for 1,000 pushes, each delivered so often, with that of starting once a delivery."""
    times = [_storm(copies) for _ in range(min(runs, 3))]
    ours, peer = (statistics.median(each) for each in zip(*times, strict=True))
    count = PUSHES * copies
    often = f"each {copies} times" if copies > 1 else "each once"
    return {
        "name": f"webhook, {SENDERS} senders: {PUSHES:,} pushes, {often}",
        "ours": f"{PUSHES:,} starts; {count / ours:.0f} deliveries/s",
        "peer": f"without deduplication: {count:,} starts; {count / peer:.0f} deliveries/s",
        "ratio": statistics.median(mine / theirs for mine, theirs in times),
        "goal": round(DEDUPLICATION_GOAL, 2) if copies > 1 else None,
        "note": f"time for time, {len(times)} rounds; releases that end at once"
        + ("" if copies > 1 else "; what a claim costs when nothing comes twice"),
    }


def _storm(copies: int) -> tuple[float, float]:
    """Return the seconds that all deliveries took, with and without deduplication, each over an empty hub."""
    requests = [push(new_sha()) for _ in range(PUSHES)] * copies
    random.shuffle(requests)
    return _storm_at("/api/github/webhook", requests, "release-"), _storm_at("/api/without", requests, "without-")


def _storm_at(path: str, requests: list[bytes], prefix: str) -> float:
    sent = [to(path, request) for request in requests]
    with tempfile.TemporaryDirectory() as folder, local_system(Path(folder), STARTS_ALONE) as system:
        asyncio.run(
            send(system.port, [to(path, push(new_sha())) for _ in range(SENDERS)])
        )  # what is imported late is there
        started = time.perf_counter()
        asyncio.run(send(system.port, sent))
        seconds = time.perf_counter() - started
        starts = len(system.instances(f"instanceIdPrefix={prefix}")) - SENDERS
    wanted = PUSHES if prefix == "release-" else len(requests)
    if starts != wanted:
        raise RuntimeError(f"{len(requests)} deliveries of {PUSHES} pushes started {starts} releases, not {wanted}")
    return seconds


def _round(system: LocalSystem, case: Case) -> Round:
    requests = case.requests()
    bare = asyncio.run(send(system.port, [to("/api/bare", request) for request in requests]))
    ours = asyncio.run(send(system.port, requests))
    system.forget_releases()
    return Round(ours, bare)


def _start_alone(system: LocalSystem) -> float:
    """Return the seconds that a push waits which starts a release while nothing else is delivered."""
    times = [seconds for _ in range(20) for seconds in asyncio.run(send(system.port, [push(new_sha())]))]
    system.forget_releases()
    return statistics.median(times)


def _claims_alone(system: LocalSystem) -> float:
    """Return the seconds until 50 starts are noted and claimed, all at once and without the app."""
    blobs = Blobs(system.blobs, f"bench-{uuid.uuid4().hex}")
    blobs.create("first", b"makes the container")

    def claim(number: int) -> None:
        blobs.write(blob_names.starting(str(number)), b"")
        blobs.create(blob_names.claim(str(number)), b"{}" * 150)

    with ThreadPoolExecutor(SENDERS) as senders:
        started = time.perf_counter()
        list(senders.map(claim, range(SENDERS)))
        return time.perf_counter() - started


def _row(case: Case, rounds: list[Round]) -> dict[str, Any]:
    """Compare the median of the rounds' p99, which one hiccup of the machine cannot move."""
    ours, bare = ([one.ours for one in rounds], [one.bare for one in rounds])
    return {
        "name": f"webhook p99, {SENDERS} senders: {case.name}",
        "ours": _times(ours),
        "peer": f"bare trigger, same host: {_times(bare)}",
        "ratio": statistics.median(p99(one.ours) / p99(one.bare) for one in rounds),
        "goal": GOAL,
        "note": f"p99 of each of {len(rounds)} rounds of {case.note}",
    }


def _times(rounds: list[list[float]]) -> str:
    high = statistics.median(p99(times) for times in rounds)
    middle = statistics.median(statistics.median(times) for times in rounds)
    return f"{high * 1000:.0f} ms (p50 {middle * 1000:.0f} ms)"
