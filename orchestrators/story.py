"""What the release orchestrator holds while it tells its story: the record, and how others hear of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any

import azure.durable_functions as df
from azure.durable_functions.models.Task import TaskBase

from activities.end_release import end_release
from activities.save_record import save_record
from activities.tell_github import tell_github
from domain import messages, messages_promotion, timeline
from domain.audit import APP
from domain.config import Config, Environment
from domain.lanes import Turn, occupy
from domain.models import (
    Debt,
    Deployment,
    Image,
    OptOut,
    Origin,
    Outcome,
    Override,
    ReleaseRecord,
    ReleaseRequest,
    StageState,
    Vote,
)
from domain.wire import digest_of
from orchestrators.patience import FOR_A_RELEASE, ask_github
from orchestrators.retries import PATIENTLY

Steps = Generator[Any, Any, Any]


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
        self.record: ReleaseRecord = timeline.open_record(context.instance_id, request, self.now)
        self.snapshot = ""
        self.wire_config: dict[str, Any] = {}
        self.digests: dict[str, str] = {}  # by environment: of the evidence it was approved on
        self._times: Counter[str] = Counter()

    @cached_property
    def config(self) -> Config:
        """The commit's own config; only once it was read."""
        return Config.model_validate(self.wire_config)

    def child(self, name: str) -> str:
        """Name a child's instance: the same at every replay, and readable."""
        return f"{self.record.id}.{name}"

    def another(self, name: str) -> str:
        """Name the next of several children of one kind: an instance's name is used once."""
        self._times[name] += 1
        again = f".{self._times[name]}" if self._times[name] > 1 else ""
        return f"{self.child(name)}{again}"

    def times(self, name: str) -> int:
        """Return how many children of one kind there were."""
        return self._times[name]

    def act(self, activity: Any, payload: Any) -> TaskBase:
        """Call an activity, patiently."""
        return self.context.call_activity_with_retry(activity, PATIENTLY, payload)

    def call(self, orchestrator: str, payload: Any, instance: str) -> TaskBase:
        """Call a child orchestration by name: from a handle the SDK would take the wrapper's `str` for its result."""
        return self.context.call_sub_orchestrator(orchestrator, payload, instance)

    def ask_github(self, activity: Any, payload: Any) -> Generator[Any, Any, Any]:
        """Ask for what the release cannot do without.

        Raises Ended when GitHub refuses, or is away for too long.
        """
        answer = yield from ask_github(self.context, activity, payload, FOR_A_RELEASE)
        if "error" in answer:
            raise Ended(Outcome.FAILED, answer["error"])
        return answer

    def begin_stage(self, name: str, instance: str = "", detail: str = "") -> Steps:
        """Say that a stage runs now."""
        self.record = timeline.begin(self.record, name, self.now, instance, detail)
        yield from self.publish(name)

    def end(self, name: str, state: StageState, detail: str = "", url: str = "") -> Steps:
        """Say what a stage came to."""
        self.record = timeline.end(self.record, name, state, self.now, detail, url)
        yield from self.publish(name)

    def close(self, outcome: Outcome, reason: str) -> Steps:
        """End the release, leave nothing behind, and tell everybody."""
        running = [stage.name for stage in timeline.current_stages(self.record)]
        self.record = timeline.close(self.record, outcome, reason, self.now)
        yield from self.publish(*running, timeline.PREPARE)
        yield self.act(end_release, {"record": asdict(self.record)})

    def publish(self, *stages: str) -> Steps:
        """Keep the record, show it, and tell GitHub which stages changed: delivered when GitHub is there."""
        self.context.set_custom_status(self._status())
        yield self.act(save_record, asdict(self.record))
        told = yield self.act(tell_github, {"record": asdict(self.record), "stages": sorted(stages)})
        if told.get("refused"):
            self.note(told["refused"])

    def note(self, text: str) -> None:
        """Keep something a person should know."""
        self.record = timeline.note(self.record, text)

    def know_origin(self, origin: Origin) -> None:
        """Take in where the release comes from."""
        self.record = timeline.know_origin(self.record, origin)
        if origin.unseen:
            self.note(messages_promotion.commits_unseen(origin.unseen))
        if origin.unlinked:
            self.note(messages_promotion.unlinked(origin.commit.sha))

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

    def keep_debt(self, debt: Debt) -> None:
        """Add the debt of an honoured opt-out, as it stands now."""
        self.record = replace(self.record, debt=debt)

    @property
    def debt(self) -> Debt:
        """The release's debt; only once it has one."""
        if self.record.debt is None:
            raise ValueError(f"{self.record.id} has no debt")
        return self.record.debt

    def keep_opt_outs(self, opt_outs: tuple[OptOut, ...]) -> None:
        """Take in which opt-outs are honoured now."""
        self.record = replace(self.record, opt_outs=opt_outs)

    def supersede(self, newer: str) -> None:
        """Say which release went past this one."""
        self.record = replace(self.record, superseded_by=newer)

    def keep_override(self, override: Override) -> None:
        """Add that a person let the release go on, for ever."""
        self.record = replace(self.record, overrides=(*self.record.overrides, override))
        self.note(messages_promotion.overridden(override))

    def deployed_before(self, environment: Environment) -> Deployment | None:
        """Return this release's deployment in the environment before."""
        names = [one.name for one in self.config.environments]
        earlier = names[: names.index(environment.name)]
        return next((one for one in self.record.deployments if earlier and one.environment == earlier[-1]), None)

    def evaluation_order(self, kind: str, evaluation: str) -> dict[str, Any]:
        """Return what an evaluation of this commit needs."""
        return {
            "id": evaluation,
            "kind": kind,
            "repository": self.record.repository,
            "commit": self.record.commit.sha,
            "snapshot": self.snapshot,
            "config": self.wire_config,
        }

    def where(self, environment: Environment) -> dict[str, Any]:
        """Return what looking around needs."""
        return {
            "release": self.record.id,
            "repository": self.record.repository,
            "sha": self.record.commit.sha,
            "position": self.record.position,
            "environment": environment.name,
            "lane": (self.next_environment() if environment.name == timeline.OVERRIDE else environment).name,
        }

    def next_environment(self) -> Environment:
        """Return the first environment that this release has not been deployed to, else the last one."""
        there = {deployment.environment for deployment in self.record.deployments}
        missing = [one for one in self.config.environments if one.name not in there]
        return missing[0] if missing else self.config.environments[-1]

    def turn(self, environment: Environment) -> Turn:
        """Return this release as one that wants to deploy to an environment."""
        before = self.deployed_before(environment)
        since = before.deployed_at if before else None
        return Turn(self.record.id, self.record.commit.sha, self.record.position, since)

    def lane_order(self, environment: Environment) -> dict[str, Any]:
        """Return what asking for a turn in an environment needs."""
        return {
            "repository": self.record.repository,
            "environment": environment.model_dump(mode="json"),
            "turn": asdict(self.turn(environment)),
        }

    def departure(self, environment: Environment, deployment: Deployment | None) -> dict[str, Any]:
        """Return what leaving an environment's lane needs; `deployment` is what runs there now, if it held."""
        return {
            "repository": self.record.repository,
            "environment": environment.name,
            "release": self.record.id,
            "deployed": asdict(occupy(deployment, self.turn(environment))) if deployment else None,
            "order": self.deployment_order(environment) if deployment else None,
            **self.grounds(environment),
        }

    def grounds(self, environment: Environment) -> dict[str, str]:
        """Return who let the release into an environment, and the digest of what they saw.

        Where nobody is asked it is the app, on the newest verdict.
        """
        voters = [vote.principal for vote in self.record.votes.get(environment.name, ()) if vote.decision == "approve"]
        newest = digest_of(asdict(self.record.evaluations[-1])) if self.record.evaluations else ""
        return {"by": ", ".join(voters) or APP, "evidence": self.digests.get(environment.name, newest)}

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
            **self.grounds(environment),
        }

    def approval_order(self, environment: Environment, instance: str) -> dict[str, Any]:
        """Return what an approval needs: the record is the evidence."""
        return {
            "record": asdict(self.record),
            "environment": environment.model_dump(mode="json"),
            "instance": instance,
            "at": self.now,
            "last": environment.name == self.config.environments[-1].name,
        }

    @property
    def now(self) -> str:
        """The story's clock, as records have it."""
        return str(self.context.current_utc_datetime.strftime("%Y-%m-%dT%H:%M:%SZ"))

    def _status(self) -> dict[str, Any]:
        running = timeline.current_stages(self.record)
        return {
            "stage": ", ".join(stage.name for stage in running) or self.record.outcome.value,
            "headline": messages.headline(self.record),
            "since": running[0].started_at if running else self.record.updated_at,
            "done": sum(1 for stage in self.record.stages if stage.state not in {"waiting", "running"}),
            "total": len(self.record.stages),
        }
