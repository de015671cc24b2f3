"""The release record as it moves on. Every function returns a new record; clocks come from the caller."""

from __future__ import annotations

from dataclasses import replace

from domain.config import Config
from domain.models import (
    Commit,
    Deployment,
    EvaluationSummary,
    Origin,
    Outcome,
    ReleaseRecord,
    ReleaseRequest,
    Stage,
    StageState,
    Verdict,
)

PREPARE = "prepare"
VALIDATE = "validate"
MINIMAL = "evaluate-minimal"
BUILD = "build"
FULL = "evaluate-full"
OVERRIDE = "override"

STATE_OF_VERDICT = {
    Verdict.PASSED: StageState.PASSED,
    Verdict.FAILED: StageState.FAILED,
    Verdict.INCONCLUSIVE: StageState.INCONCLUSIVE,
}


def deploy(environment: str) -> str:
    """Name the stage that deploys to an environment."""
    return f"deploy-{environment}"


def approve(environment: str) -> str:
    """Name the stage that waits for an environment's approvers."""
    return f"approve-{environment}"


def environments(record: ReleaseRecord) -> tuple[str, ...]:
    """Return the environments that a release is to pass; none before it knows its config."""
    return tuple(stage.name.removeprefix("deploy-") for stage in record.stages if stage.name.startswith("deploy-"))


def asks_about(stage: str) -> str:
    """Return the environment that a stage asks people about (`override` for an override); nothing for other stages."""
    return OVERRIDE if stage == OVERRIDE else stage.removeprefix("approve-") if stage.startswith("approve-") else ""


def evaluations_cut_short(record: ReleaseRecord) -> tuple[str, ...]:
    """Return the ids of the evaluations that ran when the release ended."""
    return tuple(stage.instance.removesuffix(":shards") for stage in cut_short(record) if stage.name in (MINIMAL, FULL))


def running_full_evaluation(record: ReleaseRecord) -> str:
    """Return the id of the full evaluation that runs now, or nothing."""
    full = [stage.instance.removesuffix(":shards") for stage in current_stages(record) if stage.name == FULL]
    return full[0] if full else ""


def first_full_evaluation(release: str) -> str:
    """Name a release's first full evaluation, before it begins."""
    return f"{release}.full"


def open_record(release: str, request: ReleaseRequest, at: str) -> ReleaseRecord:
    """Begin the record of a release of which nothing is known yet but the push."""
    return ReleaseRecord(
        id=release,
        repository=request.repository,
        branch=request.branch,
        commit=Commit(request.repository, request.sha, request.pusher, "", at, ""),
        changes=(),
        opt_outs=(),
        authors=(request.pusher,),
        created_at=at,
        updated_at=at,
        stages=(Stage(PREPARE, StageState.RUNNING, started_at=at),),
    )


def know_origin(record: ReleaseRecord, origin: Origin) -> ReleaseRecord:
    """Take in where the release comes from."""
    return replace(
        know_people(record, origin),
        commit=origin.commit,
        opt_outs=origin.opt_outs,
        refused_opt_outs=origin.refused,
        position=origin.position,
    )


def know_people(record: ReleaseRecord, origin: Origin) -> ReleaseRecord:
    """Take in who had a part in the release. Whoever pushed commits without a change is an author too."""
    authors = {origin.commit.author, *origin.authors, *(change.author for change in origin.changes)}
    direct = origin.direct + origin.unseen
    authors |= set(record.authors) if direct or not origin.changes else set()
    people = tuple(sorted(authors, key=str.casefold))
    return replace(record, changes=origin.changes, authors=people, direct=direct)


def plan_stages(record: ReleaseRecord, config: Config) -> ReleaseRecord:
    """Lay out every stage that the config asks for, in the order people read them."""
    first, *rest = config.environments
    names = [VALIDATE, MINIMAL, BUILD, deploy(first.name), FULL]
    for environment in rest:
        names += [approve(environment.name)] if environment.approvers else []
        names.append(deploy(environment.name))
    return replace(record, stages=record.stages + tuple(Stage(name) for name in names))


