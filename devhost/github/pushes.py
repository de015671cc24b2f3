"""Branches that moved: the push events and what they do to open pull requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from devhost.github.git import ZEROS
from devhost.github.store import Record, now

if TYPE_CHECKING:
    from devhost.github.double import Double


def notice(double: Double, repository: Record, pusher: str) -> None:
    """Tell of every branch that is not where it was last seen, and remember where it is now."""
    seen = double.repository(repository["repository"])
    place = double.git(seen)
    before, after = seen["heads"], place.heads()
    if before == after:
        return
    seen.update(heads=after, pushed_at=now())
    double.store.save(seen)
    for branch in sorted(before.keys() | after.keys()):
        old, new = before.get(branch, ZEROS), after.get(branch, ZEROS)
        if old == new:
            continue
        by = pusher or (place.commit(new).author.login or place.commit(new).author.name if new != ZEROS else "ghost")
        _update_pulls(double, seen, branch, old, new, by)
        double.emit("push", "", seen, _push(double, seen, branch, old, new, by))


def close_as_merged(double: Double, repository: Record, pull: Record, by: str, old: str, new: str) -> None:
    """Mark a pull request merged by the base branch's move from `old` to `new`."""
    landed = [commit.sha for commit in double.git(repository).commits(new, f"^{old}")]
    moment = now()
    pull.update(
        state="closed",
        closed_at=moment,
        merged_at=moment,
        updated_at=moment,
        merged_by=by,
        merge_commit_sha=new,
        base_sha=old,
        landed=landed,
    )
    with double.store.transaction():
        double.store.save(pull)
        double.add_event(pull, "merged", by, commit_id=new)
        double.add_event(pull, "closed", by)
    double.emit("pull_request", "closed", repository, {"pull": pull, "sender": by})


def _update_pulls(double: Double, pushed: Record, branch: str, old: str, new: str, by: str) -> None:
    for repository, pull in _open_pulls(double):
        if (pull["head_repository"], pull["head"]) == (pushed["id"], branch):
            _move_head(double, repository, pushed, pull, old, new, by)
        elif (repository["id"], pull["base"]) == (pushed["id"], branch):
            _move_base(double, repository, pull, old, new, by)


def _open_pulls(double: Double) -> Iterator[tuple[Record, Record]]:
    for repository in double.repositories():
        for pull in double.store.all("pull", repository["repository"], state="open"):
            yield repository, pull


def _move_head(double: Double, repository: Record, source: Record, pull: Record, old: str, new: str, by: str) -> None:
    if new == ZEROS:
        _close(double, repository, pull, by, "head_ref_deleted")
        return
    place = double.git(repository)
    place.fetch(double.git(source), new, f"refs/pull/{pull['number']}/head")
    pull.update(head_sha=new, updated_at=now())
    double.store.save(pull)
    if old != ZEROS and not place.is_ancestor(old, new):
        double.add_event(pull, "head_ref_force_pushed", by, commit_id=new)
    details = {"pull": pull, "sender": by, "before": old, "after": new}
    double.emit("pull_request", "synchronize", repository, details)


def _move_base(double: Double, repository: Record, pull: Record, old: str, new: str, by: str) -> None:
    if new == ZEROS:
        _close(double, repository, pull, by, "base_ref_deleted")
    elif old != ZEROS and double.git(repository).is_ancestor(pull["head_sha"], new):
        # Pushing a pull request's commits to its base merges it, on GitHub as here.
        close_as_merged(double, repository, pull, by, old, new)
    else:
        pull.update(base_sha=new)
        double.store.save(pull)


def _close(double: Double, repository: Record, pull: Record, by: str, why: str) -> None:
    pull.update(state="closed", closed_at=now(), updated_at=now())
    with double.store.transaction():
        double.store.save(pull)
        double.add_event(pull, why, by)
        double.add_event(pull, "closed", by)
    double.emit("pull_request", "closed", repository, {"pull": pull, "sender": by})


def _push(double: Double, repository: Record, branch: str, old: str, new: str, by: str) -> dict[str, Any]:
    place = double.git(repository)
    commits = []
    if new != ZEROS:
        span = [new, f"^{old}"] if old != ZEROS else [new, f"^{place.resolve(repository['default_branch'])}"]
        commits = place.commits(*span, limit=2048)
    return {
        "branch": branch,
        "before": old,
        "after": new,
        "forced": ZEROS not in (old, new) and not place.is_ancestor(old, new),
        "commits": commits[::-1],
        "head": place.commit(new) if new != ZEROS else None,
        "files": place.paths_of([new, *(commit.sha for commit in commits)]) if new != ZEROS else {},
        "sender": by,
    }
