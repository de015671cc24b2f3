"""Comments on threads and on commits."""

from __future__ import annotations

from devhost.github import limits, threads
from devhost.github.double import Double
from devhost.github.refusals import Refused, invalid
from devhost.github.store import Record, now


def on_thread(double: Double, repository: Record, thread: Record, body: str, by: str) -> Record:
    """Comment on a pull request or issue."""
    _check(body)
    comment = double.store.add(
        "comment",
        repository["repository"],
        number=thread["number"],
        author=by,
        body=body,
        created_at=now(),
        updated_at=now(),
    )
    threads.touch(double, thread)
    _tell(double, repository, comment, "created", by)
    return comment


def on_commit(double: Double, repository: Record, sha: str, body: str, by: str) -> Record:
    """Comment on a commit."""
    _check(body)
    name = repository["repository"]
    return double.store.add("commit_comment", name, sha=sha, author=by, body=body, created_at=now(), updated_at=now())


def find(double: Double, repository: Record, kind: str, number: int) -> Record:
    """Find a comment by its id; `kind` is comment or commit_comment."""
    comment = double.store.by_id(kind, repository["repository"], number)
    if comment is None:
        raise Refused(404, "Not Found")
    return comment


def edit(double: Double, repository: Record, comment: Record, body: str, by: str) -> Record:
    """Replace a comment's text."""
    _check(body)
    old = comment["body"]
    comment.update(body=body, updated_at=now())
    double.store.save(comment)
    _tell(double, repository, comment, "edited", by, changes={"body": {"from": old}})
    return comment


def remove(double: Double, repository: Record, comment: Record, by: str) -> None:
    """Delete a comment."""
    double.store.remove(comment)
    _tell(double, repository, comment, "deleted", by)


def _tell(double: Double, repository: Record, comment: Record, action: str, by: str, **details: object) -> None:
    if "number" in comment:
        thread = threads.find(double, repository, comment["number"])
        told = {"thread": thread, "comment": comment, "sender": by, **details}
        double.emit("issue_comment", action, repository, told)


def _check(body: str) -> None:
    limits.check_comment("IssueComment", body)
    if not body.strip():
        raise invalid("IssueComment", "body", code="missing_field")
