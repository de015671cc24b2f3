"""Threads: pull requests and issues, which share their numbers, labels, comments and history."""

from __future__ import annotations

from devhost.github import labels, limits
from devhost.github.double import Double
from devhost.github.refusals import Refused, invalid
from devhost.github.store import Record, now


def everything(double: Double, repository: Record) -> list[Record]:
    """List pull requests and issues, by number."""
    name = repository["repository"]
    return sorted(double.store.all("pull", name) + double.store.all("issue", name), key=lambda one: int(one["number"]))


def find(double: Double, repository: Record, number: int) -> Record:
    """Find a pull request or issue by its number."""
    name = repository["repository"]
    found = double.store.one("pull", name, number=number) or double.store.one("issue", name, number=number)
    if found is None:
        raise Refused(404, "Not Found")
    return found


def next_number(double: Double, repository: Record) -> int:
    """Give the number of the next pull request or issue."""
    return max((one["number"] for one in everything(double, repository)), default=0) + 1


def is_pull(thread: Record) -> bool:
    """Say whether a thread is a pull request."""
    return "head" in thread


def event_of(thread: Record) -> tuple[str, str]:
    """Give the webhook event that tells of a thread, and the name it has in there."""
    return ("pull_request", "pull") if is_pull(thread) else ("issues", "issue")


def tell(double: Double, repository: Record, thread: Record, action: str, by: str, **details: object) -> None:
    """Send the webhook of something that happened to a thread."""
    event, name = event_of(thread)
    double.emit(event, action, repository, {name: thread, "sender": by, **details})


def touch(double: Double, thread: Record, **fields: object) -> Record:
    """Change fields of a thread."""
    thread.update(fields, updated_at=now())
    double.store.save(thread)
    return thread


def edit(
    double: Double, repository: Record, thread: Record, by: str, title: str | None = None, body: str | None = None
) -> Record:
    """Change the title or text of a thread; what stays the same is told to nobody."""
    changes: dict[str, dict[str, str]] = {}
    if title is not None and title != thread["title"]:
        if not title.strip():
            raise invalid("PullRequest" if is_pull(thread) else "Issue", "title", code="missing_field")
        changes["title"] = {"from": thread["title"]}
    if body is not None and body != thread["body"]:
        limits.check_comment("Issue", body)
        changes["body"] = {"from": thread["body"]}
    if not changes:
        return thread
    wanted = {"title": title, "body": body}
    touch(double, thread, **{name: wanted[name] for name in changes})
    if "title" in changes:
        double.add_event(thread, "renamed", by, rename={"from": changes["title"]["from"], "to": title})
    tell(double, repository, thread, "edited", by, changes=changes)
    return thread


def add_label(double: Double, repository: Record, thread: Record, label: str, by: str) -> Record:
    """Put a label on a thread; one that is there already changes nothing, one that is new is made."""
    name = labels.ensure(double, repository, label, by)["name"]
    if name in thread["labels"]:
        return thread
    return _relabel(double, repository, thread, [*thread["labels"], name], "labeled", name, by)


def remove_label(double: Double, repository: Record, thread: Record, label: str, by: str) -> Record:
    """Take a label off a thread."""
    kept = [name for name in thread["labels"] if name.casefold() != label.casefold()]
    if len(kept) == len(thread["labels"]):
        raise Refused(404, "Label does not exist")
    gone = next(name for name in thread["labels"] if name not in kept)
    return _relabel(double, repository, thread, kept, "unlabeled", gone, by)


def set_labels(double: Double, repository: Record, thread: Record, wanted: list[str], by: str) -> Record:
    """Leave exactly these labels on a thread."""
    for gone in set(thread["labels"]) - set(wanted):
        thread = remove_label(double, repository, thread, gone, by)
    for label in wanted:
        thread = add_label(double, repository, thread, label, by)
    return thread


def _relabel(
    double: Double, repository: Record, thread: Record, names: list[str], event: str, label: str, by: str
) -> Record:
    with double.store.transaction():
        touch(double, thread, labels=names)
        double.add_event(thread, event, by, label=label)
    tell(double, repository, thread, event, by, label=label)
    return thread
