"""Call the functions of an app as the Python worker does, through the converters of azure-functions."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import os
import threading
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from azure.functions import Context, Out
from azure.functions.meta import Datum, get_binding_registry

from devhost.loader import App, Function, app_part

log = logging.getLogger("devhost.invoker")


class FunctionTimeout(Exception):
    """A function ran longer than `functionTimeout` allows."""


@dataclass(frozen=True)
class HttpCall:
    """A request as a function sees it. Header names are lower-case, repeated query keys joined by commas."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    route: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class HttpReply:
    """What goes back to the caller; each cookie is one Set-Cookie header."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


class Invoker:
    """Runs async functions on one long-lived loop of their own and the others in a thread pool.

    The functions' loop is not the host's: an async function that blocks must not stop timers or HTTP,
    and the durable client caches a session that dies with its loop.
    """

    def __init__(self, app: App, timeout: float | None = 1800.0) -> None:
        self.app = app
        self.timeout = timeout  # seconds; None for no limit
        self.client_json = ""  # known when the durable API listens
        threads = os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT")
        self._pool = ThreadPoolExecutor(int(threads) if threads else None, thread_name_prefix="function")
        # Orchestrators get threads of their own: they are short, and activities that block must not starve them.
        self._orchestrators = ThreadPoolExecutor(2, thread_name_prefix="orchestrator")
        self._running: set[asyncio.Future[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="functions-loop", daemon=True)
        self._thread.start()

    @property
    def orchestrator_names(self) -> Collection[str]:
        """Durable names of the orchestrators as declared."""
        return [f.trigger.get("orchestration") or f.name for f in self.app.orchestrators.values()]

    @property
    def activity_names(self) -> Collection[str]:
        """Durable names of the activities as declared."""
        return [f.trigger.get("activity") or f.name for f in self.app.activities.values()]

    async def orchestrate(self, name: str, request_json: str) -> str:
        """Run one episode; returns the SDK's response, or raises what the function raised."""
        function = self.app.orchestrators[name.lower()]
        result, _ = await self._call(function, Datum(request_json, "json"))
        return str(result)

    async def act(self, name: str, input_text: str, instance_id: str) -> str | None:
        """Run one activity; returns its result as JSON text, or raises what the function raised."""
        log.debug("activity %s of %s", name, instance_id)
        function = self.app.activities[name.lower()]
        result, _ = await self._call(function, Datum(input_text, "json"))
        if result is None:
            return None
        return str(_converter("activityTrigger").encode(result, expected_type=None).value)

    async def answer(self, function: Function, call: HttpCall) -> HttpReply:
        """Run an HTTP function; raises what it raised, or what its return value cannot be turned into."""
        result, outputs = await self._call(function, _http_datum(call))
        output = next((b["name"] for b in function.bindings if b["type"] == "http"), None)
        if output is None:
            return HttpReply(204)
        return _http_reply(result if output == "$return" else outputs[output])

    async def tick(self, function: Function, timer_json: str) -> None:
        """Run a timer function; raises what it raised, or TypeError when it returned something."""
        result, _ = await self._call(function, Datum(timer_json, "json"))
        if result is not None:
            raise TypeError(f"Function '{function.name}' without a $return binding returned a non-None value")

    @property
    def is_busy(self) -> bool:
        """Whether a function still runs."""
        return bool(self._running)

    async def stop(self, grace: float) -> None:
        """Let running functions end within `grace` seconds, then cancel those that can be cancelled."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=grace)
        await asyncio.to_thread(self._end_loop, grace)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._orchestrators.shutdown(wait=False, cancel_futures=True)

    def _end_loop(self, grace: float) -> None:
        try:
            asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result(grace)
        except TimeoutError:
            log.warning("an async function blocks its loop and cannot be stopped")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(grace)
        if not self._thread.is_alive():
            self._loop.close()

    async def _call(self, function: Function, trigger: Datum) -> tuple[Any, dict[str, Any]]:
        invocation = InvocationContext(function.name, str(self.app.directory))
        arguments, outputs = self._arguments(function, trigger, invocation)
        call = functools.partial(function.user_function, **arguments)
        result = await self._within_timeout(function, self._run(function, call, invocation))
        return result, {name: output.get() for name, output in outputs.items()}

    def _arguments(
        self, function: Function, trigger: Datum, invocation: InvocationContext
    ) -> tuple[dict[str, Any], dict[str, Output]]:
        arguments: dict[str, Any] = {}
        outputs: dict[str, Output] = {}
        for binding in function.bindings:
            name, kind = binding["name"], binding["type"]
            if binding is function.trigger:
                arguments[name] = _converter(kind).decode(trigger, trigger_metadata={})
            elif kind == "durableClient":
                arguments[name] = _converter(kind).decode(Datum(self.client_json, "string"), trigger_metadata={})
            elif name != "$return":
                arguments[name] = outputs[name] = Output()
        if function.wants_context:
            arguments["context"] = invocation
        return arguments, outputs

    def _run(self, function: Function, call: Callable[[], Any], invocation: InvocationContext) -> Awaitable[Any]:
        if function.is_async:
            return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_on_loop(call, function.name), self._loop))
        orchestrates = function.trigger["type"] == "orchestrationTrigger"
        pool = self._orchestrators if orchestrates else self._pool
        in_thread = functools.partial(_in_thread, call, invocation)
        return asyncio.get_running_loop().run_in_executor(pool, contextvars.copy_context().run, in_thread)

    async def _within_timeout(self, function: Function, running: Awaitable[Any]) -> Any:
        task = asyncio.ensure_future(running)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        done, _ = await asyncio.wait({task}, timeout=self.timeout)
        if not done:
            task.cancel()  # ends an async function; a thread runs on, for Python cannot stop it
            raise FunctionTimeout(f"Timeout value of {self.timeout:g} s was exceeded by function: {function.name}")
        if task.cancelled():
            # Passed on, a cancellation inside the function would look like one of the host's own task.
            raise RuntimeError(f"Function '{function.name}' was cancelled")
        return task.result()


def log_failure(function: Function, error: Exception) -> None:
    """Log what a function raised, with the app's own part of the traceback."""
    log.error("Function '%s' failed", function.name, exc_info=app_part(error))


