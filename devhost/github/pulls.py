"""Pull requests: opened, pushed to, drafted, closed, merged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from devhost.github import checks, limits, marks, people, pushes, reviews, threads
from devhost.github.double import Double
from devhost.github.git import FileChange, Git, MergeConflict
from devhost.github.refusals import Refused, invalid
from devhost.github.store import Record, now

METHODS = ("merge", "squash", "rebase")
QUEUE_ALONE = "Repository rule violations found\n\nChanges must be made through the merge queue\n\n"


def everything(double: Double, repository: Record) -> list[Record]:
    """List a repository's pull requests, oldest first."""
    return double.store.all("pull", repository["repository"])


def find(double: Double, repository: Record, number: int) -> Record:
    """Find a pull request by its number."""
    found = double.store.one("pull", repository["repository"], number=number)
    if found is None:
        raise Refused(404, "Not Found")
    return found


def open_pull(
    double: Double, repository: Record, head: str, base: str, title: str, body: str, author: str, draft: bool = False
) -> Record:
    """Open a pull request; `head` is a branch of the repository, or `owner:branch` of a fork."""
    source, branch = _source(double, repository, head)
    place = double.git(repository)
    bases, heads = place.heads(), double.git(source).heads()
    for field, known, name in (("head", heads, branch), ("base", bases, base)):
        if name not in known:
            raise invalid("PullRequest", field, code="invalid")
    if not title.strip():
        raise invalid("PullRequest", "title", code="missing_field")
    limits.check_comment("PullRequest", body)
    number = threads.next_number(double, repository)
    place.fetch(double.git(source), heads[branch], f"refs/pull/{number}/head")
    if place.is_ancestor(heads[branch], bases[base]):
        raise invalid("PullRequest", "", f"No commits between {base} and {head}")
    if any(_same(pull, source, branch, base) for pull in everything(double, repository)):
        raise invalid("PullRequest", "", f"A pull request already exists for {head}.")
    pull = double.store.add(
        "pull",
        repository["repository"],
        number=number,
        title=title,
        body=body,
        author=author,
        draft=draft,
        head=branch,
        head_repository=source["id"],
        base=base,
        head_sha=heads[branch],
        base_sha=bases[base],
        state="open",
        labels=[],
        reviewers=[],
        created_at=now(),
        updated_at=now(),
        closed_at=None,
        merged_at=None,
        merged_by=None,
        merge_commit_sha=None,
        landed=[],
    )
    threads.tell(double, repository, pull, "opened", author)
    return pull


def _source(double: Double, repository: Record, head: str) -> tuple[Record, str]:
    owner, _, branch = head.rpartition(":")
    if not owner or owner == repository["repository"].split("/")[0]:
        return repository, branch
    forks = [one for one in double.repositories() if one.get("parent") == repository["id"]]
    fork = next((one for one in forks if one["repository"].split("/")[0] == owner), None)
    if fork is None:
        raise invalid("PullRequest", "head", code="invalid")
    return fork, branch


def _same(pull: Record, source: Record, branch: str, base: str) -> bool:
    ends = (pull["head_repository"], pull["head"], pull["base"])
    return pull["state"] == "open" and ends == (source["id"], branch, base)


def set_draft(double: Double, repository: Record, number: int, draft: bool, by: str) -> Record:
    """Mark a pull request ready for review, or turn it back into a draft."""
    pull = find(double, repository, number)
    if pull["draft"] == draft:
        return pull
    with double.store.transaction():
        threads.touch(double, pull, draft=draft)
        double.add_event(pull, "convert_to_draft" if draft else "ready_for_review", by)
    threads.tell(double, repository, pull, "converted_to_draft" if draft else "ready_for_review", by)
    return pull


def change_base(double: Double, repository: Record, number: int, base: str, by: str) -> Record:
    """Let a pull request aim at another branch."""
    pull = find(double, repository, number)
    if base == pull["base"]:
        return pull
    new = double.git(repository).heads().get(base)
    if new is None:
        raise invalid("PullRequest", "base", code="invalid")
    changes = {"base": {"ref": {"from": pull["base"]}, "sha": {"from": pull["base_sha"]}}}
    with double.store.transaction():
        threads.touch(double, pull, base=base, base_sha=new)
        double.add_event(pull, "base_ref_changed", by)
    threads.tell(double, repository, pull, "edited", by, changes=changes)
    return pull


def close(double: Double, repository: Record, number: int, by: str) -> Record:
    """Close a pull request without merging it; one that is closed stays as it is."""
    pull = find(double, repository, number)
    if pull["state"] == "closed":
        return pull
    with double.store.transaction():
        threads.touch(double, pull, state="closed", closed_at=now())
        double.add_event(pull, "closed", by)
    threads.tell(double, repository, pull, "closed", by)
    return pull


