"""The words people read on GitHub and in pages. One function per message; nothing here sends anything."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from domain.approvals import approver_name
from domain.messages_promotion import skipped_because
from domain.models import (
    EvaluationSummary,
    Image,
    Metric,
    MetricChange,
    OptOut,
    Outcome,
    Probe,
    ReleaseRecord,
    RowChange,
    Stage,
    StageState,
    Verdict,
    Vote,
)
from domain.watching import latency_p95

STATUS_PREFIX = "drawbridge"

_SIGNS = {
    StageState.WAITING: "▫️",
    StageState.RUNNING: "⏳",
    StageState.PASSED: "✅",
    StageState.FAILED: "❌",
    StageState.INCONCLUSIVE: "❔",
    StageState.SKIPPED: "⏭️",
    StageState.REJECTED: "🚫",
    StageState.EXPIRED: "⌛",
    StageState.CANCELLED: "▪️",
}

_TITLES = {
    "prepare": "Prepare",
    "validate": "Validate",
    "evaluate-minimal": "Minimal evaluation",
    "build": "Build image",
    "evaluate-full": "Full evaluation",
    "override": "Override of the full evaluation",
}


def stage_title(name: str) -> str:
    """Return a stage's name for people: `deploy-nonprod` is "Deploy to nonprod"."""
    if name in _TITLES:
        return _TITLES[name]
    verb, _, environment = name.partition("-")
    return {"deploy": f"Deploy to {environment}", "approve": f"Approval for {environment}"}.get(verb, name)


def headline(record: ReleaseRecord) -> str:
    """Say in a few words how the release stands."""
    if record.outcome is not Outcome.RUNNING:
        return record.outcome.value
    running = [stage_title(stage.name) for stage in record.stages if stage.state is StageState.RUNNING]
    return " and ".join(running) or "on its way"


def next_step(record: ReleaseRecord) -> str:
    """Say what happens next, or what the author can do now."""
    if record.outcome is Outcome.RUNNING:
        waiting = [stage for stage in record.stages if stage.state is StageState.RUNNING]
        approvals = [stage.name.removeprefix("approve-") for stage in waiting if stage.name.startswith("approve-")]
        if approvals:
            return f"The approvers of {approvals[0]} decide. Each has a link of their own, and must be signed in."
        following = next((stage for stage in record.stages if stage.state is StageState.WAITING), None)
        return f"Then: {stage_title(following.name)}." if following else "The release is about to end."
    return {
        Outcome.RELEASED: "Nothing to do. These evaluations are the baseline for the next release.",
        Outcome.FAILED: "Fix it in a new change: a commit has one release, and the next merge starts the next.",
        Outcome.REJECTED: "Talk to the approver who rejected it, then bring a new change.",
        Outcome.EXPIRED: "Nobody decided in time. Bring the commit again with a new merge, and tell the approvers.",
        Outcome.SUPERSEDED: "Nothing to do: the newer release brings this commit's changes too. Those that a forced "
        "push took off the branch come with a new change only.",
        Outcome.CANCELLED: "Bring the commit again with a new merge when it should go out after all.",
        Outcome.RUNNING: "",
    }[record.outcome]


def release_comment(record: ReleaseRecord, site: str, links: Mapping[str, Mapping[str, str]]) -> str:
    """Return the Markdown of the one comment a change has.

    `site` is where our pages are, with the /api; `links` holds, for each environment that waits for approval, the URL
    for each approver.
    """
    parts = [
        f"### Drawbridge: `{record.commit.sha[:7]}` – {headline(record)}",
        plain(record.reason) if record.reason else "",
        _stage_table(record.stages),
        *(evaluation_section(summary, site) for summary in record.evaluations),
        *(_skipped(opt_out) for opt_out in record.opt_outs),
        *(_approval_links(environment, urls) for environment, urls in links.items()),
        _votes(record),
        _deployments(record),
        *(f"> {plain(text)}" for text in record.notes),
        f"**Next:** {next_step(record)}",
        f"[Release page]({site}/releases/{record.id})",
    ]
    return "\n\n".join(part for part in parts if part)


def reminder(environment: str, approvers: Sequence[str], expires_at: str, page: str) -> str:
    """Return the comment that reminds the approvers who have not voted."""
    names = ", ".join(map(approver_name, approvers))
    return (
        f"{names}: the release still waits for your decision about **{environment}**. It expires at {expires_at}. "
        f"Your links are in the release's comment; the evidence is on the [release page]({page})."
    )


