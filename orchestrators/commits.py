"""Steps that several stories take with a commit: fetch its files, read its own config, evaluate it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from activities.fetch_snapshot import fetch_snapshot
from activities.read_config import read_config
from orchestrators.patience import FOR_AN_EVALUATION, ask_github
from orchestrators.retries import PATIENTLY

Steps = Generator[Any, Any, Any]


def read_commit(context: df.DurableOrchestrationContext, repository: str, sha: str) -> Steps:
    """Return {"snapshot": sha256, "config"} of a commit, or {"error": what to mend}, with "away" if GitHub is."""
    fetched = yield from ask_github(context, fetch_snapshot, {"repository": repository, "sha": sha}, FOR_AN_EVALUATION)
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
