"""The words people read on a change (a pull request). One function per message; nothing here sends anything."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from domain.asks import is_bot
from domain.branch_names import NO_ISSUE, corrected, issue_in
from domain.changes import (
    BRANCH,
    CHECKS,
    CONFIG,
    MERGE,
    RULES_FILE,
    SYNTAX,
    VALIDATE,
    ChangeFacts,
    ChangeRecord,
    ChangeState,
    Check,
    CheckState,
    Mergeable,
    Step,
)
from domain.config import Config
from domain.messages import plain
from domain.models import Debt, EvaluationSummary, OptOut, StageState, Verdict

_TITLES = {
    BRANCH: "Branch",
    CONFIG: RULES_FILE,
    VALIDATE: "Validate",
    SYNTAX: "End-to-end syntax run",
    CHECKS: "Required checks",
    MERGE: "Merge",
}
_SIGNS = {
    StageState.WAITING: "▫️",
    StageState.RUNNING: "⏳",
    StageState.PASSED: "✅",
    StageState.FAILED: "❌",
    StageState.INCONCLUSIVE: "❔",
    StageState.SKIPPED: "⏭️",
}
_HEADLINES = {
    ChangeState.WAITING: "waiting",
    ChangeState.RUNNING: "being validated",
    ChangeState.PASSED: "passed",
    ChangeState.FAILED: "a person is needed",
    ChangeState.SUPERSEDED: "superseded",
    ChangeState.CANCELLED: "ended",
}
LONGEST_ERROR = 20_000  # characters of a config's problems


def title(step: str) -> str:
    """Return a step's name for people."""
    return _TITLES.get(step, step)


def comment(record: ChangeRecord, page: str) -> str:
    """Return the Markdown of the one comment that a change has before its merge. `page` has the whole output."""
    parts = [
        f"### Drawbridge: `{record.head[:7]}` – {_HEADLINES[record.state]}",
        ended(record.ended).capitalize() + "." if record.state is ChangeState.CANCELLED else record.reason,
        _table(record.steps),
        f"**Needed:** {record.needed}" if record.needed else "",
        *(f"> {note}" for note in record.notes),
        _opt_out(record.preview),
        "\n".join(["**What the release of this change will evaluate**", "", *(f"- {line}" for line in record.forecast)])
        if record.forecast
        else "",
        f"[Log and details]({page})",
    ]
    return "\n\n".join(part for part in parts if part)


def description(record: ChangeRecord) -> str:
    """Say in one line, for a status, how a change stands."""
    running = [title(step.name) for step in record.steps if step.state is StageState.RUNNING]
    if record.state is ChangeState.RUNNING and running:
        return f"running: {', '.join(running)}"
    failed = next((step for step in record.steps if step.state is StageState.FAILED), None)
    if record.state is ChangeState.FAILED and failed:
        return f"{title(failed.name)}: {_one_line(failed.detail)}"
    if record.state is ChangeState.CANCELLED:
        return ended(record.ended)
    return _one_line(record.reason) or _HEADLINES[record.state]


def opt_out_description(preview: OptOut | None) -> str:
    """Say in one line, for a status, what the policy makes of the opt-out label."""
    if preview is None:
        return "no opt-out label: the release is evaluated in full"
    if preview.refused:
        return f"refused: {preview.refused}"
    return f"accepted: the release of this change will carry the debt of @{preview.by}"


def wrong_branch(facts: ChangeFacts, pattern: str) -> str:
    """Say what is wrong with a branch's name, with an example made from it."""
    example = corrected(facts.branch, facts.author, pattern)
    said = f"The branch {_code(facts.branch)} is not named developer-name/issue-id-feature-name."
    if not example:
        return f"The branch {_code(facts.branch)} does not match {_code(pattern)}, which {RULES_FILE} asks for."
    stands = "" if issue_in(facts.branch) else f" ({NO_ISSUE} stands for its issue's number)"
    return (
        f"{said} Call it for example {_code(example)}{stands}: `git branch -m {example}`, push it, and open the change "
        "anew from there."
    )


