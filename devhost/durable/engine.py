"""Drives orchestrators and activities of one function app over a task hub."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from devhost.durable.hub import Hub
from devhost.durable.settings import DurableSettings


class Invoker(Protocol):
    """Runs the app's functions; names are durable names, compared without case."""

    @property
    def orchestrator_names(self) -> Collection[str]:
        """Durable names of the orchestrators as declared."""

    @property
    def activity_names(self) -> Collection[str]:
        """Durable names of the activities as declared."""

    async def orchestrate(self, name: str, request_json: str) -> str:
        """Run one episode; returns the SDK's response, or raises what the function raised."""

    async def act(self, name: str, input_text: str, instance_id: str) -> str | None:
        """Run one activity; returns its result as JSON text, or raises what the function raised."""


class Engine:
    """Runs every instance of the hub, one episode at a time for each."""

    def __init__(self, hub: Hub, invoker: Invoker, settings: DurableSettings) -> None:
        self.hub = hub
        self.invoker = invoker
        self.settings = settings

    async def start(self) -> None:
        """Take up all work the hub holds."""

    async def stop(self) -> None:
        """Stop taking work; what runs now is run again after the next start."""