def verdict_detail(summary: EvaluationSummary) -> str:
    """Say in one line what an evaluation came to."""
    decisive = [gate.rule for gate in summary.gates if gate.verdict is summary.verdict]
    if summary.verdict is Verdict.PASSED:
        values = ", ".join(f"{metric.name} {metric.mean:.3f}" for metric in summary.metrics)
        return f"{values} over {summary.rows} rows" if values else f"{summary.rows} rows"
    return f"{', '.join(decisive)} – {summary.errored} of {summary.rows} rows errored"


def stopped_by_evaluation(summary: EvaluationSummary) -> str:
    """Say why an evaluation stopped the release."""
    failed = [f"{gate.rule} ({gate.detail})" for gate in summary.gates if gate.verdict is Verdict.FAILED]
    return f"The {summary.kind} evaluation failed: {'; '.join(failed)}."


def probe_detail(probe: Probe) -> str:
    """Say in one line what requests to a deployment showed."""
    p95 = latency_p95(probe)
    latency = f", p95 {p95:.2f} s" if p95 is not None else ""
    return f"{probe.requests} requests, {probe.errors} errors{latency}"


def rolled_back(environment: str, why: str, now: Image | None, replaced: bool) -> str:
    """Say what became of an environment whose deployment did not hold. `replaced`: another release runs there."""
    if replaced:
        return f"{environment}: {why}; another release runs there now, so nothing was changed"
    back = f"rolled back to {short_digest(now.digest)}" if now else "nothing ran there before, so it was stopped"
    return f"{environment}: {why}; {back}"


def short_digest(digest: str) -> str:
    """Shorten an image digest for people: `sha256:` and twelve characters."""
    algorithm, _, value = digest.partition(":")
    return f"{algorithm}:{value[:12]}"


def plain(text: str) -> str:
    """Make text from outside harmless in Markdown: no markup, no HTML, no mention, no line break."""
    flat = " ".join(text.split())
    escaped = re.sub(r"([\\`*_{}\[\]()#+!|<>~&$-])", r"\\\1", flat)
    # A zero-width space keeps it from mentioning anybody, and from becoming a link by itself.
    return re.sub(r"@|://|www\\?\.", lambda found: f"{found[0][0]}\u200b{found[0][1:]}", escaped, flags=re.IGNORECASE)


def _stage_table(stages: Sequence[Stage]) -> str:
    rows = [
        f"| {_SIGNS[stage.state]} {stage.state.value} | {stage_title(stage.name)} | {plain(stage.detail)} |"
        for stage in stages
    ]
    return "\n".join(["| | stage | |", "|---|---|---|", *rows])


def _deployments(record: ReleaseRecord) -> str:
    lines = [
        f"- {one.environment}: [{one.url}]({one.url}), image `{short_digest(one.image.digest)}`"
        for one in record.deployments
    ]
    return "\n".join(["**Deployed**", "", *lines]) if lines else ""


def evaluation_section(summary: EvaluationSummary, site: str) -> str:
    """Return the Markdown about one evaluation: its verdict, metrics, gates and the rows that got worse."""
    gates = [f"- {gate.verdict.value}: `{gate.rule}` – {plain(gate.detail)}" for gate in summary.gates]
    counts = f"{summary.scored} of {summary.rows} rows scored, {summary.errored} errored"
    lines = [
        f"**{summary.kind.capitalize()} evaluation: {summary.verdict.value}** – {counts} "
        f"– [report]({site}/evaluations/{summary.id})",
        _metric_table(summary),
        "\n".join(gates),
        _worse(summary),
    ]
    return "\n\n".join(line for line in lines if line)


def _metric_table(summary: EvaluationSummary) -> str:
    if not summary.metrics:
        return ""
    changes = {change.name: change for change in (summary.comparison.metrics if summary.comparison else ())}
    rows = [_metric_row(metric, changes.get(metric.name)) for metric in summary.metrics]
    return "\n".join(
        ["| metric | mean | 95\N{NO-BREAK SPACE}% interval | against the baseline |", "|---|---|---|---|", *rows]
    )


def _metric_row(metric: Metric, change: MetricChange | None) -> str:
    interval = f"{metric.low:.3f} to {metric.high:.3f}" if metric.low is not None and metric.high is not None else "–"
    delta = f"{change.difference:+.3f}" if change else "–"
    numbers = f"{metric.mean:.3f} | {interval} | {delta}".replace("-", "\N{MINUS SIGN}")
    return f"| {plain(metric.name)} | {numbers} |"


