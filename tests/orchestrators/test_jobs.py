"""Running a plan's jobs, for minutes or for hours."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from orchestrators.jobs import LOOKS_PER_GENERATION, run_jobs
from tests.orchestrators.stage import START, Stage

WORK = {"plan": "p", "part": "shards", "poll": 60, "stage": "evaluate-full"}


def compute(looks: int) -> Any:
    """Return an `advance_jobs` that finishes job 0 at the first look and job 1 at look number `looks`."""
    seen: list[Any] = []

    def advance(look: Any) -> Any:
        seen.append(look)
        finished = {"0": {"ok": True, "error": ""}} if len(seen) == 1 else {}
        if len(seen) == looks:
            finished["1"] = {"ok": False, "error": "stuck"}
        return {"finished": finished, "lost": {"1": 1}, "jobs": 2, "rows": {"done": len(seen), "total": looks}}

    return advance


def test_all_jobs_are_waited_for_and_their_errors_returned() -> None:
    """A job that failed does not hide the one that did not."""
    stage = Stage({"advance_jobs": compute(3)})

    finished = stage.play(run_jobs, WORK)

    assert finished == [{"ok": True, "error": ""}, {"ok": False, "error": "stuck"}]


def test_jobs_are_submitted_once_and_finished_ones_not_looked_at_again() -> None:
    """Only the first look submits; what is lost is passed on."""
    stage = Stage({"advance_jobs": compute(3)})

    stage.play(run_jobs, WORK)

    looks = stage.payloads("advance_jobs")
    assert [look["submit"] for look in looks] == [True, False, False]
    assert [look["finished"] for look in looks] == [[], ["0"], ["0"]]
    assert [look["lost"] for look in looks] == [{}, {"1": 1}, {"1": 1}]


def test_hours_of_waiting_continue_as_new_and_lose_nothing() -> None:
    """Six hours at a look a minute: several generations, one submission, the start time kept."""
    stage = Stage({"advance_jobs": compute(360)})

    finished = stage.play(run_jobs, WORK)

    assert len(finished) == 2
    assert stage.generations == 360 // LOOKS_PER_GENERATION
    assert [look["submit"] for look in stage.payloads("advance_jobs")].count(True) == 1
    assert stage.now == START + timedelta(minutes=359)
    assert {status["since"] for status in stage.statuses} == {START.isoformat()}


def test_progress_is_drawable_at_every_look() -> None:
    """Stage, rows done and total are in the custom status, with an expected end once rows move."""
    stage = Stage({"advance_jobs": compute(3)})

    stage.play(run_jobs, WORK)

    assert [(status["stage"], status["done"], status["total"]) for status in stage.statuses] == [
        ("evaluate-full", 1, 3),
        ("evaluate-full", 2, 3),
        ("evaluate-full", 3, 3),
    ]
    assert stage.statuses[1]["expected_end"] == (START + timedelta(seconds=90)).isoformat()
