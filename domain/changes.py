"""A change on its way to its merge: what is known of it, who may speak for it, what its rules say. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from domain.config import Config
from domain.models import ChangeRequest, OptOut, StageState

CONTEXT = "drawbridge/change"  # of the status that says how a change's validation stands
OPT_OUT_CONTEXT = "drawbridge/opt-out"

BRANCH, CONFIG, VALIDATE, SYNTAX, CHECKS, MERGE = "branch", "config", "validate", "evaluate-syntax", "checks", "merge"
RULES_FILE = "drawbridge.yaml"
FILES_LISTED = 3_000  # of a change, by GitHub; what it names no more may be anything
HEADS_KEPT = 50  # whose validation was broken off; a change that is pushed to more often may validate one anew


class ChangeState(StrEnum):
    """Where the newest validation of a change stands."""

    WAITING = "waiting"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


class CheckState(StrEnum):
    """What one of the repository's own checks came to on a commit."""

    MISSING = "missing"
    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"


class Mergeable(StrEnum):
    """What stands between a change and its merge, as GitHub sees it."""

    UNKNOWN = "unknown"  # GitHub is still finding out
    YES = "yes"
    BLOCKED = "blocked"  # branch protection: reviews, other checks, not up to date
    CONFLICT = "conflict"
    GONE = "gone"  # closed, merged, a draft, pushed to, or turned elsewhere: not what was validated


@dataclass(frozen=True)
class ChangeFacts:
    """A pull request as GitHub has it now."""

    repository: str
    number: int
    title: str
    author: str
    head: str  # sha
    branch: str  # its head's; in the fork's repository for a fork
    base: str
    fork: bool  # its head is in another repository, or in one that was deleted
    draft: bool
    open: bool
    url: str
    labels: tuple[str, ...] = ()
    merged_by: str = ""  # empty: not merged
    mergeable: bool | None = None  # None while GitHub is finding out
    merge_state: str = ""  # GitHub's word: clean, blocked, behind, dirty, unstable, …
    reviewers: tuple[str, ...] = ()  # people and teams whose review is asked for
    objections: tuple[str, ...] = ()  # who requested changes and has not approved since
    group: bool = False  # changes that a merge queue brought together; number and author are those of the last one


@dataclass(frozen=True)
class Check:
    """A check run, workflow or status of the repository's own, by the name that the config requires."""

    name: str
    state: CheckState
    detail: str = ""  # GitHub's word for how it ended
    url: str = ""


@dataclass(frozen=True)
class Step:
    """One line of a change's validation."""

    name: str
    state: StageState = StageState.WAITING
    detail: str = ""
    url: str = ""


@dataclass(frozen=True)
class ChangeRecord:
    """What is known about a pull request and its newest validation, whose story writes it.

    Or about a group of them in a merge queue, which is not theirs: they keep their own, and nobody comments on it.
    `preview`, `previewed` and `forecast` are written whenever the opt-out label is looked at.
    """

    repository: str
    number: int
    title: str = ""
    author: str = ""
    url: str = ""
    head: str = ""  # the sha that is validated
    base: str = ""
    instance: str = ""  # the orchestration that speaks for the change
    snapshot: str = ""  # sha256 of the head's files
    attempt: int = 1
    state: ChangeState = ChangeState.WAITING
    steps: tuple[Step, ...] = ()
    reason: str = ""
    needed: str = ""  # who has to do what, when somebody has to
    person: str = ""  # the label that asks for a person
    notes: tuple[str, ...] = ()  # what a person should know
    forecast: tuple[str, ...] = ()  # what the release of this change will evaluate
    preview: OptOut | None = None  # what the policy says of the opt-out label while the change is open
    previewed: bool = False  # there has been such a label
    red: tuple[str, ...] = ()  # the required checks that it failed for, and for nothing else
    problems: str = ""  # of the config that the change brings, one a line, as file:line: what is wrong
    updated_at: str = ""
    news: int = 0  # how often its story has told how it stands
    ended: str = ""  # why nobody is to speak for the change now: closed, turned into a draft
    replaces: str = ""  # the instance that spoke for the change before
    broken_off: dict[str, int] = field(default_factory=dict)  # sha -> last attempt that was not seen through
    group: bool = False

    @property
    def key(self) -> int | str:
        """What names it in its repository."""
        return self.head if self.group else self.number