def _worse(summary: EvaluationSummary) -> str:
    comparison = summary.comparison
    if comparison is None:
        return ""
    if comparison.refused:
        return f"Not compared with the baseline: {plain(comparison.refused)}"
    if not comparison.worse:
        return ""
    return "Rows that got worse: " + ", ".join(_row(row) for row in comparison.worse[:10])


def _row(row: RowChange) -> str:
    before = "–" if row.before is None else f"{row.before:.2f}"
    return f"`{re.sub(r'[^A-Za-z0-9._-]', '?', row.id)}` ({plain(row.metric)} {before} → {row.after:.2f})"


def _skipped(opt_out: OptOut) -> str:
    return f"Full evaluation {plain(skipped_because([opt_out]))}. Nothing has shown how good these answers are."


def _approval_links(environment: str, urls: Mapping[str, str]) -> str:
    people = [f"- @{approver}: [look at the evidence and decide]({url})" for approver, url in urls.items()]
    return "\n".join([f"**Approval for {environment}** – each link works only for its person, signed in:", *people])


def _votes(record: ReleaseRecord) -> str:
    lines = [
        f"- {environment}: {'approved' if vote.decision == 'approve' else 'rejected'} by {plain(vote.approver)}"
        + (f" – {plain(vote.comment)}" if vote.comment else "")
        for environment, votes in record.votes.items()
        for vote in votes
    ]
    return "\n".join(["**Votes**", "", *lines]) if lines else ""


def decided(votes: Sequence[Vote]) -> str:
    """Say in one line who voted how."""
    words = {"approve": "approved by", "reject": "rejected by"}
    return ", ".join(f"{words[vote.decision]} {vote.approver}" for vote in votes) or "nobody voted"


def not_approved(environment: str, decision: str, votes: Sequence[Vote]) -> str:
    """Say why an approval ended the release."""
    if decision == "expired":
        return f"The approval for {environment} expired: {decided(votes)}."
    rejection = next(vote for vote in votes if vote.decision == "reject")
    because = f": {rejection.comment}" if rejection.comment else "."
    return f"{rejection.approver} rejected the deployment to {environment}{because}"


def too_few_approvers(environment: str, approvals: int, excluded: Sequence[str]) -> str:
    """Say that nobody can open this bridge, before anybody waits for it."""
    without = f"without those who wrote or merged it ({', '.join(excluded)}) " if excluded else ""
    return (
        f"{environment} needs {approvals} approvals, and {without}there are too few approvers (several logins of one "
        "person count once): add approvers in drawbridge.yaml."
    )


GITHUB_AWAY = "GitHub did not answer for too long. Merge again when it does: a commit has one release."


def first_line(error: Exception) -> str:
    """Return an error's first line, or its name when it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:500]


def released(record: ReleaseRecord, environment: str) -> str:
    """Say that a release arrived."""
    return f"{record.commit.sha[:7]} runs in {environment}."


def crashed(error: Exception) -> str:
    """Say that not the commit but this app failed."""
    return f"Drawbridge itself failed here: {first_line(error)}"


def validation_failed(why: str) -> str:
    """Say why validation stopped the release."""
    return f"Validation failed: {why}"


def build_failed(why: str) -> str:
    """Say why there is no image."""
    return f"The image could not be built: {why}"


def deployment_failed(environment: str, why: str) -> str:
    """Say why a deployment stopped the release."""
    return f"The deployment to {environment} did not hold: {why}"


def deploying(environment: str) -> str:
    """Say on GitHub that a deployment has begun."""
    return f"deploying to {environment}"


def not_watched(error: Exception) -> str:
    """Say that nobody could look at a deployment."""
    return f"it could not be watched ({first_line(error)})"


def could_not_evaluate(stage: str, why: str) -> str:
    """Say why there is no verdict."""
    return f"{stage_title(stage)} could not run: {why}"


def baseline_not_kept(error: Exception) -> str:
    """Say that the next release is compared with an older one."""
    why = first_line(error).rstrip(".")
    return f"The evaluations of this release are not the baseline: {why}. The next one is compared with an older one."


def refused_by_github(why: str) -> str:
    """Say what GitHub does not let us tell."""
    return f"GitHub refused a message about this release: {why}"