class Output(Out[Any]):
    """Holds what a function sets on an output parameter."""

    _value: Any = None

    def set(self, val: Any) -> None:
        """Keep the value."""
        self._value = val

    def get(self) -> Any:
        """Return the value kept, or None."""
        return self._value


class InvocationContext(Context):
    """Tells a function about its invocation."""

    _threads = threading.local()

    def __init__(self, function_name: str, directory: str) -> None:
        self._id = str(uuid.uuid4())
        self._name = function_name
        self._directory = directory

    @property
    def invocation_id(self) -> str:
        """A new UUID for each invocation."""
        return self._id

    @property
    def function_name(self) -> str:
        """The indexed name."""
        return self._name

    @property
    def function_directory(self) -> str:
        """The app's directory: a v2 function has none of its own."""
        return self._directory

    @property
    def thread_local_storage(self) -> Any:
        """Holds `invocation_id` in the thread of a sync function."""
        return self._threads

    @property
    def trace_context(self) -> Any:
        """None: this host does not trace."""
        return None

    @property
    def retry_context(self) -> Any:
        """None: the triggers served here have no retry policy on Azure either."""
        return None


def _in_thread(call: Callable[[], Any], invocation: InvocationContext) -> Any:
    invocation.thread_local_storage.invocation_id = invocation.invocation_id
    try:
        return call()
    except SystemExit as error:
        raise _exited(invocation.function_name, error) from error


async def _on_loop(call: Callable[[], Any], name: str) -> Any:
    try:
        return await call()
    except SystemExit as error:
        raise _exited(name, error) from error


def _exited(name: str, error: SystemExit) -> RuntimeError:
    # On Azure this ends the worker, which is started anew; here the host lives in the same process.
    return RuntimeError(f"Function '{name}' called sys.exit({error.code!r})")


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _converter(kind: str) -> Any:
    return get_binding_registry().get(kind)  # type: ignore[no-untyped-call]


def _http_datum(call: HttpCall) -> Datum:
    value = {
        "method": Datum(call.method, "string"),
        "url": Datum(call.url, "string"),
        "headers": _texts(call.headers),
        "query": _texts(call.query),
        "params": _texts(call.route),
        "body": Datum(call.body, "bytes"),
    }
    return Datum(value, "http")


def _texts(values: Mapping[str, str]) -> dict[str, Datum]:
    return {name: Datum(value, "string") for name, value in values.items()}


def _http_reply(result: Any) -> HttpReply:
    datum = _converter("http").encode(result, expected_type=None)
    if datum.type == "string":
        return HttpReply(200, [("Content-Type", "text/plain; charset=utf-8")], datum.value.encode())
    parts = datum.value
    headers = [(name, text.value) for name, text in parts["headers"].items()]
    cookies = [morsel.OutputString() for jar in parts["cookies"] or () for morsel in jar.values()]
    headers += [("Set-Cookie", cookie) for cookie in cookies]
    return HttpReply(int(parts["status_code"].value), headers, parts["body"].value)