def opened(facts: ChangeFacts, instance: str, at: str, attempt: int = 1) -> ChangeRecord:
    """Return the record with which an instance's validation of a head begins. `at` is UTC in ISO."""
    return ChangeRecord(
        repository=facts.repository,
        number=facts.number,
        title=facts.title,
        author=facts.author,
        url=facts.url,
        head=facts.head,
        base=facts.base,
        instance=instance,
        attempt=attempt,
        state=ChangeState.RUNNING,
        updated_at=at,
        group=facts.group,
    )


def syntax_id(instance: str) -> str:
    """Name the end-to-end syntax run of a validation."""
    return f"{instance}.syntax"


def due(record: ChangeRecord | None, request: ChangeRequest) -> ChangeRequest:
    """Return the request as it is to be started: a head whose validation was broken off gets another attempt.

    The same deliveries in any order and number come to the same few instances.
    """
    if record is None:
        return request
    known = 1
    if record.head == request.sha:
        turned = record.base and request.base and record.base != request.base  # other rules hold on the way there
        known = record.attempt + 1 if turned else record.attempt
    return replace(request, attempt=max(request.attempt, known, record.broken_off.get(request.sha, 0) + 1))


def take_up(stored: ChangeRecord | None, wanted: ChangeRecord) -> ChangeRecord:
    """Return the record with `wanted.instance` as the one that speaks for the change; unchanged when it may not.

    GitHub has said that `wanted.head` is the head now, so any other head is an older one.
    """
    if stored is None or stored.instance == wanted.instance:
        return stored or wanted
    if stored.head == wanted.head and stored.attempt >= wanted.attempt:
        return stored
    another = stored.head and stored.head != wanted.head
    broken = {**stored.broken_off, stored.head: stored.attempt} if another else stored.broken_off
    return replace(
        wanted,
        preview=stored.preview,
        previewed=stored.previewed,
        replaces=stored.instance,
        broken_off=dict(list(broken.items())[-HEADS_KEPT:]),
    )


def pass_over(stored: ChangeRecord, request: ChangeRequest) -> ChangeRecord:
    """Return the record after a request came to nothing: the same head, asked for again, needs another attempt."""
    missed = {**stored.broken_off, request.sha: request.attempt}
    return replace(stored, broken_off=dict(list(missed.items())[-HEADS_KEPT:]))


def keep(stored: ChangeRecord | None, news: ChangeRecord) -> ChangeRecord:
    """Return the record with the news of the story that speaks for the change; unchanged for any other's, or older."""
    # Counted, not dated: the clocks of two hosts may be an hour apart.
    if stored is None or over(stored, news.instance) or stored.news > news.news:
        return stored or news
    return replace(
        news,
        preview=stored.preview,
        previewed=stored.previewed,
        forecast=stored.forecast,
        ended=stored.ended,
        replaces=stored.replaces,
        broken_off=stored.broken_off,
    )


def foresee(stored: ChangeRecord, preview: OptOut | None, forecast: Sequence[str]) -> ChangeRecord:
    """Return the record with what the release of this change will evaluate, as the policy sees its label now."""
    previewed = stored.previewed or preview is not None
    return replace(stored, preview=preview, previewed=previewed, forecast=tuple(forecast))


def end(stored: ChangeRecord, why: str) -> ChangeRecord:
    """Return the record of a change that was closed, merged or turned into a draft. What was found out stays."""
    broken_off = {**stored.broken_off, stored.head: stored.attempt}
    if is_settled(stored):
        return replace(stored, ended=why, broken_off=broken_off)
    steps = called_off(stored.steps)
    return replace(stored, state=ChangeState.CANCELLED, steps=steps, ended=why, broken_off=broken_off)


