"""What the release orchestrator holds while it tells its story: the record, and how others hear of it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any

import azure.durable_functions as df
from azure.durable_functions.models.Task import TaskBase

from activities.save_record import save_record
from activities.tell_github import tell_github
from domain import messages, timeline
from domain.config import Config, Environment
from domain.models import (
    Deployment,
    EvaluationSummary,
    Image,
    Origin,
    Outcome,
    ReleaseRecord,
    ReleaseRequest,
    StageState,
    Vote,
)
from orchestrators.retries import PATIENTLY

Steps = Generator[Any, Any, None]


class Ended(Exception):
    """The release is over before production, and this is why."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


class Story:
    """The record of one release in the making. Deterministic: clock and ids come from the context."""

    def __init__(
        self,
        context: df.DurableOrchestrationContext,
        record: ReleaseRecord,
        snapshot: str,
        wire_config: dict[str, Any],
        refusal: str,
    ) -> None:
        self.context = context
        self.record = record
        self.snapshot = snapshot
        self.wire_config = wire_config
        self.refusal = refusal  # why there is no config to follow, or ""
        self._untold: set[str] = set()

    @classmethod
    def begin(
        cls,
        context: df.DurableOrchestrationContext,
        request: ReleaseRequest,
        origin: Origin,
        snapshot: str,
        found: dict[str, Any],
    ) -> Story:
        """Open the record and lay out the stages that the commit's own config asks for."""
        record = timeline.open_record(context.instance_id, request, origin, _now(context))
        story = cls(context, record, snapshot, found.get("config", {}), found.get("error", ""))
        if not story.refusal:
            story.record = timeline.plan_stages(record, story.config)
        return story

    @cached_property
    def config(self) -> Config:
        """The commit's own config."""
        return Config.model_validate(self.wire_config)

    def child(self, name: str) -> str:
        """Name a child's instance: the same at every replay, and readable."""
        return f"{self.record.id}.{name}"

    def act(self, activity: Any, payload: Any) -> TaskBase:
        """Call an activity, patiently."""
        return self.context.call_activity_with_retry(activity, PATIENTLY, payload)

    def call(self, orchestrator: str, payload: Any, instance: str) -> TaskBase:
        """Call a child orchestration by name: from a handle the SDK would take the wrapper's `str` for its result."""
        return self.context.call_sub_orchestrator(orchestrator, payload, instance)

    def begin_stage(self, name: str, instance: str = "", detail: str = "") -> Steps:
        """Say that a stage runs now."""
        self.record = timeline.begin(self.record, name, _now(self.context), instance, detail)
        yield from self.publish(name)

    def end(self, name: str, state: StageState, detail: str = "", url: str = "") -> Steps:
        """Say what a stage came to."""
        self.record = timeline.end(self.record, name, state, _now(self.context), detail, url)
        yield from self.publish(name)

    def close(self, outcome: Outcome, reason: str) -> Steps:
        """End the release and tell everybody, until GitHub has taken the message or ten minutes are over."""
        running = [stage.name for stage in timeline.current_stages(self.record)]
        self.record = timeline.close(self.record, outcome, reason, _now(self.context))
        yield from self.publish(*running, timeline.PREPARE)
        if self._untold:
            yield self.act(tell_github, self._message(insist=True))

    def publish(self, *stages: str) -> Steps:
        """Keep the record, show it, and tell GitHub which stages changed. GitHub's outages do not stop a release."""
        self.context.set_custom_status(self._status())
        yield self.act(save_record, asdict(self.record))
        self._untold.update(stages)
        told = yield self.act(tell_github, self._message(insist=False))
        if told["delivered"]:
            self._untold.clear()

    def keep_evaluation(self, summary: EvaluationSummary) -> None:
        """Add an evaluation to the record."""
        self.record = timeline.add_evaluation(self.record, summary)

    def keep_deployment(self, deployment: Deployment) -> None:
        """Add a deployment to the record."""
        self.record = timeline.add_deployment(self.record, deployment)

    def keep_image(self, image: Image) -> None:
        """Add the image, built once for all environments."""
        self.record = replace(self.record, image=image)

    def keep_votes(self, environment: str, votes: tuple[Vote, ...]) -> None:
        """Add the votes on one environment."""
        self.record = replace(self.record, votes={**self.record.votes, environment: votes})

    def evaluations(self) -> list[str]:
        """Return the ids of the evaluations this release has."""
        return [summary.id for summary in self.record.evaluations]

    def evaluation_order(self, kind: str) -> dict[str, Any]:
        """Return what an evaluation of this commit needs."""
        return {
            "id": self.child(kind),
            "kind": kind,
            "repository": self.record.repository,
            "commit": self.record.commit.sha,
            "snapshot": self.snapshot,
            "config": self.wire_config,
        }

    def deployment_order(self, environment: Environment) -> dict[str, Any]:
        """Return what a deployment of this release's image needs."""
        assert self.record.image is not None  # noqa: S101 - the build comes before every deployment
        return {
            "release": self.record.id,
            "repository": self.record.repository,
            "commit": self.record.commit.sha,
            "image": asdict(self.record.image),
            "environment": environment.model_dump(mode="json"),
            "snapshot": self.snapshot,
            "sample": self.config.validation.sample,
            "columns": self.config.evaluation.columns,
        }

    def approval_order(self, environment: Environment, instance: str) -> dict[str, Any]:
        """Return what an approval needs: the record is the evidence."""
        return {
            "record": asdict(self.record),
            "environment": environment.model_dump(mode="json"),
            "instance": instance,
            "at": _now(self.context),
        }

    def _message(self, insist: bool) -> dict[str, Any]:
        return {"record": asdict(self.record), "stages": sorted(self._untold), "insist": insist}

    def _status(self) -> dict[str, Any]:
        running = timeline.current_stages(self.record)
        return {
            "stage": ", ".join(stage.name for stage in running) or self.record.outcome.value,
            "headline": messages.headline(self.record),
            "since": running[0].started_at if running else self.record.updated_at,
            "done": sum(1 for stage in self.record.stages if stage.state not in {"waiting", "running"}),
            "total": len(self.record.stages),
        }


def _now(context: df.DurableOrchestrationContext) -> str:
    return str(context.current_utc_datetime.strftime("%Y-%m-%dT%H:%M:%SZ"))
