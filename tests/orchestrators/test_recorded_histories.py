"""Histories of real releases, changes and nights, replayed by the real SDK: what is under way survives a new version.

They were recorded with scripts/record_histories.py from the hubs of tests/end_to_end.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import pytest

from devhost.durable.actions import Response
from devhost.durable.history import Kind, request
from devhost.durable.replay import replay
from function_app import app

ORCHESTRATORS = {
    function.get_function_name(): function.get_user_function().orchestrator_function  # the plain generator
    for function in app.get_functions()
    if any(binding.type == "orchestrationTrigger" for binding in function.get_bindings())
}
FILES = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))


def recorded(file: Path) -> Any:
    """Read a recorded history."""
    return json.loads(file.read_text(encoding="utf-8"))


def answer(record: Any, history: list[Any]) -> Response:
    """Let the SDK replay a history through today's orchestrator."""
    orchestrate = df.Orchestrator.create(ORCHESTRATORS[record["name"]])
    body = request(record["instance"], record["parent"], record["input"], [json.dumps(one) for one in history])
    return Response.read(orchestrate(body))


def episodes(history: list[Any]) -> list[int]:
    """Return where each episode ends: just before its new decisions were appended."""
    ends = [n for n, one in enumerate(history) if one["EventType"] == Kind.ORCHESTRATOR_COMPLETED]
    return [end + 1 for end in ends]


def test_every_orchestrator_has_a_recorded_history() -> None:
    """A new orchestrator needs one too."""
    assert {recorded(file)["name"] for file in FILES} == set(ORCHESTRATORS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_history_replays_to_the_same_decisions_and_the_same_end(file: Path) -> None:
    """At every point where a host could have stopped, today's code decides what was decided then."""
    record = recorded(file)
    history = record["history"]
    output = next(one["Result"] for one in history if one["EventType"] == Kind.EXECUTION_COMPLETED)

    for end in episodes(history):
        response = answer(record, history[:end])
        assert response.error is None
        assert replay(response, history[:end]).decisions == []
    assert json.loads(json.dumps(response.output)) == json.loads(output)


def test_changed_order_is_noticed() -> None:
    """The guard itself works: an orchestrator that acts in another order does not fit its history."""
    record = recorded(next(file for file in FILES if file.stem.startswith("evaluation__")))

    def reordered(context: df.DurableOrchestrationContext) -> Any:
        yield context.call_activity("conclude_evaluation", {})

    body = request("i", None, record["input"], [json.dumps(one) for one in record["history"]])
    response = Response.read(df.Orchestrator.create(reordered)(body))

    with pytest.raises(Exception, match="plan_evaluation"):
        replay(response, record["history"])
