"""What the reconciler remembers between two looks at GitHub, when it is to look, and what follows. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

LONGEST_PASS = timedelta(minutes=15)  # after that whoever began it has died
AFTER_TROUBLE = 60.0  # seconds until the next pass, when the last one could not look at everything
OVERDUE = 3  # intervals without a pass, then health says so
# Deliveries that may start something.
RETRIED = ("push", "pull_request", "merge_group", "issue_comment", "check_run", "check_suite")
DELIVERIES_KEPT = timedelta(days=3)  # by GitHub
OVER = ("Completed", "Terminated", "Canceled", "Failed")  # what Durable calls an instance that does nothing more
_SLACK = timedelta(seconds=1)


@dataclass(frozen=True)
class Page:
    """A page of a list of GitHub's as it was when everything on it had been dealt with."""

    etag: str
    numbers: tuple[int, ...] = ()  # of the changes on it


@dataclass(frozen=True)
class Seen:
    """What a repository looked like. Whatever is None was never looked at: the first look only remembers."""

    heads: dict[str, str] = field(default_factory=dict)  # branch -> sha, "" while there is no such branch
    changes: dict[int, str] | None = None  # open change -> its version
    queue: dict[str, str] = field(default_factory=dict)  # what merge queues are about to merge: branch -> sha
    event: int | None = None  # the newest issue event
    comment: int | None = None  # the newest comment
    commented: str = ""  # when the newest comment was written or edited, by GitHub's clock
    pages: dict[str, Page] = field(default_factory=dict)  # by path
    trouble: str = ""  # why the last look failed
    trouble_since: str = ""


@dataclass(frozen=True)
class Pass:
    """The last pass: when it began, who is at it ("" when it is over), and whether something could not be looked at."""

    began: str = ""
    holder: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Deliveries:
    """Which webhook deliveries were looked at, and which of them were asked for again (guid -> when delivered)."""

    newest: int | None = None  # None: never looked, and the first look only remembers
    retried: dict[str, str] = field(default_factory=dict)


def due(last: Pass, now: datetime, every: float) -> bool:
    """Say whether a pass is to begin. A beginning in the future is that of a host whose clock is off: it counts not."""
    if not last.began:
        return True
    age = now - datetime.fromisoformat(last.began)
    if age < -_SLACK:
        return True
    wait = min(every, AFTER_TROUBLE) if last.failed else every
    return age >= (LONGEST_PASS if last.holder else timedelta(seconds=wait) - _SLACK)


def overdue(last: Pass, now: datetime, every: float) -> bool:
    """Say whether passes have stopped coming."""
    return bool(last.began) and now - datetime.fromisoformat(last.began) > OVERDUE * timedelta(seconds=max(every, 60))


def beginning(recent: Sequence[str], before: str, released: Collection[str]) -> str:
    """Return where a push of a branch began that nobody told of: at its newest commit that has a release here.

    `recent` are its commits after `before`, newest first. A push that was lost before one that was told is not looked
    for: the release of that one carries its changes, see activities.find_origin.
    """
    return next((commit for commit in recent[1:] if commit in released), before)


def last_toggles(events: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the last `labeled` or `unlabeled` event of each label on each pull request; `events` are oldest first.

    Those before a merge are left out: the merge counted them.
    """
    last: dict[tuple[int, str], Mapping[str, Any]] = {}
    for event in events:
        issue = event.get("issue") or {}
        if event.get("event") not in ("labeled", "unlabeled") or not issue.get("pull_request"):
            continue
        merged_at = issue["pull_request"].get("merged_at")
        if not merged_at or event["created_at"] >= merged_at:
            key = issue["number"], str((event.get("label") or {}).get("name", "")).casefold()
            last.pop(key, None)
            last[key] = event
    return list(last.values())


def to_retry(deliveries: Sequence[Mapping[str, Any]], known: Deliveries) -> list[Mapping[str, Any]]:
    """Return the failed deliveries to send again, once each: those of which no attempt succeeded."""
    arrived = {one["guid"] for one in deliveries if 200 <= one["status_code"] < 300}
    failed = {one["guid"]: one for one in deliveries if one["event"] in RETRIED}
    return [one for guid, one in failed.items() if guid not in arrived and guid not in known.retried]


def forget(known: Deliveries, now: str) -> Deliveries:
    """Return what is remembered of deliveries without those that GitHub has forgotten by `now`."""
    oldest = datetime.fromisoformat(now) - DELIVERIES_KEPT
    kept = {guid: at for guid, at in known.retried.items() if datetime.fromisoformat(at) >= oldest}
    return replace(known, retried=kept)


def is_orphan(status: str | None) -> bool:
    """Say whether a release that is not done with has no orchestration any more. `status` is Durable's, if any."""
    return status in (None, "Terminated", "Canceled", "Failed")


def orphaned(status: str | None) -> str:
    """Say why a release was closed without its orchestration."""
    how = {"Terminated": "was terminated by an operator", None: "was purged by an operator", "Failed": "crashed"}
    return (
        f"The orchestration of this release {how.get(status, 'was cancelled')}, so nobody carries it on. What is "
        "deployed stays. Push a new commit to release again."
    )


def lost_sight(repository: str, seen: Seen) -> str:
    """Say since when a repository cannot be looked at, and why; "" when it can."""
    return f"{repository}, since {seen.trouble_since}: {seen.trouble}" if seen.trouble else ""


def source_of_events(mode: str, every: float, last: Pass) -> str:
    """Say where events come from, for people who look at the app's health."""
    looked = f"last at {last.began}" if last.began else "not yet"
    if mode == "poll":
        return f"GitHub is polled every {every:g} s, {looked}"
    return f"webhooks; GitHub is compared every {every:g} s, {looked}"


def still_asked(pages: Mapping[str, Page], used: Collection[str]) -> dict[str, Page]:
    """Return the pages that were used: an etag of a path that is asked no more is of no use."""
    return {path: page for path, page in pages.items() if path in used}
