"""What the orchestrator of a change holds while it tells its story: the record, and how others hear of it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
from azure.durable_functions.models.Task import TaskBase

from activities.tell_change import tell_change
from domain import messages_changes
from domain.changes import ChangeFacts, ChangeRecord, ChangeState, called_off, planned, with_step
from domain.config import Config
from domain.models import StageState
from orchestrators.patience import FOR_A_CHANGE, ask_github
from orchestrators.retries import PATIENTLY

Steps = Generator[Any, Any, None]


class Over(Exception):
    """This story no longer speaks for its change: a newer one does, or nobody is to."""

    def __init__(self, why: str, state: ChangeState) -> None:
        super().__init__(why)
        self.why = why
        self.state = state


class Stopped(Exception):
    """The change cannot go on by itself: why, as Markdown, and who has to do what."""

    def __init__(self, reason: str, needed: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.needed = needed


class ChangeStory:
    """The validation of one head of a change. Deterministic: clock and ids come from the context."""

    def __init__(self, context: df.DurableOrchestrationContext, facts: ChangeFacts, record: ChangeRecord) -> None:
        self.context = context
        self.facts = facts
        self.record = record
        self.wire_config: dict[str, Any] = {}
        self.config: Config | None = None

    @property
    def rules(self) -> Config:
        """The head's own config; only once it was read."""
        if self.config is None:
            raise ValueError(f"the config of {self.record.instance} has not been read")
        return self.config

    def act(self, activity: Any, payload: Any) -> TaskBase:
        """Call an activity, patiently."""
        return self.context.call_activity_with_retry(activity, PATIENTLY, payload)

    def call(self, orchestrator: str, payload: Any, name: str) -> TaskBase:
        """Call a child orchestration by name, as an instance named after this one."""
        return self.context.call_sub_orchestrator(orchestrator, payload, self.child(name))

    def child(self, name: str) -> str:
        """Name a child's instance: the same at every replay, and readable."""
        return f"{self.record.instance}.{name}"

    def plan(self, wire_config: dict[str, Any]) -> None:
        """Lay out the steps that the head's own config asks for."""
        self.wire_config = wire_config
        self.config = Config.model_validate(wire_config)
        label = self.config.merge.needs_person
        self.record = replace(self.record, steps=planned(self.facts, self.config), person=label)

    def begin(self, step: str, detail: str = "") -> Steps:
        """Say that a step runs now."""
        yield from self.step(step, StageState.RUNNING, detail)

    def step(self, step: str, state: StageState, detail: str = "") -> Steps:
        """Say how a step stands."""
        self.record = with_step(self.record, step, state, detail)
        yield from self.publish()

    def fail(self, step: str, detail: str, reason: str = "", needed: str = "") -> None:
        """Take in what a step failed at. Always raises Stopped."""
        self.record = with_step(self.record, step, StageState.FAILED, detail)
        raise Stopped(
            reason or messages_changes.failed_step(step, detail),
            needed or messages_changes.author_needed(self.facts),
        )

    def note(self, text: str) -> None:
        """Keep something a person should know, once."""
        if text not in self.record.notes:
            self.record = replace(self.record, notes=(*self.record.notes, text))

    def need(self, text: str) -> None:
        """Say who has to do what; nothing when nobody has to."""
        self.record = replace(self.record, needed=text)

    def settle(self, state: ChangeState, reason: str) -> Steps:
        """Say what the validation came to. What never began is not going to."""
        steps = self.record.steps if state is ChangeState.PASSED else called_off(self.record.steps)
        self.record = replace(self.record, state=state, reason=reason, steps=steps)
        yield from self.publish()

    def publish(self) -> Steps:
        """Keep the record, show it, and tell GitHub. Raises Over when another story speaks for the change."""
        told = yield from self._tell(last=False)
        if told["over"]:
            raise Over(told["over"], ChangeState(told["state"]))

    def part(self, over: Over) -> Steps:
        """Close the status of a head that is not validated any more."""
        self.record = replace(self.record, state=over.state, reason=over.why)
        yield from self._tell(last=True)

    def ask_github(self, activity: Any, payload: Any) -> Generator[Any, Any, dict[str, Any]]:
        """Return what GitHub answers to what the validation cannot do without, or {"error": what to mend}."""
        return (yield from ask_github(self.context, activity, payload, FOR_A_CHANGE))

    def pause(self, seconds: float) -> TaskBase:
        """Wait."""
        return self.context.create_timer(self.context.current_utc_datetime + timedelta(seconds=seconds))

    def wait(self, look: float, **more: Any) -> dict[str, Any]:
        """Return what a child needs that looks at the change every `look` seconds until something becomes of it."""
        until = self.context.current_utc_datetime + timedelta(seconds=self.rules.validation.checks_timeout)
        return {
            "repository": self.record.repository,
            "number": self.record.key,
            "instance": self.record.instance,
            "sha": self.record.head,
            "look": look,
            "until": until.isoformat(),
            **more,
        }

    def _tell(self, last: bool) -> Generator[Any, Any, dict[str, Any]]:
        at = self.context.current_utc_datetime.isoformat()
        self.record = replace(self.record, updated_at=at, news=self.record.news + 1)
        self.context.set_custom_status(
            {"stage": self.record.state.value, "headline": messages_changes.description(self.record)}
        )
        told: dict[str, Any] = yield self.act(tell_change, {"record": asdict(self.record), "last": last})
        return told
