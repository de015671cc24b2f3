"""Moving jobs on, look by look."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from activities.advance_jobs import MAX_LOST, advance
from adapters.blobs import Blobs
from domain import blob_names
from domain.models import Job, JobPhase
from tests.fakes import FakeCompute, row

PLAN = "evaluations/e/plan.json"


@pytest.fixture
def plan(blobs: Blobs) -> Blobs:
    """A plan of two shards."""
    shards = [
        {"job": asdict(Job(name, "rows", "5" * 64, {}, 60)), "results": blob_names.shard("e", number)}
        for number, name in enumerate(["e.0", "e.1"])
    ]
    blobs.write_json(PLAN, {"shards": shards})
    return blobs


def look(compute: FakeCompute, blobs: Blobs, **fields: Any) -> dict[str, Any]:
    """Advance once."""
    known = {"submit": False, "known": [], "lost": {}, **fields}
    return advance(PLAN, "shards", known["submit"], known["known"], known["lost"], compute, blobs)


def test_first_look_submits_every_job(plan: Blobs, tmp_path: Path) -> None:
    """Submitting is by name, so a second first look would run nothing twice."""
    compute = FakeCompute(tmp_path, {"e.0": [JobPhase.QUEUED], "e.1": [JobPhase.RUNNING]})

    moved = look(compute, plan, submit=True)

    assert compute.submitted == ["e.0", "e.1"]
    assert moved == {"finished": {}, "lost": {}, "jobs": 2, "rows": {"done": 4, "total": 8}}


def test_results_of_a_finished_shard_are_stored(plan: Blobs, tmp_path: Path) -> None:
    """They lie in blobs before the orchestration hears of them."""
    compute = FakeCompute(tmp_path, {"e.0": [JobPhase.DONE], "e.1": [JobPhase.RUNNING]})
    compute.finish("e.0", [row("a", 0.5)])

    moved = look(compute, plan)

    assert moved["finished"] == {"0": {"ok": True, "error": "", "metrics": {}}}
    assert b'"id": "a"' in (plan.read(blob_names.shard("e", 0)) or b"")


def test_known_jobs_are_not_taken_in_again(plan: Blobs, tmp_path: Path) -> None:
    """What the orchestration knows to be over costs nothing any more."""
    compute = FakeCompute(tmp_path, {"e.0": [JobPhase.DONE], "e.1": [JobPhase.RUNNING]})

    assert look(compute, plan, known=["0"])["finished"] == {}


def test_failed_job_keeps_its_half_of_the_results(plan: Blobs, tmp_path: Path) -> None:
    """The rows it had written are results; its error says why there are no more."""
    compute = FakeCompute(tmp_path, {"e.0": [JobPhase.FAILED], "e.1": [JobPhase.RUNNING]})
    compute.finish("e.0", [row("a", 0.5)])
    compute.results["e.0"] = {"ok": False, "error": "disk full"}

    moved = look(compute, plan)

    assert moved["finished"]["0"] == {"ok": False, "error": "disk full", "metrics": {}}
    assert plan.exists(blob_names.shard("e", 0))


def test_lost_job_is_started_again_and_given_up_in_the_end(plan: Blobs, tmp_path: Path) -> None:
    """A process that vanishes every time must not run for ever."""
    compute = FakeCompute(tmp_path, {"e.0": [JobPhase.LOST], "e.1": [JobPhase.RUNNING]})
    lost: dict[str, int] = {}
    finished: dict[str, Any] = {}
    looks = 0
    while not finished:
        moved = look(compute, plan, lost=lost)
        lost, finished, looks = moved["lost"], moved["finished"], looks + 1

    assert looks == MAX_LOST
    assert compute.submitted == ["e.0"] * (MAX_LOST - 1)
    assert finished["0"]["ok"] is False


def test_last_words_of_a_vanished_validation_are_kept_with_its_steps_and_not_told(blobs: Blobs, tmp_path: Path) -> None:
    """GitHub shows why a validation failed, and what a process printed may be anything."""
    job = Job("c.validate", "validate", "5" * 64, {}, 60)
    blobs.write_json(PLAN, {"shards": [{"job": asdict(job), "results": "c.jsonl"}]})
    compute = FakeCompute(tmp_path, {job.name: [JobPhase.LOST]})
    compute.results_file(job.name).write_text('{"step": "lint", "ok": true}\n')

    for _ in range(2):  # the activity may run twice
        moved = look(compute, blobs, lost={"0": MAX_LOST - 1})

    steps = [json.loads(line) for line in (blobs.read("c.jsonl") or b"").splitlines()]
    assert moved["finished"]["0"]["error"] == "the worker process ended without a result, 3 times"
    assert [(step["step"], step["ok"]) for step in steps] == [("lint", True), ("the worker process ended", False)]
    assert steps[1]["output_tail"] == "log of c.validate"


def test_cancelled_plan_ends_all_its_jobs(plan: Blobs, tmp_path: Path) -> None:
    """Nobody waits for them any more."""
    compute = FakeCompute(tmp_path, {"e.0": [JobPhase.RUNNING], "e.1": [JobPhase.RUNNING]})
    plan.write(blob_names.cancelled(PLAN), b"")

    moved = look(compute, plan, known=["1"])

    assert compute.cancelled == ["e.0", "e.1"]
    assert moved["finished"] == {"0": {"ok": False, "error": "cancelled", "metrics": {}}}
