"""Steps that several stories take with a commit: ask GitHub with patience, fetch its files, read its own config."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from activities.fetch_snapshot import fetch_snapshot
from activities.read_config import read_config
from domain import messages_schedules as words
from orchestrators.retries import PATIENTLY

Steps = Generator[Any, Any, Any]

ASKED = 24  # times that GitHub is asked; with the pauses about five hours
FIRST_PAUSE, LONGEST_PAUSE = 15.0, 900.0  # seconds between two of them, when GitHub does not say how long


def ask_github(context: df.DurableOrchestrationContext, activity: Any, payload: dict[str, Any]) -> Steps:
    """Return what the activity answers, or {"error", "away": true} when GitHub is away for too long."""
    for asked in range(ASKED):
        answer = yield context.call_activity_with_retry(activity, PATIENTLY, payload)
        if "retry_after" not in answer:
            return answer
        pause = max(float(answer["retry_after"]), min(LONGEST_PAUSE, FIRST_PAUSE * 2**asked))
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=pause))
    return {"error": words.AWAY, "away": True}


def read_commit(context: df.DurableOrchestrationContext, repository: str, sha: str) -> Steps:
    """Return {"snapshot": sha256, "config"} of a commit, or {"error": what to mend} (with "away", see ask_github)."""
    fetched = yield from ask_github(context, fetch_snapshot, {"repository": repository, "sha": sha})
    if "error" in fetched:
        return fetched
    snapshot = fetched["snapshot"]["sha256"]
    found = yield context.call_activity_with_retry(read_config, PATIENTLY, {"snapshot": snapshot})
    return found if "error" in found else {"snapshot": snapshot, "config": found["config"]}


def order(evaluation: str, kind: str, plan: str, repository: str, sha: str, commit: dict[str, Any]) -> dict[str, Any]:
    """Return what the orchestration `evaluation` needs. `plan` is the part of the config: minimal or full."""
    return {
        "id": evaluation,
        "kind": kind,
        "plan": plan,
        "repository": repository,
        "commit": sha,
        "snapshot": commit["snapshot"],
        "config": commit["config"],
    }
