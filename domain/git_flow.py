"""Which event starts what. Pure: an event in, actions out, or `Ignored` with the reason."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from domain.commands import KINDS, read_command
from domain.errors import Ignored
from domain.models import ChangeRequest, EvaluationRequest, ReleaseRequest

NO_COMMIT = "0" * 40
MERGED = "merged"  # why a change ended that a release carries from then on
VALIDATION, ALL = "validation", "all"  # what Re-run asks for, besides an evaluation of one kind


@dataclass(frozen=True)
class Push:
    """A branch moved. `after` is forty zeros when it was deleted."""

    repository: str
    branch: str
    before: str
    after: str
    pusher: str
    delivery: str
    forced: bool = False


@dataclass(frozen=True)
class ChangeEvent:
    """Something happened to a pull request; `action` is GitHub's word for it."""

    repository: str
    number: int
    action: str
    head: str  # sha
    head_branch: str
    base_branch: str
    draft: bool
    fork: bool  # its head is in another repository
    merged: bool
    label: str  # of `labeled` and `unlabeled`, else ""
    sender: str
    at: str  # when the change was last updated, UTC
    delivery: str


@dataclass(frozen=True)
class CommentEvent:
    """Somebody wrote on a pull request. `id` is the comment's."""

    repository: str
    number: int
    id: int
    body: str
    author: str
    delivery: str
    bot: bool = False


@dataclass(frozen=True)
class CheckEvent:
    """A button on one of our check runs was pressed. `action` is `rerequested` or the button's identifier."""

    repository: str
    id: int
    sha: str
    name: str  # of the check run
    external_id: str  # what we put there: the release's or change's instance id
    action: str
    sender: str
    delivery: str
    change: int | None = None  # an open change whose head the commit is


@dataclass(frozen=True)
class SuiteEvent:
    """Re-run all checks was pressed on a commit. `id` is that of our check suite."""

    repository: str
    id: int
    sha: str
    at: str  # when the suite was last updated, UTC
    sender: str
    delivery: str
    change: int | None = None  # an open change whose head the commit is


@dataclass(frozen=True)
class GroupEvent:
    """A merge queue brought changes together on one commit, or gave that up. `action` is GitHub's word, or its reason.

    `branch` is the queue's own one for it, see merge_queue.members.
    """

    repository: str
    branch: str
    base_branch: str
    head: str  # sha
    action: str
    delivery: str


@dataclass(frozen=True)
class CheckPassed:
    """A check has succeeded on a commit, the repository's own or another App's."""

    repository: str
    sha: str
    name: str
    delivery: str


@dataclass(frozen=True)
class OtherEvent:
    """A delivery that is well formed and starts nothing here, named for the log."""

    name: str
    repository: str
    delivery: str


Event = Push | ChangeEvent | GroupEvent | CommentEvent | CheckEvent | CheckPassed | SuiteEvent | OtherEvent


@dataclass(frozen=True)
class EndChange:
    """A change was closed or turned back into a draft, or a queue gave a group up: what runs for it ends."""

    repository: str
    key: int | str  # of its record: a change's number, a group's head
    why: str


@dataclass(frozen=True)
class GroupRequest:
    """What a merge queue is about to merge, on one commit, to be validated as it would land."""

    repository: str
    sha: str
    base: str  # where it is to land
    branch: str  # the queue's own one


@dataclass(frozen=True)
class ToggleOptOut:
    """A label was put on a change, or taken off: once it is merged, its release looks at its opt-out again."""

    repository: str
    number: int
    label: str
    on: bool
    by: str
    at: str
    key: str  # the same for every delivery of one toggle


@dataclass(frozen=True)
class LookAtLabel:
    """A label was put on an open change, or taken off: what the change says about its opt-out is said anew."""

    request: ChangeRequest
    key: str  # the same for every delivery of one change of labels
    toggle: ToggleOptOut | None = None  # None when the text was changed, with the reason in it