def begin(record: ReleaseRecord, name: str, at: str, instance: str = "", detail: str = "") -> ReleaseRecord:
    """Mark a stage as running; `instance` is the orchestration that knows its progress."""
    return _change(record, name, at, state=StageState.RUNNING, started_at=at, instance=instance, detail=detail)


def end(record: ReleaseRecord, name: str, state: StageState, at: str, detail: str = "", url: str = "") -> ReleaseRecord:
    """Mark a stage as over."""
    return _change(record, name, at, state=state, ended_at=at, detail=detail, url=url)


def add_evaluation(record: ReleaseRecord, summary: EvaluationSummary) -> ReleaseRecord:
    """Keep what an evaluation came to."""
    others = tuple(kept for kept in record.evaluations if kept.kind != summary.kind)
    return replace(record, evaluations=(*others, summary))


def full_evaluation(record: ReleaseRecord) -> EvaluationSummary | None:
    """Return what the full evaluation came to, if it has run."""
    return next((summary for summary in record.evaluations if summary.kind == "full"), None)


def add_deployment(record: ReleaseRecord, deployment: Deployment) -> ReleaseRecord:
    """Keep where the release's image runs now."""
    others = tuple(kept for kept in record.deployments if kept.environment != deployment.environment)
    return replace(record, deployments=(*others, deployment))


def add_stage(record: ReleaseRecord, name: str, after: str) -> ReleaseRecord:
    """Add a stage that turned out to be needed, behind another; once."""
    if any(stage.name == name for stage in record.stages):
        return record
    at = next(number for number, stage in enumerate(record.stages, 1) if stage.name == after)
    return replace(record, stages=(*record.stages[:at], Stage(name), *record.stages[at:]))


def add_question(record: ReleaseRecord, environment: str) -> ReleaseRecord:
    """Add the stage that waits for an environment's approvers where the config names none: a debt is to be settled."""
    names = [stage.name for stage in record.stages]
    return add_stage(record, approve(environment), after=names[names.index(deploy(environment)) - 1])


def note(record: ReleaseRecord, text: str) -> ReleaseRecord:
    """Keep something a person should know, once."""
    return record if text in record.notes else replace(record, notes=(*record.notes, text))


def over(record: ReleaseRecord) -> bool:
    """Say whether the release has ended."""
    return record.outcome is not Outcome.RUNNING


def following(kept: ReleaseRecord, record: ReleaseRecord) -> ReleaseRecord:
    """Return what stands when the release's story writes `record` over what is kept: the end, and others' notes."""
    return kept if over(kept) else replace(record, notes=tuple(dict.fromkeys((*kept.notes, *record.notes))))


def close(record: ReleaseRecord, outcome: Outcome, reason: str, at: str) -> ReleaseRecord:
    """End the release: what was running or waiting will not happen any more. One that is over has its end."""
    if over(record):
        return record
    stages = tuple(
        replace(stage, state=StageState.CANCELLED, ended_at=at if stage.started_at else None)
        if stage.state in {StageState.WAITING, StageState.RUNNING}
        else stage
        for stage in record.stages
    )
    return replace(record, outcome=outcome, reason=reason, stages=stages, updated_at=at)


def current_stages(record: ReleaseRecord) -> tuple[Stage, ...]:
    """Return the stages that run now (two while the full evaluation runs beside the first deployment)."""
    return tuple(stage for stage in record.stages if stage.state is StageState.RUNNING)


def cut_short(record: ReleaseRecord) -> tuple[Stage, ...]:
    """Return the stages that ran when the release ended."""
    return tuple(stage for stage in record.stages if stage.state is StageState.CANCELLED and stage.started_at)


def places_to_comment(record: ReleaseRecord) -> list[int | None]:
    """Return the numbers of the release's changes, or None for the commit itself after a direct push."""
    return [change.number for change in record.changes] or [None]


def _change(record: ReleaseRecord, name: str, at: str, **fields: object) -> ReleaseRecord:
    stages = tuple(
        replace(stage, **fields) if stage.name == name else stage  # type: ignore[arg-type]
        for stage in record.stages
    )
    return replace(record, stages=stages, updated_at=at)