def reopen(double: Double, repository: Record, number: int, by: str) -> Record:
    """Open a closed pull request again, at where its branches are now."""
    pull = find(double, repository, number)
    if pull["state"] == "open":
        return pull
    source = double.repository_with(pull["head_repository"])
    head = double.git(source).heads().get(pull["head"]) if source else None
    base = double.git(repository).heads().get(pull["base"])
    if pull["merged_at"] or source is None or head is None or base is None:
        raise invalid("PullRequest", "state", "state cannot be changed. The pull request cannot be reopened.")
    double.git(repository).fetch(double.git(source), head, f"refs/pull/{number}/head")
    with double.store.transaction():
        threads.touch(double, pull, state="open", closed_at=None, head_sha=head, base_sha=base)
        double.add_event(pull, "reopened", by)
    threads.tell(double, repository, pull, "reopened", by)
    return pull


def merge(
    double: Double, repository: Record, number: int, by: str, method: str = "merge", title: str = "", text: str = ""
) -> Record:
    """Merge a pull request into its base with a real git merge, squash or rebase."""
    pull = find(double, repository, number)
    if method not in METHODS:
        raise Refused(422, f"Invalid request. For 'properties/merge_method', {method!r} is not a member of {METHODS}.")
    place = double.git(repository)
    base = place.heads().get(pull["base"])
    if pull["state"] != "open" or base is None:
        raise Refused(405, "Pull Request is not mergeable")
    if pull["draft"]:
        raise Refused(405, "Pull Request is still a draft")
    hindrance = _hindrance(double, repository, pull)
    if hindrance:
        raise Refused(405, hindrance)
    try:
        new = place.merge(base, pull["head_sha"], method, _message(double, repository, pull, method, title, text), by)
    except MergeConflict as error:
        raise Refused(405, "Pull Request is not mergeable") from error
    place.move(pull["base"], new, base)
    pushes.close_as_merged(double, repository, pull, by, base, new)
    double.notice_pushes(repository, by)
    return find(double, repository, number)


def _message(double: Double, repository: Record, pull: Record, method: str, title: str, text: str) -> str:
    source = double.repository_with(pull["head_repository"]) or repository
    owner = source["repository"].split("/")[0]
    usual = f"Merge pull request #{pull['number']} from {owner}/{pull['head']}"
    if method == "squash":
        usual = f"{pull['title']} (#{pull['number']})"
    return f"{title or usual}\n\n{text or pull['title']}\n"


def _hindrance(double: Double, repository: Record, pull: Record) -> str:
    """Say what the base branch's protection still asks for: checks (skipped, neutral do pass), reviews, a queue."""
    protection = people.protection(double, repository, pull["base"])
    if protection is None:
        return ""
    name, sha = repository["repository"], pull["head_sha"]
    passed = {one["context"] for one in marks.newest_statuses(double, repository, sha) if one["state"] == "success"}
    runs = checks.of_commit(double, name, sha)
    passed |= {one["name"] for one in runs if one["conclusion"] in ("success", "neutral", "skipped")}
    unpassed = [context for context in protection["checks"] if context not in passed]
    if unpassed:
        return f'Required status check "{unpassed[0]}" is expected.'
    through_queue = QUEUE_ALONE if protection["queue"] else ""
    return reviews.missing(double, repository, pull, protection["reviews"]) or through_queue


@dataclass(frozen=True)
class Difference:
    """What a pull request changes, and whether git would merge it."""

    files: tuple[FileChange, ...]
    commits: int
    clean: bool


def difference(double: Double, repository: Record, pull: Record) -> Difference:
    """Work out what a pull request changes against where its base is, or was when it merged."""
    return _difference(double.git(repository).path, pull["base_sha"], pull["head_sha"])


@lru_cache(maxsize=512)
def _difference(path: Path, base: str, head: str) -> Difference:
    place = Git(path)
    start = place.merge_base(base, head) or base
    files = tuple(place.changed_files(start, head))
    return Difference(files, len(place.commits(head, f"^{base}")), place.merges_cleanly(base, head))


def mergeable(double: Double, repository: Record, pull: Record) -> tuple[bool | None, str]:
    """Give `mergeable` and `mergeable_state`: unknown the first time somebody looks at this head and base.

    GitHub works it out in the background once somebody asked.
    """
    if pull["merged_at"] or pull["state"] == "closed":
        return None, "unknown"
    looked = [pull["head_sha"], pull["base_sha"]]
    if pull.get("looked") != looked:
        pull["looked"] = looked
        double.store.save(pull)
        return None, "unknown"
    if not difference(double, repository, pull).clean:
        return False, "dirty"
    return True, _merge_state(double, repository, pull)


def _merge_state(double: Double, repository: Record, pull: Record) -> str:
    if pull["draft"]:
        return "draft"
    if _hindrance(double, repository, pull):
        return "blocked"
    statuses = marks.newest_statuses(double, repository, pull["head_sha"])
    runs = checks.of_commit(double, repository["repository"], pull["head_sha"])
    good = all(one["state"] == "success" for one in statuses)
    good = good and all(one["conclusion"] in ("success", "neutral", "skipped") for one in runs)
    return "clean" if good else "unstable"