def right_branch(facts: ChangeFacts, config: Config) -> str:
    """Say where a change goes, and what is unusual about that."""
    if facts.base == config.branches.develop:
        return _free_name(facts, config.branches.main)
    if facts.base != config.branches.main:
        return (
            f"to {facts.base}, which is neither {config.branches.develop} nor {config.branches.main}: any name will do"
        )
    if facts.branch == config.branches.develop and not facts.fork:
        return ""
    return f"goes past {config.branches.develop}"


def _free_name(facts: ChangeFacts, main: str) -> str:
    if facts.fork:
        return "the branch belongs to the fork, so its name is free"
    if facts.branch == main:
        return f"brings {main} back"
    return "a bot's branch, so its name is free" if is_bot(facts.author) else ""


def past_develop(facts: ChangeFacts, develop: str) -> str:
    """Say what a hotfix leaves to do."""
    return (
        f"This change goes to {_code(facts.base)} from {_code(facts.branch)}, not from {_code(develop)}. That is meant "
        f"for hotfixes: its release passes the same gates as any other. Bring the commits to {_code(develop)} as well, "
        "or the next release takes them back."
    )


def broken_config(error: str) -> str:
    """Show what is wrong with the config that this very change brings."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", error)), default=0))
    return (
        f"This change's own {RULES_FILE} cannot be used. Correct it and push again:\n\n"
        f"{fence}\n{error[:LONGEST_ERROR]}\n{fence}"
    )


def from_a_fork() -> str:
    """Say what is not done for a stranger's code."""
    return (
        "This change comes from a fork: its code runs without secrets and without the model, so the sample rows and "
        "the end-to-end syntax run are left out. A person merges it."
    )


NO_MODEL_FOR_FORKS = "without the sample rows: a fork gets no model"


def failed_step(step: str, why: str) -> str:
    """Say what stopped a change."""
    return f"{title(step)} failed: {plain(why)}"


def author_needed(facts: ChangeFacts) -> str:
    """Say who has to mend it."""
    if facts.group:
        return "whoever it is mends their change, and puts it into the merge queue again."
    return f"@{facts.author} mends it and pushes again; the validation then starts by itself."


def queued(numbers: Sequence[int]) -> str:
    """Name what a merge queue is about to merge, in the order in which it lands."""
    return f"Merge queue: {', '.join(f'#{number}' for number in reversed(numbers)) or 'changes unknown'}"


def author_renames(author: str) -> str:
    """Say who has to rename a branch: a pull request cannot change its own."""
    return f"@{author} opens the change anew from a branch with a better name."


def no_preview(error: str) -> str:
    """Say that nobody could look at the opt-out label."""
    return f"What the release will evaluate could not be found out: {plain(error)}"


def person_merges(why: str) -> str:
    """Ask for a person, and say why."""
    return f"somebody with write access merges this change: {why}."


def no_such_change(error: str) -> str:
    """Say that the change, or its whole repository, cannot be found any more."""
    return (
        "The change cannot be read any more: was its repository deleted or renamed, or may this app not read it any "
        f"more? Give it access again, then push. {error}"
    )


def no_such_commit(head: str, error: str) -> str:
    """Say that the files of the head cannot be had."""
    return (
        f"The files of {head[:7]} cannot be fetched: its branch or repository was deleted, or it was pushed over. "
        f"Push the branch again, or close the change. ({plain(error)})"
    )


def superseded(head: str) -> str:
    """Say which commit took this one's place."""
    return f"superseded by {head[:7]}, which is validated instead" if head else "superseded by a newer validation"


def ended(why: str) -> str:
    """Say why a validation was given up."""
    return f"the change was {why}: what ran for it was ended" if why else "what ran for it was ended"


