"""What clients can do with instances."""

from __future__ import annotations

import unicodedata
import uuid
from dataclasses import dataclass

from devhost.durable import queries
from devhost.durable.engine import Engine
from devhost.durable.episodes import new_execution_id
from devhost.durable.errors import Conflict, Gone, NotFound, NotSupported, Refused, UnknownFunction
from devhost.durable.failures import warn_if_large
from devhost.durable.history import STATUS_NAMES, Event, Kind, Status, event, now, timestamp
from devhost.durable.queries import Filter
from devhost.durable.records import Instance, Message


@dataclass(frozen=True)
class Operations:
    """Commands and questions to an engine's hub. An unknown id raises NotFound everywhere."""

    engine: Engine

    async def start(self, name: str, instance_id: str | None, stored_input: str | None, version: str | None) -> str:
        """Start an instance and return its id. Raises Refused for a bad id or an unknown name, Conflict."""
        instance_id = instance_id or uuid.uuid4().hex
        _check_id(instance_id)
        try:
            self.engine.names.check_orchestrator(name)
        except UnknownFunction as error:
            raise Refused(str(error)) from None
        warn_if_large(f"the input of instance {instance_id}", stored_input)
        at = timestamp(now())
        version = version or self.engine.settings.default_version
        instance = Instance(instance_id, name, new_execution_id(), stored_input, version, created=at, updated=at)
        await self.engine.hub.start(instance, self.engine.settings.replace_any_state)
        self.engine.wake(instance_id)
        return instance_id

    async def status(self, instance_id: str) -> Instance:
        """Read one instance."""
        instance = await self.engine.hub.database.run(lambda connection: queries.find(connection, instance_id))
        if instance is None:
            raise NotFound(f"No instance with ID '{instance_id}' found.")
        return instance

    async def history(self, instance_id: str) -> list[Event]:
        """Read the history of an instance's current generation."""
        return await self.engine.hub.database.run(lambda connection: queries.history(connection, instance_id))

    async def list(self, wanted: Filter, top: int, after: str) -> tuple[list[Instance], str]:
        """Read up to `top` instances with ids beyond `after`; also returns where the next page begins, or ""."""
        return await self.engine.hub.database.run(lambda connection: queries.page(connection, wanted, top, after))

    async def raise_event(self, instance_id: str, name: str, stored_input: str | None) -> None:
        """Send an event. Raises Gone when the instance has finished."""
        warn_if_large(f"event {name} for instance {instance_id}", stored_input)
        await self._send(instance_id, event(Kind.EVENT_RAISED, timestamp(now()), Name=name, Input=stored_input))

    async def terminate(self, instance_id: str, reason: str) -> None:
        """End an instance; its children and running activities go on. Raises Gone."""
        await self._send(instance_id, event(Kind.EXECUTION_TERMINATED, timestamp(now()), Input=reason))

    async def suspend(self, instance_id: str, reason: str) -> None:
        """Run nothing of an instance until it is resumed. Raises Gone, or Conflict when it is suspended already."""
        if (await self._active(instance_id)).status == Status.SUSPENDED:
            raise Conflict(f"Cannot suspend orchestration instance {instance_id}: it is suspended already.")
        await self._send(instance_id, event(Kind.EXECUTION_SUSPENDED, timestamp(now()), Reason=reason))

    async def resume(self, instance_id: str, reason: str) -> None:
        """Let a suspended instance go on. Raises Gone, or Conflict when it is not suspended."""
        if (await self._active(instance_id)).status != Status.SUSPENDED:
            raise Conflict(f"Cannot resume orchestration instance {instance_id}: it is not suspended.")
        await self._send(instance_id, event(Kind.EXECUTION_RESUMED, timestamp(now()), Reason=reason))

    async def rewind(self, instance_id: str) -> None:
        """Refuse, always."""
        await self.status(instance_id)
        raise NotSupported("Rewind is not supported by this host: start the instance anew, or run it on Azure.")

    async def restart(self, instance_id: str, with_new_id: bool) -> str:
        """Start an instance's orchestrator again with the same input and return the id. Raises Conflict."""
        old = await self.status(instance_id)
        return await self.start(old.name, None if with_new_id else old.id, old.input, old.version)

    async def purge(self, instance_id: str) -> None:
        """Remove a finished instance. Raises Conflict when it is active."""
        await self.engine.hub.database.run(lambda connection: queries.purge_one(connection, instance_id))

    async def purge_by(self, wanted: Filter) -> int:
        """Remove the finished instances that match; returns how many."""
        return await self.engine.hub.database.run(lambda connection: queries.purge_by(connection, wanted))

    async def _send(self, instance_id: str, happened: Event) -> None:
        await self.engine.hub.send(Message(instance_id, happened))
        self.engine.wake(instance_id)

    async def _active(self, instance_id: str) -> Instance:
        instance = await self.status(instance_id)
        if instance.status.finished:
            raise Gone(f"Instance with ID '{instance_id}' is {STATUS_NAMES[instance.status]}.")
        return instance


def _check_id(instance_id: str) -> None:
    bad = sorted({each for each in instance_id if each in "/\\?#" or unicodedata.category(each) in ("Cc", "Cs")})
    if bad:
        raise Refused(f"Instance IDs must not contain /, \\, ?, # or control characters; {instance_id!r} has {bad}.")
    if len(instance_id) > 256:
        raise Refused(f"Instance IDs must not be longer than 256 characters; this one has {len(instance_id)}.")
    if instance_id.startswith("@"):
        raise Refused(f"Instance IDs must not start with '@': {instance_id!r} would be an entity.")
