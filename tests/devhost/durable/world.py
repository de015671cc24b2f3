"""A small world around the engine: a function app as an object, the real SDK, a hub in a file."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import azure.durable_functions as df
from azure.durable_functions.models.utils import http_utils
from azure.functions.durable_functions import ActivityTriggerConverter, OrchestrationTriggerConverter
from azure.functions.meta import Datum

from devhost.durable.api import RpcListener
from devhost.durable.client import client_binding
from devhost.durable.engine import Engine
from devhost.durable.history import Event, Kind, Status
from devhost.durable.hub import Hub
from devhost.durable.operations import Operations
from devhost.durable.settings import DurableSettings


class SdkInvoker:
    """Calls the functions of a DFApp through the SDK; remembers what it was asked."""

    def __init__(self, app: df.DFApp) -> None:
        self._orchestrators: dict[str, Callable[..., Any]] = {}
        self._activities: dict[str, tuple[str, Callable[..., Any]]] = {}
        self.orchestrator_names: list[str] = []
        self.activity_names: list[str] = []
        self.acted: list[str] = []
        self.episodes = 0
        for function in app.get_functions():
            self._index(function)

    def _index(self, function: Any) -> None:
        trigger = function.get_trigger()
        settings = trigger.get_dict_repr()
        if trigger.type == "orchestrationTrigger":
            name = settings.get("orchestration") or function.get_function_name()
            self.orchestrator_names.append(name)
            self._orchestrators[name.lower()] = function.get_user_function()
        elif trigger.type == "activityTrigger":
            name = settings.get("activity") or function.get_function_name()
            self.activity_names.append(name)
            self._activities[name.lower()] = (trigger.name, function.get_user_function())

    async def orchestrate(self, name: str, request_json: str) -> str:
        self.episodes += 1
        context = OrchestrationTriggerConverter.decode(Datum(request_json, "json"), trigger_metadata={})
        return await asyncio.to_thread(self._orchestrators[name.lower()], context)

    async def act(self, name: str, input_text: str, instance_id: str) -> str | None:
        self.acted.append(name)
        parameter, function = self._activities[name.lower()]
        value = ActivityTriggerConverter.decode(Datum(input_text, "json"), trigger_metadata={})
        call = functools.partial(function, **{parameter: value})
        result = await call() if inspect.iscoroutinefunction(function) else await asyncio.to_thread(call)
        return None if result is None else ActivityTriggerConverter.encode(result, expected_type=None).value


class World:
    """An engine that runs, the client a function would be given, and questions tests ask."""

    def __init__(self, engine: Engine, invoker: SdkInvoker, client: df.DurableOrchestrationClient, rpc: str) -> None:
        self.engine = engine
        self.invoker = invoker
        self.client = client
        self.rpc = rpc  # base URL of the durable API, ending in a slash
        self.operations = Operations(engine)

    async def run(
        self, name: str, argument: Any = None, instance_id: str | None = None
    ) -> df.DurableOrchestrationStatus:
        """Start an orchestrator through the client and wait for its end."""
        return await self.end_of(await self.client.start_new(name, instance_id, argument))

    async def end_of(self, instance_id: str, seconds: float = 30) -> df.DurableOrchestrationStatus:
        """Wait until an instance has finished."""
        await self.until(instance_id, lambda status: status.finished, seconds)
        return await self.client.get_status(instance_id)

    async def until(self, instance_id: str, reached: Callable[[Status], bool], seconds: float = 30) -> None:
        """Wait until the status of an instance is as wanted."""
        await eventually(lambda: self._has(instance_id, reached), seconds)

    async def history(self, instance_id: str) -> list[Event]:
        """Read the raw history."""
        return await self.operations.history(instance_id)

    async def of_kind(self, instance_id: str, kind: Kind) -> list[Event]:
        """Read the events of one kind."""
        return [event for event in await self.history(instance_id) if event["EventType"] == kind]

    async def let_a_day_pass(self, instance_id: str) -> None:
        """Make the timers of an instance due."""
        update = "UPDATE messages SET visible_at = visible_at - 86400 WHERE instance_id = ?"
        await self.engine.hub.database.run(lambda connection: connection.execute(update, (instance_id,)).rowcount)
        self.engine.wake(instance_id)

    async def _has(self, instance_id: str, reached: Callable[[Status], bool]) -> bool:
        return reached((await self.operations.status(instance_id)).status)


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 the thing waited for is in another process or a database
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def world(app: df.DFApp, hub_file: Path, settings: DurableSettings | None = None) -> AsyncIterator[World]:
    """Run an engine for as long as the block lasts."""
    settings = settings or DurableSettings()
    hub = Hub(hub_file)
    hub.open()
    invoker = SdkInvoker(app)
    engine = Engine(hub, invoker, settings)
    listener = RpcListener(engine, "http://localhost:7071", port=0)
    rpc = await listener.start()
    await engine.start()
    http_utils._session_lock = asyncio.Lock()  # the SDK's is bound to the loop of the test before
    client = df.DurableOrchestrationClient(client_binding("http://localhost:7071", rpc, settings.hub_name))
    try:
        yield World(engine, invoker, client, rpc)
    finally:
        await http_utils._close_session()
        await engine.stop(grace=0.5)
        await listener.stop()
        hub.close()
