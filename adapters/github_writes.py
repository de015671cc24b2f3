"""What Drawbridge writes on GitHub: comments, labels, issues, merges, deployments. Marks on commits: github_marks.

Each function looks before it acts, so that doing it again after a lost answer, or a lost process, changes nothing.
What it did the last time is told to it, which spares most of the looking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from github import BadAttributeException, GithubException, UnknownObjectException
from github.CommitComment import CommitComment
from github.Deployment import Deployment as GitHubDeployment
from github.GithubObject import CompletableGithubObject, NotSet
from github.Issue import Issue as GitHubIssue
from github.IssueComment import IssueComment
from github.Repository import Repository

from adapters.github_limits import COMMENT, check_sha, clean, cut, short
from domain.errors import Conflict
from domain.outbox import Comment, DeploymentState, Issue, Label, Merge, Reply, Told, Written

T = TypeVar("T", bound=CompletableGithubObject)


@dataclass(frozen=True)
class Pen:
    """What it takes to write in a repository."""

    place: Repository
    me: Callable[[], str]  # our login
    app: bool  # signed in as an App
    told: Told | None  # what was written before about the same subject
    spend: Callable[[], None]  # counts a write, before it is made
    buttons: bool = True  # whether check runs offer any


def write_comment(pen: Pen, wanted: Comment) -> Written:
    """Write our one comment with this marker on the change, or else on the commit; one that is there is updated."""
    hidden = _hidden(wanted.marker)
    text = cut(f"{hidden}\n{clean(wanted.body)}", COMMENT, wanted.link)
    ours = _told_comment(pen, wanted, hidden) or [
        one for one in _comments(pen.place, wanted) if _is_ours(pen, one, hidden)
    ]
    if not ours:
        pen.spend()
        made = _comment(pen.place, wanted, text)
        return Written(made.id, made.html_url)
    if _lines(ours[0].body) != _lines(text):
        pen.spend()
        ours[0].edit(text)
    for extra in ours[1:]:  # two processes may have written their first one at once
        pen.spend()
        extra.delete()
    return Written(ours[0].id, ours[0].html_url)


def write_reply(pen: Pen, wanted: Reply) -> Written:
    """Write a new comment on the change, unless there is one with its marker."""
    if pen.told:
        return Written(pen.told.id, pen.told.url)
    hidden = _hidden(wanted.marker)
    issue = pen.place.get_issue(wanted.change)
    there = next((one for one in issue.get_comments() if _is_ours(pen, one, hidden)), None)
    if there is None:
        pen.spend()
        there = issue.create_comment(cut(f"{hidden}\n{clean(wanted.body)}", COMMENT, wanted.link))
    return Written(there.id, there.html_url)


def write_label(pen: Pen, wanted: Label) -> Written:
    """Put a label on a change, or take it off. GitHub adds one that the repository does not know yet."""
    issue = pen.place.get_issue(wanted.change)
    there = next((one.name for one in issue.get_labels() if one.name.casefold() == wanted.label.casefold()), None)
    if wanted.on and there is None:
        pen.spend()
        issue.add_to_labels(wanted.label)
    if not wanted.on and there is not None:
        pen.spend()
        issue.remove_from_labels(there)
    return Written(0, "")


def write_issue(pen: Pen, wanted: Issue) -> Written:
    """Open our one issue with this marker, update it, close it, or open it again. One never opened is not closed."""
    hidden = _hidden(wanted.marker)
    text = cut(f"{hidden}\n{clean(wanted.body)}", COMMENT, wanted.link)
    title = short(wanted.title)
    found = _find_issue(pen, wanted.repository, hidden)
    if found is None and not wanted.open:
        return Written(0, "")
    if found is None:
        pen.spend()
        made = pen.place.create_issue(title, text, labels=list(wanted.labels))
        return Written(made.number, made.html_url)
    labels = {one.name for one in found.labels}
    state = "open" if wanted.open else "closed"
    same = (found.title, _lines(found.body or ""), found.state) == (title, _lines(text), state)
    if not same or not labels.issuperset(wanted.labels):
        pen.spend()
        found.edit(title=title, body=text, state=state, labels=sorted(labels.union(wanted.labels)))
    return Written(found.number, found.html_url)


def merge(pen: Pen, wanted: Merge) -> Written:
    """Merge a change at this head. Raises Conflict when its head or base is another one by now, or it was closed."""
    pull = pen.place.get_pull(wanted.change)
    if not pull.merged:
        if pull.head.sha != check_sha(wanted.sha):
            raise Conflict(f"#{wanted.change} has a new head: {wanted.sha[:7]} was not merged.")
        if pull.base.ref != wanted.base:
            raise Conflict(
                f"#{wanted.change} goes to {pull.base.ref} by now: what was validated goes to {wanted.base}."
            )
        if pull.state != "open":
            raise Conflict(f"#{wanted.change} was closed: open it again to have it merged.")
        pen.spend()
        pull.merge(commit_title=wanted.title or NotSet, merge_method=wanted.method, sha=wanted.sha)
    return Written(pull.number, pull.html_url)


def write_deployment(pen: Pen, wanted: DeploymentState) -> Written:
    """Say how the release's one deployment to the environment goes."""
    record = _deployment(pen, wanted)
    # GitHub itself calls a deployment inactive when a later one succeeds: saying the same again would undo that.
    newest = next((one for one in record.get_statuses() if one.state == wanted.state or one.state != "inactive"), None)
    said = newest and (newest.state, newest.description, newest.environment_url or "", newest.log_url or "")
    description = short(wanted.description)
    if said != (wanted.state, description, wanted.environment_url, wanted.log_url):
        url = wanted.environment_url or NotSet
        pen.spend()
        # PyGithub has log_url by its older name.
        record.create_status(wanted.state, wanted.log_url or NotSet, description, environment_url=url)
    return Written(record.id, "")


