"""Where everything lies in the container. Other people read these blobs, so the names are a contract."""

from __future__ import annotations

import re
from urllib.parse import quote


def is_id(text: str) -> bool:
    """Say whether a text from outside can be the id of a release or an evaluation; nothing else may become a name."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,250}", text) is not None


def snapshot(sha256: str) -> str:
    """Name a snapshot's archive."""
    return f"snapshots/{sha256}.tar.gz"


def claim(instance: str) -> str:
    """Name the blob whose creation lets exactly one caller start an instance."""
    return f"claims/{instance}"


def record(release: str) -> str:
    """Name a release's record."""
    return f"releases/{release}/record.json"


def validation_plan(release: str) -> str:
    """Name the plan of a release's validation."""
    return f"releases/{release}/validation.json"


def validation_results(release: str) -> str:
    """Name what each step of a release's validation printed."""
    return f"releases/{release}/validation.jsonl"


def evidence(release: str, environment: str) -> str:
    """Name the evidence that approvers of an environment see."""
    return f"releases/{release}/evidence/{environment}.json"


def approval_request(release: str, environment: str) -> str:
    """Name the question to the approvers of an environment."""
    return f"releases/{release}/approvals/{environment}/request.json"


def vote(release: str, environment: str, approver: int) -> str:
    """Name the one vote an approver has. `approver` is the index into the request's approvers."""
    return f"releases/{release}/approvals/{environment}/{approver}.json"


def approval_outcome(release: str, environment: str) -> str:
    """Name what the votes on an environment came to."""
    return f"releases/{release}/approvals/{environment}/outcome.json"


def plan(evaluation: str) -> str:
    """Name everything an evaluation's result depends on."""
    return f"evaluations/{evaluation}/plan.json"


def cancelled(plan_blob: str) -> str:
    """Name the mark that stops a plan's jobs."""
    return f"{plan_blob}.cancelled"


def shard(evaluation: str, number: int) -> str:
    """Name the result rows of one shard."""
    return f"evaluations/{evaluation}/shards/{number}.jsonl"


def shards(evaluation: str) -> str:
    """Name the prefix of all result rows of an evaluation."""
    return f"evaluations/{evaluation}/shards/"


def summary(evaluation: str) -> str:
    """Name what an evaluation came to."""
    return f"evaluations/{evaluation}/summary.json"


def baseline(repository: str, dataset: str) -> str:
    """Name the evaluation that production last passed on a dataset."""
    return f"baselines/{repository.lower().replace('/', '.')}/{quote(dataset, safe='')}.json"