def syntax_detail(summary: EvaluationSummary) -> str:
    """Say what the end-to-end run over the sample rows came to: counts and ids, never text."""
    if summary.errored:
        shown = ", ".join(summary.failed_rows)
        return f"{summary.errored} of {summary.rows} sample rows failed: {shown}"
    broken = [f"{gate.rule}: {gate.detail}" for gate in summary.gates if gate.verdict is not Verdict.PASSED]
    return "; ".join(broken) or f"{summary.rows} sample rows answered and scored"


def waiting_for_checks(names: Sequence[str]) -> str:
    """Say which of the repository's own checks are waited for."""
    return f"waiting for {', '.join(names)}"


def checks_passed(checks: Sequence[Check]) -> str:
    """Say that all required checks have succeeded."""
    return f"{', '.join(check.name for check in checks)} succeeded"


def checks_failed(checks: Sequence[Check], hours: float, group: bool = False) -> str:
    """Name each required check that did not succeed, with its link, and say what to do."""
    lines = [_check(check, hours) for check in checks if check.state is not CheckState.PASSED]
    again = "Re-run what failed by accident: once it is green this starts again by itself, within some minutes."
    return "\n".join(
        ["Required checks that did not succeed:", "", *(f"- {line}" for line in lines), *([] if group else ["", again])]
    )


def checks_in_short(checks: Sequence[Check]) -> str:
    """Name the required checks that did not succeed."""
    words = {CheckState.MISSING: "never came", CheckState.PENDING: "did not end"}
    return ", ".join(
        f"{check.name} {words.get(check.state, check.detail or 'failed')}"
        for check in checks
        if check.state is not CheckState.PASSED
    )


def _check(check: Check, hours: float) -> str:
    name = f"[{plain(check.name)}]({check.url})" if check.url.startswith(("https://", "http://")) else plain(check.name)
    if check.state is CheckState.MISSING:
        return (
            f"{name} never came within {hours:g} h. Does the repository have a check run, workflow or status of "
            f"exactly this name? {RULES_FILE} asks for it under `validate.required_checks`."
        )
    if check.state is CheckState.PENDING:
        return f"{name} did not end within {hours:g} h."
    return f"{name}: {plain(check.detail or 'failed')}"


def validated() -> str:
    """Say that everything was fine."""
    return "Everything passed."


def merge_by_hand(facts: ChangeFacts, touched_rules: bool) -> str:
    """Say why a change is not merged by itself although the config wants it; nothing when it may be."""
    if facts.fork:
        return "it comes from a fork, and a person merges those"
    if touched_rules:
        return f"it changes {RULES_FILE} itself, and nobody merges their own rules unseen"
    return ""


def merging() -> str:
    """Say that GitHub is asked to merge."""
    return "GitHub is asked to merge it"


def merged(by: str) -> str:
    """Say that a change arrived."""
    return f"merged by {by}" if by else "merged"


def not_merged(facts: ChangeFacts, head: str) -> str:
    """Say why a change is not what was validated any more."""
    if facts.head != head:
        return superseded(facts.head)
    if not facts.open:
        return "closed meanwhile"
    return "turned into a draft meanwhile" if facts.draft else f"turned towards {facts.base} meanwhile"


def hindered(hindrance: Mergeable, facts: ChangeFacts) -> str:
    """Say what stands between a change and its merge."""
    if hindrance is Mergeable.CONFLICT:
        return f"it conflicts with {facts.base}"
    if hindrance is Mergeable.UNKNOWN:
        return "GitHub does not say whether it can be merged"
    missing = [f"a review by {', '.join(facts.reviewers)}"] if facts.reviewers else []
    missing += [f"the consent of {', '.join(facts.objections)}, who asked for changes"] if facts.objections else []
    if facts.merge_state == "behind":
        missing.append(f"the newest commits of {facts.base}")
    what = (
        " and ".join(missing)
        or "something that the branch protection asks for, such as a review, another check or its merge queue"
    )
    return f"the branch protection of {facts.base} still wants {what}"