@dataclass(frozen=True)
class LookAgain:
    """A check turned green: changes whose head this is, and that failed for nothing else, are validated again."""

    repository: str
    sha: str
    name: str


@dataclass(frozen=True)
class Ask:
    """Somebody asks for an evaluation or a validation, by a comment or a button; whether they may GitHub is asked."""

    repository: str
    number: int | None  # the change; None for a button on a release's check
    comment: int  # its id; 0 for a button
    kind: str  # "minimal" | "full" | commands.HELP | VALIDATION | ALL: what can be run again of a commit's checks
    by: str
    sha: str = ""  # what is asked about; "" is the change's head
    check: int = 0  # the id of the check run, or suite; 0 for a comment
    rerun: str = ""  # names what runs again, the same however often it is told; "" for a comment or another button
    attempt: int = 1  # of a validation


Action = (
    ReleaseRequest
    | ChangeRequest
    | GroupRequest
    | EvaluationRequest
    | EndChange
    | LookAgain
    | ToggleOptOut
    | LookAtLabel
    | Ask
)

_VALIDATED_ON = {"opened", "reopened", "synchronize", "ready_for_review", "edited"}
_LABEL_MOVED = {"labeled", "unlabeled"}
_OUR_COMMENT = "<!-- drawbridge:"
REQUESTED = "checks_requested"  # of a merge queue's group; any other action says why it is none any more
_GIVEN_UP = {
    "merged": "merged by the merge queue",
    "dequeued": "taken out of the merge queue",
    "invalidated": "brought together anew by the merge queue",
}


def decide(event: Event, repositories: Collection[str], release_branch: str, develop_branch: str) -> tuple[Action, ...]:
    """Return what an event asks for.

    `repositories` are the configured owner/name pairs, compared without case as GitHub does; actions carry the
    configured spelling. Raises Ignored, with the reason, for everything that asks for nothing.
    """
    known = {name.lower(): name for name in repositories}
    name = known.get(event.repository.lower())
    if name is None:
        raise Ignored(f"repository {event.repository or '(none)'} is not configured here")
    branches = release_branch, develop_branch
    match replace(event, repository=name):
        case Push() as push:
            action = _pushed(push, *branches)
        case ChangeEvent() as change:
            action = _changed(change, branches)
        case GroupEvent() as group:
            action = _grouped(group, branches)
        case CommentEvent() as comment:
            action = _commented(comment)
        case CheckEvent() as check:
            action = _pressed(check)
        case CheckPassed() as passed:
            action = LookAgain(name, passed.sha, passed.name)
        case SuiteEvent() as suite:
            again = f"suite{suite.id}-{_digits(suite.at)}"
            action = Ask(name, suite.change, 0, ALL, suite.sender, suite.sha, suite.id, again)
        case other:
            raise Ignored(f"event {other.name} starts nothing")
    return (action,)


def gone(repository: str, branch: str, release_branch: str) -> str:
    """Say what to do about one of the two branches that is not there."""
    setting = f"DRAWBRIDGE_{'RELEASE' if branch == release_branch else 'DEVELOP'}_BRANCH"
    return f"branch {branch} of {repository} is gone or renamed: push it, or set {setting} to another"


def _pushed(push: Push, release_branch: str, develop_branch: str) -> Action:
    if push.branch not in (release_branch, develop_branch):
        raise Ignored(f"branch {push.branch} is neither {release_branch} nor {develop_branch}")
    if push.after == NO_COMMIT:
        raise Ignored(gone(push.repository, push.branch, release_branch))
    if push.branch == develop_branch != release_branch:
        return EvaluationRequest(push.repository, push.after, "minimal", "continuous", asked_by="", key="push")
    return ReleaseRequest(
        repository=push.repository,
        sha=push.after,
        before=push.before,
        branch=push.branch,
        pusher=push.pusher,
        delivery=push.delivery,
        forced=push.forced,
    )


