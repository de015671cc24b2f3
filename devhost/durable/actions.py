"""What the SDK asks for at the end of an episode."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

HTTP_ACTIVITY = "BuiltIn::HttpActivity"
Action = dict[str, Any]


class ActionType(IntEnum):
    """Numbers of the SDK's actions."""

    CALL_ACTIVITY = 0
    CALL_ACTIVITY_WITH_RETRY = 1
    CALL_SUB_ORCHESTRATOR = 2
    CALL_SUB_ORCHESTRATOR_WITH_RETRY = 3
    CONTINUE_AS_NEW = 4
    CREATE_TIMER = 5
    WAIT_FOR_EXTERNAL_EVENT = 6
    CALL_ENTITY = 7
    CALL_HTTP = 8
    SIGNAL_ENTITY = 9
    SCHEDULED_SIGNAL_ENTITY = 10
    WHEN_ANY = 11
    WHEN_ALL = 12


@dataclass(frozen=True)
class Response:
    """What the SDK answered for one episode."""

    actions: list[Action]
    is_done: bool
    output: Any = None
    error: str | None = None
    custom_status: Any = None

    @classmethod
    def read(cls, text: str) -> Response:
        """Read the SDK's JSON."""
        state = json.loads(text)
        return cls(
            actions=[action for actions in state["actions"] for action in actions],
            is_done=state["isDone"],
            output=state.get("output"),
            error=state.get("error"),
            custom_status=state.get("customStatus"),
        )
