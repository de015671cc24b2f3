"""Where a release comes from: the changes a push merged, with their labels as they were when they merged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice

from github.Commit import Commit as GithubCommit
from github.IssueEvent import IssueEvent
from github.NamedUser import NamedUser
from github.Organization import Organization
from github.PullRequest import PullRequest
from github.Repository import Repository

from adapters.github_calls import Steady
from domain.branch_line import DIVERGED
from domain.co_authors import addresses, login_in
from domain.errors import NotFound
from domain.models import Change, Commit, Origin
from domain.onboarding import template_path
from domain.opt_out import Facts

MERGE_QUEUE = "github-merge-queue[bot]"  # who merges what somebody has put into a merge queue
WEB_FLOW = "web-flow"  # who commits for everybody who merges in the browser
COMMITS = 250  # of one push that are asked about one by one, for the changes that merged them
LISTED = 250  # commits of one change, by GitHub
ZEROS = "0" * 40
_NAMES_A_CHANGE = re.compile(r"^Merge pull request #\d+ |\(#\d+\)$")  # GitHub's own words for a merge and a squash


@dataclass(frozen=True)
class Found:
    """Where a release comes from, and what the policy must know before an opt-out is honoured.

    `origin.position` counts the commits up to this one: a descendant always has more.
    """

    origin: Origin
    facts: tuple[Facts, ...]


def find_origin(
    steady: Steady, name: str, place: Repository, sha: str, before: str, opt_out_label: str, branch: str
) -> Found:
    """Find the changes merged into the branch between `before` and `sha`; see GitHub.find_origin."""
    head = steady.call(lambda: place.get_commit(sha).complete())
    pushed = _pushed(steady, place, sha, before) or [head]
    changes: list[Change] = []
    facts: list[Facts] = []
    written = [*pushed]  # a squash leaves one commit of many, by one person
    merged = _merged_pulls(steady, place, [commit.sha for commit in pushed], branch)
    for pull, commits in merged.pulls:
        written += commits
        labels, merged_by = _labels(steady.call(lambda pull=pull: list(pull.get_issue_events())))  # type: ignore[misc]
        changes.append(_change(pull, labels.values(), merged_by))
        facts += _facts(steady, pull, labels.get(opt_out_label.casefold()))
    changes.sort(key=lambda change: (change.merged_at, change.number))
    count = steady.call(lambda: place.get_commits(sha=sha).totalCount)
    people = _people(steady, place, written)
    known = Origin(_commit(name, head), tuple(changes), (), people, position=count)
    unlinked = any(one.sha in merged.direct - merged.linked and _looks_merged(one) for one in pushed)
    origin = replace(known, direct=len(merged.direct), unseen=merged.unseen, unlinked=unlinked)
    return Found(origin, tuple(facts))


def _looks_merged(commit: GithubCommit) -> bool:
    """Say whether GitHub seems to have made a commit when it merged a change; edits in the browser look so, too."""
    subject = commit.commit.message.partition("\n")[0]
    return _login(commit.committer) == WEB_FLOW or _NAMES_A_CHANGE.search(subject) is not None


def opt_out_now(steady: Steady, place: Repository, number: int, label: str) -> Facts | None:
    """Return how the opt-out label stands on a change now; see GitHub.opt_out_now."""
    pull = steady.call(lambda: place.get_pull(number).complete())
    labels, _ = _labels(steady.call(lambda: list(pull.get_issue_events())), late=True)
    return next(iter(_facts(steady, pull, labels.get(label.casefold()))), None)


def _facts(steady: Steady, pull: PullRequest, event: IssueEvent | None) -> list[Facts]:
    if event is None:
        return []
    files = steady.call(lambda: list(pull.get_files()))
    # A file that was moved away touches the place that it came from.
    paths = {path for file in files for path in (file.filename, file.previous_filename) if path}
    by, at = _login(event.actor) or "ghost", _utc(event.created_at)
    template = _template(steady, pull.base.repo, pull.base.sha)
    return [Facts(pull.number, event.label.name, by, at, pull.body or "", tuple(sorted(paths)), template)]


def _template(steady: Steady, place: Repository, sha: str) -> str:
    """Return the template of pull requests as a commit has it: a change must not bring an easier one for itself."""
    files = [
        one.path for one in steady.call(lambda: place.get_git_tree(sha, recursive=True)).tree if one.type == "blob"
    ]
    path = template_path(files)
    found = steady.call(lambda: place.get_contents(path, ref=sha)) if path in files else []
    return "" if isinstance(found, list) else found.decoded_content.decode("utf-8", "replace")


def _pushed(steady: Steady, place: Repository, sha: str, before: str) -> list[GithubCommit]:
    """List what the push brought, newest first; nothing when only `sha` itself is known to be new."""
    if before in ("", ZEROS):
        return []
    try:
        # Forced back to an older commit, the branch has nothing new: the release is that commit's.
        return steady.call(lambda: list(place.compare(before, sha).commits.reversed))
    except NotFound:
        return []  # a forced push, and GitHub has forgotten what was there before


def first_parents(steady: Steady, place: Repository, sha: str) -> Iterator[str]:
    """Yield a commit and what a branch pointed at before it, newest first; see GitHub.first_parents."""
    try:
        commits = steady.call(lambda: list(islice(place.get_commits(sha=sha), COMMITS)))
    except NotFound:
        return  # GitHub has forgotten it after a forced push
    parents = {commit.sha: [parent.sha for parent in commit.parents] for commit in commits}
    while sha in parents:
        yield sha
        sha = next(iter(parents[sha]), "")


def relation(steady: Steady, place: Repository, base: str, head: str) -> str:
    """Return where `head` stands to `base`; see GitHub.relation."""
    try:
        return steady.call(lambda: place.compare(base, head).status)
    except NotFound:
        return DIVERGED


@dataclass(frozen=True)
class _Merged:
    """The changes that a push brought, each with the commits it was made of, and the commits that came without one."""

    pulls: list[tuple[PullRequest, list[GithubCommit]]]
    linked: set[str]  # commits of which GitHub names any change
    direct: set[str]  # commits that none of the changes brought
    unseen: int  # commits that were not looked at, behind COMMITS that had to be asked about one by one


def _merged_pulls(steady: Steady, place: Repository, pushed: list[str], branch: str) -> _Merged:
    """Find each change that the pushed commits brought."""
    linked: set[str] = set()
    explained: set[str] = set()
    asked: set[str] = set()
    merged: dict[int, tuple[PullRequest, list[GithubCommit]]] = {}
    for sha in pushed:
        if sha in explained or len(asked) == COMMITS:
            continue
        asked.add(sha)
        for pull in steady.call(lambda sha=sha: list(place.get_commit(sha).get_pulls())):  # type: ignore[misc]
            linked |= {sha, pull.merge_commit_sha}
            # A commit is also listed with changes that merged elsewhere (feature to develop) or only later.
            if pull.merged_at is None or pull.base.ref != branch or pull.merge_commit_sha not in pushed:
                continue
            if pull.number not in merged:
                merged[pull.number] = pull, _commits_of(steady, place, pull)
            explained |= {sha, pull.merge_commit_sha, *(one.sha for one in merged[pull.number][1])}
    unseen = len({*pushed} - explained - asked)
    return _Merged(list(merged.values()), linked, asked - explained, unseen)


def _commits_of(steady: Steady, place: Repository, pull: PullRequest) -> list[GithubCommit]:
    commits = steady.call(lambda: list(pull.get_commits()))
    if len(commits) < LISTED:
        return commits
    return steady.call(lambda: list(place.compare(pull.base.sha, pull.head.sha).commits))


def _people(steady: Steady, place: Repository, commits: Iterable[GithubCommit]) -> tuple[str, ...]:
    """Return who wrote and committed commits, by login; who is no account known to GitHub by name and address."""
    people: set[str] = set()
    trailers: set[str] = set()
    for commit in commits:
        people |= {_author(commit), _login(commit.committer)}
        people |= set() if commit.author else {(commit.commit.author.email or "").lower()}
        trailers |= {*addresses(commit.commit.message)}
    people |= {login_in(address) or _account(steady, place, address) for address in trailers}
    return tuple(sorted(people - {WEB_FLOW, ""}))


def _account(steady: Steady, place: Repository, address: str) -> str:
    """Return the login that GitHub knows an address by, from a commit of theirs; else the address."""
    wrote = steady.call(lambda: next(iter(place.get_commits(author=address)), None))
    return (_login(wrote.author) if wrote else "") or address


def _labels(events: Iterable[IssueEvent], late: bool = False) -> tuple[dict[str, IssueEvent], str]:
    """Replay a change's history up to its merge, or (`late`) to its end: each label's `labeled` event, who merged."""
    labels: dict[str, IssueEvent] = {}
    merged_by = queued_by = ""
    for event in events:
        if event.event == "merged":
            merged_by = _login(event.actor) or "ghost"
            if merged_by == MERGE_QUEUE:
                merged_by = queued_by or merged_by
            if not late:
                break
        elif event.event == "added_to_merge_queue":
            queued_by = _login(event.actor)
        elif event.event == "labeled":
            labels[event.label.name.casefold()] = event
        elif event.event == "unlabeled":
            labels.pop(event.label.name.casefold(), None)
    return labels, merged_by


def _change(pull: PullRequest, labels: Iterable[IssueEvent], merged_by: str) -> Change:
    return Change(
        number=pull.number,
        title=pull.title,
        author=_login(pull.user) or "ghost",
        merged_by=merged_by,
        merged_at=_utc(pull.merged_at) if pull.merged_at else "",
        labels=tuple(event.label.name for event in labels),
        url=pull.html_url,
    )


def _commit(repository: str, commit: GithubCommit) -> Commit:
    return Commit(
        repository=repository,
        sha=commit.sha,
        author=_author(commit),
        message=commit.commit.message.partition("\n")[0],
        committed_at=_utc(commit.commit.committer.date),
        url=commit.html_url,
    )


def _author(commit: GithubCommit) -> str:
    return _login(commit.author) or commit.commit.author.name


def _login(user: NamedUser | Organization | None) -> str:
    # GitHub answers null for accounts that were deleted, and for commits whose address is no account's.
    return user.login if user else ""


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