def _changed(change: ChangeEvent, branches: tuple[str, str]) -> Action:
    if change.action in _LABEL_MOVED:
        return _relabelled(change, branches)
    if change.action == "reworded":
        return _reworded(change, branches)
    if change.action == "closed":
        return EndChange(change.repository, change.number, _how_it_closed(change, branches))
    if change.action == "converted_to_draft":
        return EndChange(change.repository, change.number, "turned into a draft")
    if change.action not in _VALIDATED_ON:
        raise Ignored(f"event pull_request.{change.action} starts nothing")
    if change.action == "edited" and change.base_branch not in branches:
        return EndChange(change.repository, change.number, f"turned towards {change.base_branch}")
    _check_validated(change, branches)
    return _validation(change)


def _grouped(group: GroupEvent, branches: tuple[str, str]) -> Action:
    if group.base_branch not in branches:
        raise Ignored(f"the merge queue of {group.base_branch} is for neither {' nor '.join(branches)}")
    if group.action != REQUESTED:
        return EndChange(group.repository, group.head, _GIVEN_UP.get(group.action, "let go by the merge queue"))
    return GroupRequest(group.repository, group.head, group.base_branch, group.branch)


def _how_it_closed(change: ChangeEvent, branches: tuple[str, str]) -> str:
    release_branch, _ = branches
    if change.merged and change.base_branch != release_branch:
        return f"merged into {change.base_branch}"
    return MERGED if change.merged else "closed"


def _relabelled(change: ChangeEvent, branches: tuple[str, str]) -> Action:
    """Pass on every label: which one opts out, only the repository's config says."""
    on = change.action == "labeled"
    key = _key(change.label, on, change.at)
    toggle = ToggleOptOut(change.repository, change.number, change.label, on, change.sender, change.at, key)
    if change.merged and change.base_branch != branches[0]:
        raise Ignored(f"change {change.number} is merged into {change.base_branch}: no release carries it")
    if change.merged:
        return toggle
    _check_branch(change, branches)  # and not whether it is a draft: who moved its label is known all the same
    return LookAtLabel(_validation(change), key, toggle)


def _reworded(change: ChangeEvent, branches: tuple[str, str]) -> Action:
    """Look at the opt-out of an open change again: its reason stands in the text."""
    if change.merged:
        raise Ignored(f"change {change.number} is merged: its text counted then")
    _check_validated(change, branches)
    return LookAtLabel(_validation(change), _key("", True, change.at))


def _check_branch(change: ChangeEvent, branches: tuple[str, str]) -> None:
    if change.base_branch not in branches:
        raise Ignored(f"change {change.number} goes to {change.base_branch}, which is neither {' nor '.join(branches)}")


def _check_validated(change: ChangeEvent, branches: tuple[str, str]) -> None:
    _check_branch(change, branches)
    if change.draft:
        raise Ignored(f"change {change.number} is a draft")


def _validation(change: ChangeEvent) -> ChangeRequest:
    return ChangeRequest(change.repository, change.number, change.head, change.delivery, base=change.base_branch)


def _commented(comment: CommentEvent) -> Action:
    if comment.bot or comment.body.lstrip().startswith(_OUR_COMMENT):
        raise Ignored(f"comment {comment.id} is a bot's or our own")
    kind = read_command(comment.body)
    if kind is None:
        raise Ignored(f"comment {comment.id} holds no command")
    return Ask(comment.repository, comment.number, comment.id, kind, comment.author)


def _pressed(check: CheckEvent) -> Action:
    if check.action == "rerequested":
        return rerun(check)
    kind = check.action.removeprefix("evaluate-")
    if kind not in KINDS or kind == check.action:
        raise Ignored(f"check {check.name} has no button {check.action} of ours")
    validated = _validated(check)
    return Ask(check.repository, validated[0] if validated else None, 0, kind, check.sender, check.sha, check.id)


def rerun(check: CheckEvent) -> Ask:
    """Return what running one of our checks again asks for. Raises Ignored when it cannot run by itself."""
    again = f"rerun{check.id}"
    validated = _validated(check)
    if validated:
        change, shown = validated
        return Ask(check.repository, change, 0, VALIDATION, check.sender, check.sha, check.id, again, shown + 1)
    kind, released = _evaluated(check)
    number = None if released else check.change
    return Ask(check.repository, number, 0, kind, check.sender, check.sha, check.id, again)


