"""Run a plan's jobs on the evaluation compute and wait for them, for minutes or for six hours."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

from activities.advance_jobs import advance_jobs
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()

# Each look costs about eight history events, and replaying them costs the square of their number: measured, 40 keeps
# a generation far below 1,000 events and 1 MB, and its replay cheap.
LOOKS_PER_GENERATION = 40


def expected_end(since: str, now: datetime, done: int, total: int) -> str | None:
    """Say when the last row is done if the rest takes as long per row as so far; None before anything is known."""
    begun = datetime.fromisoformat(since)
    if done == 0 or now <= begun:
        return None
    return (begun + (now - begun) * total / done).isoformat()


@bp.orchestration_trigger(context_name="context")
def run_jobs(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Return what each job came to, in the plan's order: [{"ok": bool, "error": str, "metrics": {}}].

    Input: {"plan": blob, "part": of the plan, "poll": seconds, "stage": name} and, from the generation before,
    {"finished", "lost", "since"}. One activity moves all jobs on, so the history does not grow with their number.
    """
    work = context.get_input()
    finished: dict[str, Any] = dict(work.get("finished", {}))
    lost: dict[str, int] = dict(work.get("lost", {}))
    submit = "since" not in work  # only the first look of the first generation
    since = work.get("since") or context.current_utc_datetime.isoformat()
    for _ in range(LOOKS_PER_GENERATION):
        look = {"plan": work["plan"], "part": work["part"], "finished": sorted(finished), "lost": lost}
        progress = yield context.call_activity_with_retry(advance_jobs, PATIENTLY, {**look, "submit": submit})
        submit = False
        finished |= progress["finished"]
        lost = progress["lost"]
        context.set_custom_status(
            {
                "stage": work["stage"],
                "since": since,
                **progress["rows"],
                "expected_end": expected_end(since, context.current_utc_datetime, **progress["rows"]),
            }
        )
        if len(finished) == progress["jobs"]:
            return [finished[str(number)] for number in range(len(finished))]
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=work["poll"]))
    context.continue_as_new({**work, "finished": finished, "lost": lost, "since": since})
    return None