def _deployment(pen: Pen, wanted: DeploymentState) -> GitHubDeployment:
    told = _still_there(pen, pen.place.get_deployment)
    if told:
        return told
    known = pen.place.get_deployments(sha=check_sha(wanted.sha), environment=wanted.environment)
    found = next((one for one in known if _release(one) == wanted.release), None)
    if found is None:
        pen.spend()
        found = pen.place.create_deployment(
            wanted.sha,
            auto_merge=False,  # never merge the default branch into what was evaluated
            required_contexts=[],  # our own statuses on the commit are still pending
            payload={"release": wanted.release},
            environment=wanted.environment,
            description=short(wanted.release),
        )
    return found


def _release(deployment: GitHubDeployment) -> str | None:
    try:
        return deployment.payload.get("release")
    except BadAttributeException:
        return None  # other tools leave text there


def _find_issue(pen: Pen, repository: str, hidden: str) -> GitHubIssue | None:
    told = _still_there(pen, pen.place.get_issue)
    # GitHub leads on to an issue that people have transferred; what we write stays in this repository.
    if told and told.url.casefold().endswith(f"/repos/{repository}/issues/{told.number}".casefold()):
        return told
    ours = pen.place.get_issues(state="all", creator=pen.me())  # type: ignore[arg-type]  # its stub is too narrow
    return next((one for one in ours if (one.body or "").startswith(hidden)), None)


def _still_there(pen: Pen, get: Callable[[int], T]) -> T | None:
    """Get what we wrote before by its id, unless somebody has deleted it or moved it out of sight."""
    if not (pen.told and pen.told.id):
        return None
    try:
        found = get(pen.told.id)
        found.complete()  # PyGithub asks only when it has to
        return found
    except GithubException as error:
        if error.status not in (404, 410):
            raise
        return None


def _told_comment(pen: Pen, wanted: Comment, hidden: str) -> list[Any]:
    """Find the comment we wrote before by its id; somebody may have deleted it since."""
    if not pen.told:
        return []
    try:
        known: Any = (
            pen.place.get_comment(pen.told.id)
            if wanted.change is None
            else pen.place.get_issue(wanted.change).get_comment(pen.told.id)
        )
        return [known] if known.body.startswith(hidden) else []
    except UnknownObjectException:
        return []


def _comments(place: Repository, wanted: Comment) -> Iterable[IssueComment | CommitComment]:
    if wanted.change is None:
        return place.get_commit(check_sha(wanted.sha)).get_comments()
    return place.get_issue(wanted.change).get_comments()


def _comment(place: Repository, wanted: Comment, text: str) -> IssueComment | CommitComment:
    if wanted.change is None:
        return place.get_commit(check_sha(wanted.sha)).create_comment(text)
    return place.get_issue(wanted.change).create_comment(text)


def _is_ours(pen: Pen, comment: IssueComment | CommitComment, hidden: str) -> bool:
    # Others may quote our comment, marker and all: theirs is never edited or deleted.
    return comment.body.startswith(hidden) and bool(comment.user) and comment.user.login == pen.me()


def _hidden(marker: str) -> str:
    return f"<!-- drawbridge:{marker} -->"


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
