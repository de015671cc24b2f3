"""Issues: opened, closed and reopened."""

from __future__ import annotations

from devhost.github import limits, threads
from devhost.github.double import Double
from devhost.github.refusals import Refused, invalid
from devhost.github.store import Record, now


def create(
    double: Double, repository: Record, title: str, body: str, by: str, labels: list[str] | None = None
) -> Record:
    """Open an issue."""
    if not title.strip():
        raise invalid("Issue", "title", code="missing_field")
    limits.check_comment("Issue", body)
    issue = double.store.add(
        "issue",
        repository["repository"],
        number=threads.next_number(double, repository),
        title=title,
        body=body,
        author=by,
        state="open",
        state_reason=None,
        labels=[],
        created_at=now(),
        updated_at=now(),
        closed_at=None,
        closed_by=None,
    )
    threads.tell(double, repository, issue, "opened", by)
    for label in labels or []:
        issue = threads.add_label(double, repository, issue, label, by)
    return issue


def set_state(double: Double, repository: Record, issue: Record, state: str, reason: str | None, by: str) -> Record:
    """Close or reopen an issue; one that is in that state already changes nothing."""
    if state not in ("open", "closed"):
        raise Refused(422, f"Invalid request. For 'properties/state', {state!r} is not a member of [open, closed].")
    if issue["state"] == state:
        return issue
    closing = state == "closed"
    fields = {
        "state": state,
        "state_reason": (reason or "completed") if closing else "reopened",
        "closed_at": now() if closing else None,
        "closed_by": by if closing else None,
    }
    action = "closed" if closing else "reopened"
    with double.store.transaction():
        threads.touch(double, issue, **fields)
        double.add_event(issue, action, by)
    threads.tell(double, repository, issue, action, by)
    return issue
