"""What can go wrong at the hub's edge; the HTTP API turns each into a status."""

from __future__ import annotations


class HubError(Exception):
    """The hub cannot be used as asked; the message says what to do."""


class NotFound(HubError):
    """No instance with that id."""


class Conflict(HubError):
    """An instance with that id is still active."""


class Gone(HubError):
    """The instance has finished."""


class Refused(HubError):
    """The request is wrong: a bad id, an unknown orchestrator."""


class NotSupported(HubError):
    """This host does not have the feature, on purpose."""


class NonDeterminism(Exception):
    """The orchestrator's decisions differ from its history; `warnings` by kind may tell why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.warnings: dict[str, str] = {}


class UnknownFunction(Exception):
    """An orchestrator called an activity or orchestrator that is not there."""