def over(stored: ChangeRecord, instance: str) -> bool:
    """Say whether an instance no longer speaks for its change. One that had settled may still tell of the merge."""
    return stored.instance != instance or stored.state is ChangeState.CANCELLED


def called_off(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps of a validation that ends here: what has not come to anything will not."""
    pending = {StageState.WAITING, StageState.RUNNING}
    return tuple(replace(step, state=StageState.CANCELLED) if step.state in pending else step for step in steps)


def is_settled(record: ChangeRecord) -> bool:
    """Say whether the validation has come to an end."""
    return record.state not in {ChangeState.WAITING, ChangeState.RUNNING}


def with_step(record: ChangeRecord, name: str, state: StageState, detail: str = "", url: str = "") -> ChangeRecord:
    """Return the record with one step as it stands now; a new one comes last."""
    step = Step(name, state, detail, url)
    known = any(one.name == name for one in record.steps)
    steps = tuple(step if one.name == name else one for one in record.steps)
    return replace(record, steps=steps if known else (*record.steps, step))


def planned(facts: ChangeFacts, config: Config) -> tuple[Step, ...]:
    """Return the steps of a change, all waiting, in the order people read them."""
    names = [VALIDATE] if facts.group else [BRANCH, VALIDATE]
    names += [SYNTAX] if facts.base == config.branches.main and not facts.fork else []
    names += [CHECKS] if config.validation.required_checks else []
    names += [MERGE] if facts.base == config.branches.develop and config.merge.auto and not facts.group else []
    return tuple(Step(name) for name in names)


def together(names: Sequence[str], found: Iterable[Check]) -> tuple[Check, ...]:
    """Return one check for each required name: of several of one name the worst counts, and none is missing."""
    gravity = [CheckState.FAILED, CheckState.PENDING, CheckState.PASSED]
    by_name: dict[str, list[Check]] = {}
    for check in found:
        by_name.setdefault(check.name, []).append(check)
    missing: Callable[[str], list[Check]] = lambda name: [Check(name, CheckState.MISSING)]  # noqa: E731
    return tuple(
        min(by_name.get(name) or missing(name), key=lambda one: gravity.index(one.state) if one.state in gravity else 9)
        for name in names
    )


def decided(checks: Sequence[Check]) -> bool:
    """Say whether nothing is to be waited for: one has failed, or all have passed."""
    states = {check.state for check in checks}
    return CheckState.FAILED in states or states <= {CheckState.PASSED}


def red(checks: Sequence[Check]) -> tuple[str, ...]:
    """Name the checks that have to turn green: those that failed, else all that did not come to an end in time."""
    failed = tuple(check.name for check in checks if check.state is CheckState.FAILED)
    return failed or tuple(check.name for check in checks if check.state is not CheckState.PASSED)


def turned_green(stored: ChangeRecord, name: str) -> ChangeRecord:
    """Return the record with one check less to wait for; the last one stays, until it is validated again."""
    return replace(stored, red=tuple(one for one in stored.red if one != name) or stored.red)


def touches_rules(files: Sequence[str]) -> bool:
    """Say whether a change may bring other rules, by the paths that GitHub lists of it."""
    return RULES_FILE in files or len(files) >= FILES_LISTED


def mergeable(facts: ChangeFacts, head: str, base: str) -> Mergeable:
    """Say what stands between a change and its merge, as it was validated: this head, towards this base."""
    if not facts.open or facts.draft or (facts.head, facts.base) != (head, base):
        return Mergeable.GONE
    if facts.mergeable is False or facts.merge_state == "dirty":
        return Mergeable.CONFLICT
    if facts.mergeable is None or facts.merge_state in {"", "unknown"}:
        return Mergeable.UNKNOWN
    # Unstable: a check that nobody requires has failed. GitHub would merge it, and so would a person.
    return Mergeable.YES if facts.merge_state in {"clean", "unstable", "has_hooks"} else Mergeable.BLOCKED
