"""The one rule for waiting for GitHub: as long as it says, longer each time, until a story has to go on without it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from domain import messages, messages_changes, messages_schedules
from orchestrators.retries import PATIENTLY

FIRST_PAUSE, LONGEST_PAUSE = 15.0, 900.0  # seconds between two tries, when GitHub does not ask for more


@dataclass(frozen=True)
class Patience:
    """For how long a story asks GitHub for what it cannot do without, and what it says when that was in vain."""

    hours: float
    away: str


# A commit has one release: who gives up early makes people merge again.
FOR_A_RELEASE = Patience(24.0, messages.GITHUB_AWAY)
# People look at their change, and a push or Re-run begins its validation anew.
FOR_A_CHANGE = Patience(1.0, messages_changes.GITHUB_AWAY)
# Whoever asked can ask again, and the next night comes: neither may still wait for this one.
FOR_AN_EVALUATION = Patience(5.0, messages_schedules.AWAY)
# Nobody is told again to look at a label that moved.
FOR_A_LABEL = Patience(24.0, messages_changes.GITHUB_AWAY)


def ask_github(
    context: df.DurableOrchestrationContext, activity: Any, payload: Any, patience: Patience
) -> Generator[Any, Any, dict[str, Any]]:
    """Return what the activity answers, or {"error": words, "away": true} when GitHub is away for too long."""
    until = context.current_utc_datetime + timedelta(hours=patience.hours)
    pause = FIRST_PAUSE
    while True:
        answer: dict[str, Any] = yield context.call_activity_with_retry(activity, PATIENTLY, payload)
        if "retry_after" not in answer:
            return answer
        now = context.current_utc_datetime
        if now >= until:
            return {"error": patience.away, "away": True}
        yield context.create_timer(now + timedelta(seconds=max(float(answer["retry_after"]), pause)))
        pause = min(LONGEST_PAUSE, 2 * pause)
