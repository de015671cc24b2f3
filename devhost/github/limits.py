"""GitHub's limits on what it takes."""

from __future__ import annotations

from devhost.github.refusals import invalid

COMMENT = 65_536  # characters
DESCRIPTION = 140  # characters, of a status or deployment status
LABEL = 50  # characters
STATUSES = 1_000  # of one context on one commit
STATUS_STATES = ("error", "failure", "pending", "success")
DEPLOYMENT_STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")


def check_comment(resource: str, body: str) -> None:
    """Refuse a body over the limit."""
    if len(body) > COMMENT:
        raise invalid(resource, "data", f"Body is too long (maximum is {COMMENT} characters)", "unprocessable")


def check_description(resource: str, description: str | None) -> None:
    """Refuse a description over the limit."""
    if description is not None and len(description) > DESCRIPTION:
        raise invalid(resource, "description", f"description is too long (maximum is {DESCRIPTION} characters)")
