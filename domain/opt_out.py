"""When a release may skip its full evaluation: the label, who put it there, the checklist, the paths, open debts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from domain import timeline
from domain.asks import is_bot
from domain.changes import FILES_LISTED
from domain.config import OptOutRule
from domain.models import Change, Debt, OptOut, Outcome, ReleaseRecord, Verdict

# In the pull request's template, at the head of the opt-out's section.
MARKER = "<!-- drawbridge:opt-out -->"
# What has to be ticked there, unless the repository's own template says otherwise.
CHECKLIST = (
    "Answers cannot change: only documentation, tests or tooling are touched.",
    "I know that the skip is shown with my name, and that the evaluation is owed before production.",
)

_HEADING = re.compile(r"^#{1,6}\s", re.MULTILINE)
_BOX = re.compile(r"^\s*[-*+]\s+\[([ xX])\]\s+(.*)$", re.MULTILINE)
_REASON = re.compile(r"^[\s*_>]*reason(?: for skipping)?[\s*_]*:[*_]*", re.IGNORECASE | re.MULTILINE)
LONGEST_REASON = 300  # characters


@dataclass(frozen=True)
class Facts:
    """An opt-out label on a change, and what the policy looks at. `files` are all paths that the change touches."""

    change: int
    label: str
    by: str  # who put the label there
    at: str
    body: str
    files: tuple[str, ...]
    template: str = ""  # of the repository's pull requests, where the change began; "" without one


def skips_full_evaluation(changes: Sequence[Change], opt_outs: Sequence[OptOut]) -> bool:
    """Say whether every change of a release opted out: one label must not speak for somebody else's change.

    A direct push has no change that could have a label, so it is evaluated. `opt_outs` are the honoured ones.
    """
    return bool(changes) and {change.number for change in changes} <= {opt_out.change for opt_out in opt_outs}


def has_ground(record: ReleaseRecord) -> bool:
    """Say whether a release may skip its full evaluation at all.

    Its minimal one has to have passed, there must be an environment before production where people look at it, and no
    commit may come without a change: nobody has opted out for it.
    """
    return _minimal(record) is Verdict.PASSED and _environments(record) > 1 and not record.direct


def may_have_ground(record: ReleaseRecord) -> bool:
    """Say whether a release may come to have that ground: early on nothing of it is known."""
    return _minimal(record) in (None, Verdict.PASSED) and _environments(record) != 1 and not record.direct


def full_evaluation_ahead(release: str, record: ReleaseRecord | None) -> str:
    """Return the id of the full evaluation that runs, or will begin by all that the release knows; else nothing."""
    if record and (running := timeline.running_full_evaluation(record)):
        return running
    begun = record and any(stage.name == timeline.FULL and stage.started_at for stage in record.stages)
    over = record and record.outcome is not Outcome.RUNNING
    skipped = record and skips_full_evaluation(record.changes, record.opt_outs)
    return "" if begun or over or skipped else timeline.first_full_evaluation(release)


def _minimal(record: ReleaseRecord) -> Verdict | None:
    return next((summary.verdict for summary in record.evaluations if summary.kind == "minimal"), None)


def _environments(record: ReleaseRecord) -> int:
    return sum(1 for stage in record.stages if stage.name.startswith("deploy-"))


def judge(rule: OptOutRule, facts: Facts, may: bool, overdue: Sequence[Debt] = ()) -> OptOut:
    """Return the opt-out, with `refused` saying in words all that is against it; empty when it is honoured.

    `may` says whether the person is among those the policy lets opt out; `overdue` are the repository's debts that
    nobody has paid in time.
    """
    section = _section(facts.body)
    reason = _reason(section)
    against = (
        *_person(rule, facts.by, may),
        *_paths(rule, facts.files),
        *_checklist(section, reason, _boxes(_section(facts.template)) or CHECKLIST),
        *(f"the debt of {debt.commit[:7]} was due at {debt.expires_at} and must be paid first" for debt in overdue[:3]),
    )
    return OptOut(facts.label, facts.change, facts.by, facts.at, reason, "; ".join(against))


def matches(pattern: str, path: str) -> bool:
    """Say whether a glob of the config covers a path: `**` goes through directories, a directory covers its files."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    translated = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    regex = "".join(translated.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(f"{regex}(?:/.*)?", path, re.DOTALL) is not None


def _person(rule: OptOutRule, by: str, may: bool) -> Sequence[str]:
    if is_bot(by) and by.casefold() not in {name.casefold() for name in rule.allowed}:
        return (f"@{by} is a bot: a person puts the label on, or opt_out.allowed names the bot",)
    return () if may else (f"@{by} is none of those who may opt out ({', '.join(rule.allowed)})",)


def _paths(rule: OptOutRule, files: Sequence[str]) -> Sequence[str]:
    for pattern in rule.forbidden_paths:
        touched = [path for path in files if matches(pattern, path)]
        if touched:
            more = f" and {len(touched) - 1} more" if len(touched) > 1 else ""
            return (f"it changes {touched[0]}{more}, and {pattern} may not skip the full evaluation",)
    if rule.forbidden_paths and len(files) >= FILES_LISTED:
        paths = ", ".join(rule.forbidden_paths)
        return (f"it changes more files than GitHub lists, so nobody can say that {paths} is not among them",)
    return ()


def _checklist(section: str | None, reason: str, wanted: Sequence[str]) -> Sequence[str]:
    if section is None:
        return (f'its text has no opt-out checklist (the section after "{MARKER}" of the pull request template)',)
    there = {_alike(text) for text in _boxes(section)}
    taken_out = [text for text in wanted if _alike(text) not in there]
    against = [f'not ticked: "{text}"' for text in _boxes(section, " ")[:3]]
    against += [f'taken out of the checklist: "{text}"' for text in taken_out[:3]]
    if not reason:
        against.append('no reason is given after "Reason for skipping:"')
    return against


def _section(body: str) -> str | None:
    """Return the text after the marker up to the next heading, without HTML comments; None without a marker."""
    _, marker, rest = body.replace("\r\n", "\n").partition(MARKER)
    if not marker:
        return None
    rest = re.sub(r"<!--.*?(-->|\Z)", "", rest, flags=re.DOTALL).lstrip()
    own = _HEADING.match(rest)  # the section's own heading may follow the marker
    rest = rest.partition("\n")[2] if own else rest
    return _HEADING.split(rest, maxsplit=1)[0]


def _boxes(section: str | None, ticks: str = " xX") -> list[str]:
    """Return what stands behind the boxes with one of these ticks."""
    return [text.strip() for tick, text in _BOX.findall(section or "") if tick in ticks]


def _alike(text: str) -> str:
    return " ".join(text.split()).casefold()


def _reason(section: str | None) -> str:
    """Return the paragraph that follows the word, on one line."""
    after = _REASON.split(section or "", maxsplit=1)[1:]
    paragraph = after[0].strip().partition("\n\n")[0] if after else ""
    return " ".join(paragraph.split())[:LONGEST_REASON]