def needed_to_merge(hindrance: Mergeable, facts: ChangeFacts) -> str:
    """Say who has to do what before a change can be merged."""
    if hindrance is Mergeable.CONFLICT:
        return (
            f"@{facts.author} merges {_code(facts.base)} into {_code(facts.branch)}, solves the conflict, and pushes."
        )
    people = [f"@{name}" for name in (*facts.objections, *facts.reviewers)]
    if people:
        return f"{', '.join(dict.fromkeys(people))} review it; then it is merged."
    return (
        f"somebody with write access reviews it or updates the branch, as the protection of {_code(facts.base)} asks."
    )


def refused_merge(reason: str) -> str:
    """Say why GitHub did not merge."""
    if "merge queue" in reason.lower():
        return "its branch has a merge queue, so press *Merge when ready*"
    return f"GitHub refused to merge it: {plain(reason)}"


GITHUB_AWAY = "GitHub did not answer for too long. Push again, or press Re-run on the check, when it does."
MERGE_UNSETTLED = "what stands in its way changes all the time"
MERGE_AWAY = "GitHub did not answer the merge for too long: look at the change, and merge it by hand if it is open"
OPT_OUT_ON_DEVELOP = (
    "The opt-out label says nothing here: what counts is the label on the change that goes to the release branch."
)


def nobody_on_record(label: str) -> str:
    """Say why a label does not count that was renamed into what it is now."""
    return (
        f"nobody is on record for having put {label} there, so it was renamed after that: take it off and put it on "
        "again"
    )


def forecast(
    config: Config, preview: OptOut | None, lately: Mapping[str, float], debts: Sequence[Debt]
) -> tuple[str, ...]:
    """Say which evaluations the release of a change to main will run, why, and how long they took lately."""
    return (
        f"the minimal evaluation on {_code(config.evaluation.minimal.data)}{_took(lately, 'minimal')}, before "
        f"{config.environments[0].name} is deployed",
        _full(config, preview, lately),
        *_open(debts),
    )


def _full(config: Config, preview: OptOut | None, lately: Mapping[str, float]) -> str:
    full = f"the full evaluation on {_code(config.evaluation.full.data)}{_took(lately, 'full')}"
    if preview is None:
        return f"{full}: nobody has opted out"
    if preview.refused:
        return f"{full}: the opt-out of @{preview.by} is refused" if preview.by else f"{full}: the opt-out is refused"
    days = config.opt_out.expires_after / 86400
    return (
        f"not {full}: @{preview.by} opted out, because “{plain(preview.reason)}”. That leaves a debt: the nightly run "
        f"pays it, within {days:g} days, and production waits for it or for the approvers to waive it"
    )


def _open(debts: Sequence[Debt]) -> tuple[str, ...]:
    if not debts:
        return ()
    oldest = debts[0]
    return (
        f"evaluation debt of {len(debts)} earlier release{'s' if len(debts) > 1 else ''} is open, the oldest of "
        f"`{oldest.commit[:7]}`, due at {oldest.expires_at}: the nightly run pays the oldest first",
    )


def _took(lately: Mapping[str, float], kind: str) -> str:
    return f" (lately {_duration(lately[kind])})" if kind in lately else " (not run here yet)"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _opt_out(preview: OptOut | None) -> str:
    if preview is None or not preview.refused:
        return ""
    return f"**The opt-out is refused:** {plain(preview.refused)}. The check stays red until the label is taken off."


def _table(steps: Sequence[Step]) -> str:
    rows = [
        f"| {_SIGNS.get(step.state, '▪️')} {step.state.value} | {title(step.name)} | {plain(step.detail)} |"
        for step in steps
    ]
    return "\n".join(["| | step | |", "|---|---|---|", *rows]) if rows else ""


def _code(text: str) -> str:
    # Branch names may hold nearly everything: a backtick or a line break must not end the code.
    return f"`{' '.join(text.replace('`', ' ').split())}`"


def _one_line(text: str) -> str:
    return " ".join(text.split())