def _validated(check: CheckEvent) -> tuple[int, int] | None:
    """Return the change and the attempt whose validation a check is about."""
    flat, sha = re.escape(_flat(check.repository)), re.escape(check.sha)
    found = re.fullmatch(rf"change-{flat}-(\d+)-{sha}(?:\.(\d+))?", check.external_id)
    return (int(found[1]), int(found[2] or 1)) if found else None


def _evaluated(check: CheckEvent) -> tuple[str, bool]:
    """Return the kind of evaluation that a check is about, and whether it is a release's. Raises Ignored."""
    where = f"{_flat(check.repository)}-{check.sha}"
    for kind in KINDS:
        of_release = check.external_id == f"release-{where}" and check.name.endswith(f"evaluate-{kind}")
        alone = any(check.external_id.startswith(f"{source}-{where}-{kind}-") for source in _SOURCES)
        if of_release or alone:
            return kind, of_release
    raise Ignored(f"check {check.name} cannot be run again by itself: push a new commit, or ask for an evaluation")


_SOURCES = ("continuous", "on-demand", "nightly")


def web_app_name(repository: str, environment: str) -> str:
    """Name the web app of one repository's environment: two repositories never share one."""
    return f"{_flat(repository)}-{environment}"


def release_id(repository: str, sha: str) -> str:
    """Name the one release a commit can ever have: also its orchestration's instance id."""
    return f"release-{_flat(repository)}-{sha}"


def change_id(request: ChangeRequest) -> str:
    """Name the validation of one head of a change, and its orchestration's instance."""
    again = f".{request.attempt}" if request.attempt > 1 else ""
    return f"change-{_flat(request.repository)}-{request.number}-{request.sha}{again}"


def group_id(group: GroupRequest) -> str:
    """Name the validation of what a merge queue is about to merge, and its orchestration's instance."""
    return f"group-{_flat(group.repository)}-{group.sha}"


def evaluation_id(request: EvaluationRequest) -> str:
    """Name an evaluation that is no part of a release, and its orchestration's instance."""
    return f"{request.source}-{_flat(request.repository)}-{request.sha}-{request.kind}-{request.key}"


def ask_key(ask: Ask) -> str:
    """Name what was pressed or written: what it starts is the same, whoever tells of it and however often."""
    return ask.rerun or (f"check{ask.check}" if ask.check else f"comment{ask.comment}")


def ask_id(ask: Ask) -> str:
    """Name what a comment or a button asks for, and the instance that answers it.

    Who is refused must not keep others from pressing a button, so that is one for each person.
    """
    by = f"-{ask.by.lower()}" if ask.check else ""
    return f"asked-{_flat(ask.repository)}-{ask_key(ask)}-{ask.kind}{by}"


def toggle_id(toggle: ToggleOptOut) -> str:
    """Name one toggle of a merged change's label, and its orchestration's instance."""
    return f"toggle-{_flat(toggle.repository)}-{toggle.number}-{toggle.key}"


def label_id(look: LookAtLabel) -> str:
    """Name one look at the labels of an open change, and its orchestration's instance."""
    return f"{change_id(look.request)}.label.{look.key}"


def nightly_id(repository: str, date: str) -> str:
    """Name a repository's one nightly run of a date (YYYY-MM-DD)."""
    return f"nightly-{_flat(repository)}-{date}"


def _flat(repository: str) -> str:
    return repository.lower().replace("/", ".")


def _key(label: str, on: bool, at: str) -> str:
    # Of what happened, not of how it was told: a delivery, its repetition by another hook and the reconciler agree.
    word = "on" if on else "off"
    return f"{_digits(at)}-{word}-{hashlib.sha256(label.casefold().encode()).hexdigest()[:8]}"


def _digits(at: str) -> str:
    return re.sub("[^0-9]", "", at)
