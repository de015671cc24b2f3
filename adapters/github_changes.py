"""What GitHub knows about an open change: its head, its files, its checks, whether it can be merged."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from github.Commit import Commit
from github.CommitStatus import CommitStatus
from github.PaginatedList import PaginatedList
from github.PullRequest import PullRequest
from github.Repository import Repository

from adapters.github_calls import Steady
from domain.asks import OwnCheck
from domain.changes import ChangeFacts, Check, CheckState
from domain.errors import Forbidden, NotFound

# Only what succeeded counts: GitHub itself takes skipped and neutral for green.
_STATES = {"success": CheckState.PASSED, "": CheckState.PENDING, "pending": CheckState.PENDING}


def change_facts(steady: Steady, name: str, place: Repository, number: int) -> ChangeFacts:
    """Read a change; see GitHub.change_facts."""
    pull = steady.call(lambda: place.get_pull(number).complete())
    # GitHub answers null for the repository of a fork that was deleted.
    fork = pull.head.repo is None or pull.head.repo.full_name != pull.base.repo.full_name
    return ChangeFacts(
        repository=name,
        number=number,
        title=pull.title,
        author=pull.user.login if pull.user else "ghost",
        head=pull.head.sha,
        branch=pull.head.ref,
        base=pull.base.ref,
        fork=fork,
        draft=pull.draft,
        open=pull.state == "open",
        url=pull.html_url,
        labels=tuple(label.name for label in pull.labels),
        merged_by=(pull.merged_by.login if pull.merged_by else "ghost") if pull.merged else "",
        mergeable=pull.mergeable,
        merge_state=pull.mergeable_state or "",
        reviewers=_reviewers(pull),
        # Only a protected branch asks for reviews; otherwise that request can be saved.
        objections=steady.call(lambda: _objections(pull)) if pull.mergeable_state == "blocked" else (),
    )


def changed_files(steady: Steady, place: Repository, number: int) -> tuple[str, ...]:
    """List the paths a change touches, those it moves away from included; GitHub names 3,000 at most."""
    files = steady.call(lambda: list(place.get_pull(number).get_files()))
    return tuple(dict.fromkeys(path for one in files for path in (one.previous_filename, one.filename) if path))


def checks_of(steady: Steady, place: Repository, sha: str, names: Collection[str]) -> tuple[Check, ...]:
    """Find check runs, statuses and workflows of a commit by name; see GitHub.checks_of."""
    found = [*steady.call(lambda: list(_check_runs(place, sha))), *steady.call(lambda: list(_statuses(place, sha)))]
    found = [check for check in found if check.name in names]
    missing = {*names} - {check.name for check in found}
    if missing:  # a workflow has another name than the check runs of its jobs
        found += [check for check in _workflows(steady, place, sha) if check.name in missing]
    return tuple(found)


def own_checks(steady: Steady, place: Repository, sha: str, app: str) -> tuple[OwnCheck, ...]:
    """List the check runs of a commit that an App, by its slug, has ended; see GitHub.own_checks."""
    runs = steady.call(lambda: list(place.get_commit(sha).get_check_runs(filter="latest", status="completed")))
    return tuple(OwnCheck(run.id, run.name, run.external_id or "") for run in runs if run.app.slug == app)


def _reviewers(pull: PullRequest) -> tuple[str, ...]:
    people = (one.login for one in pull.requested_reviewers)
    owner = pull.base.repo.owner.login
    return (*people, *(f"{owner}/{team.slug}" for team in pull.requested_teams))


def _objections(pull: PullRequest) -> tuple[str, ...]:
    last: dict[str, str] = {}
    for review in pull.get_reviews():
        if review.user and review.state in {"APPROVED", "CHANGES_REQUESTED", "DISMISSED"}:
            last[review.user.login] = review.state
    return tuple(login for login, state in last.items() if state == "CHANGES_REQUESTED")


def _check_runs(place: Repository, sha: str) -> Iterator[Check]:
    for run in place.get_commit(sha).get_check_runs(filter="latest"):
        conclusion = (run.conclusion or "") if run.status == "completed" else ""
        yield Check(run.name, _state(conclusion), conclusion, run.html_url or run.details_url or "")


def _statuses(place: Repository, sha: str) -> Iterator[Check]:
    for status in newest_statuses(place.get_commit(sha)):
        yield Check(status.context, _state(status.state), status.state, status.target_url or "")


def newest_statuses(commit: Commit) -> PaginatedList[CommitStatus]:
    """List the newest status of each context, all of them: the combined status is a list of pages too."""
    return PaginatedList(CommitStatus, commit.requester, f"{commit.url}/status", None, list_item="statuses")


def _workflows(steady: Steady, place: Repository, sha: str) -> list[Check]:
    try:
        runs = steady.call(lambda: list(place.get_workflow_runs(head_sha=sha)))
    except (Forbidden, NotFound):
        return []  # without the permission Actions: read, or on a server without Actions, no name is a workflow's
    newest = {(run.workflow_id, run.event): run for run in sorted(runs, key=lambda run: run.id)}
    ends = [(run, (run.conclusion or "") if run.status == "completed" else "") for run in newest.values()]
    return [Check(run.name or "", _state(conclusion), conclusion, run.html_url) for run, conclusion in ends]


def _state(conclusion: str) -> CheckState:
    return _STATES.get(conclusion, CheckState.FAILED)
