"""What the release orchestrator holds while it tells its story: the record, and how others hear of it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

import azure.durable_functions as df
from azure.durable_functions.models.Task import TaskBase

from activities.save_record import save_record
from activities.tell_github import tell_github
from domain import messages, timeline
from domain.config import Config, Environment
from domain.models import Image, Origin, Outcome, ReleaseRecord, ReleaseRequest, StageState, Vote
from orchestrators.retries import PATIENTLY

Steps = Generator[Any, Any, None]

# What people wait for, an approval's links or the end, is told again after these pauses: over four hours in all.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 30, 60, 60, 90))
ASKED_AGAIN = 60  # times that GitHub is asked for something a release cannot do without


class Ended(Exception):
    """The release is over before production, and this is why."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


class Story:
    """The record of one release in the making. Deterministic: clock and ids come from the context."""

    def __init__(self, context: df.DurableOrchestrationContext, request: ReleaseRequest) -> None:
        self.context = context
        self.request = request
        self.record: ReleaseRecord = timeline.open_record(context.instance_id, request, _now(context))
        self.snapshot = ""
        self.wire_config: dict[str, Any] = {}
        self._untold: set[str] = set()

    @cached_property
    def config(self) -> Config:
        """The commit's own config; only once it was read."""
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

    def ask_github(self, activity: Any, payload: Any) -> Generator[Any, Any, Any]:
        """Ask for what the release cannot do without, waiting as long as GitHub says between two tries.

        Raises Ended when GitHub refuses, or is away for too long.
        """
        for _ in range(ASKED_AGAIN):
            answer = yield self.act(activity, payload)
            if "retry_after" not in answer:
                break
            yield self.context.create_timer(
                self.context.current_utc_datetime + timedelta(seconds=answer["retry_after"])
            )
        if "error" in answer or "retry_after" in answer:
            raise Ended(Outcome.FAILED, answer.get("error", messages.GITHUB_AWAY))
        return answer

    def begin_stage(self, name: str, instance: str = "", detail: str = "") -> Steps:
        """Say that a stage runs now."""
        self.record = timeline.begin(self.record, name, _now(self.context), instance, detail)
        yield from self.publish(name)

    def end(self, name: str, state: StageState, detail: str = "", url: str = "") -> Steps:
        """Say what a stage came to."""
        self.record = timeline.end(self.record, name, state, _now(self.context), detail, url)
        yield from self.publish(name)

    def close(self, outcome: Outcome, reason: str) -> Steps:
        """End the release and tell everybody; when GitHub is away, again and again for hours."""
        running = [stage.name for stage in timeline.current_stages(self.record)]
        self.record = timeline.close(self.record, outcome, reason, _now(self.context))
        yield from self.publish(*running, timeline.PREPARE)
        yield from self.insist()

    def insist(self) -> Steps:
        """Tell GitHub again, with longer and longer pauses, what it has not taken: people wait for it."""
        for pause in PAUSES:
            if not self._untold:
                return
            yield self.context.create_timer(self.context.current_utc_datetime + pause)
            yield from self._tell()
        if self._untold:
            self.note(messages.never_told(timeline.current_stages(self.record)))
            yield self.act(save_record, asdict(self.record))

    def publish(self, *stages: str) -> Steps:
        """Keep the record, show it, and tell GitHub which stages changed. GitHub's outages do not stop a release."""
        self.context.set_custom_status(self._status())
        self._untold.update(stages)
        yield self.act(save_record, asdict(self.record))
        yield from self._tell()

    def note(self, text: str) -> None:
        """Keep something a person should know."""
        self.record = timeline.note(self.record, text)

    def know_origin(self, origin: Origin) -> None:
        """Take in where the release comes from."""
        self.record = timeline.know_origin(self.record, origin)

    def plan(self, wire_config: dict[str, Any]) -> None:
        """Lay out every stage that the commit's own config asks for."""
        self.wire_config = wire_config
        self.record = timeline.plan_stages(self.record, self.config)

    def keep_image(self, image: Image) -> None:
        """Add the image, built once for all environments."""
        self.record = replace(self.record, image=image)

    def keep_votes(self, environment: str, votes: tuple[Vote, ...]) -> None:
        """Add the votes on one environment."""
        self.record = replace(self.record, votes={**self.record.votes, environment: votes})

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
        if self.record.image is None:
            raise ValueError(f"{self.record.id} has no image to deploy")
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

    def _tell(self) -> Steps:
        told = yield self.act(tell_github, {"record": asdict(self.record), "stages": sorted(self._untold)})
        if told["delivered"]:
            self._untold.clear()
        if told.get("refused"):
            self.note(told["refused"])

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
