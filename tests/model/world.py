"""Everything a release touches, in memory and on one clock, with people in front of it.

The app is the real one: webhook, forms, orchestrators, activities and all decisions. Around it are a GitHub, a storage,
a compute, a registry and web apps that do as a test says. `Watch` sees what happens and holds it to what must be true.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import hmac
import json
import logging
import os
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import azure.functions as func
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

import settings
from activities import read_config
from adapters import connect
from adapters.outbox import PENDING, Outbox
from domain import config, outbox
from domain.config import Config
from tests.model import clock
from tests.model.engine import Crash, Engine, Functions
from tests.model.github import Delivery, Forge, MemoryGitHub
from tests.model.hosting import MemoryCompute, MemoryRegistry, MemoryWebApp, Truth
from tests.model.memory import Fault, MemoryBlobs
from triggers import start

REPOSITORY = "acme/helpdesk"
ORIGIN = "https://drawbridge.acme.example"
SECRET = "webhook-secret-of-the-model"
PEOPLE = {name: f"{name}@acme.example" for name in ("alex", "jonas", "maria", "priya", "sam")}
ENVIRONMENT = {
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "DRAWBRIDGE_DEVELOP_BRANCH": "develop",
    "DRAWBRIDGE_GITHUB_TOKEN": "ghp_of_the_model",
    "DRAWBRIDGE_LINK_SECRET": "link-secret-of-the-model",
    "DRAWBRIDGE_LOOK_SECONDS": "7200",  # few looks: weeks go by here
    "DRAWBRIDGE_PEOPLE": json.dumps(PEOPLE),
    "DRAWBRIDGE_POLL_SECONDS": "1800",
    "DRAWBRIDGE_PUBLIC_URL": ORIGIN,
    "DRAWBRIDGE_RECONCILE_SECONDS": "21600",
    "DRAWBRIDGE_REPOSITORIES": REPOSITORY,
    "DRAWBRIDGE_TIMEZONE": "Europe/Berlin",
    "DRAWBRIDGE_WEBHOOK_SECRET": SECRET,
    "WEBSITE_AUTH_ENABLED": "true",
}
OPT_OUT = """## What changes

Words.

## Evaluation
<!-- drawbridge:opt-out -->
- [{tick}] Answers cannot change: only documentation, tests or tooling are touched.
- [{tick}] I know that the skip is shown with my name, and that the evaluation is owed before production.

Reason for skipping: only words in the documentation
"""
_AS_THEY_ARE = frozenset({str, int, float, bool, type(None)})
IDS = [f"r{number:02}" for number in range(12)]
FROM_OUR_PAGE = {"origin": ORIGIN, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}
# How often the app's timers fire; less often than in reality, where looking in vain costs nothing that counts.
DELIVER_EVERY, DELIVER_WHEN_AWAY = timedelta(seconds=15), timedelta(hours=1)
RECONCILE_EVERY = timedelta(hours=6)
NIGHTS_EVERY = timedelta(hours=1)


def rows(count: int) -> str:
    """Return a dataset with the first of the ids."""
    return "".join(json.dumps({"id": one, "question": f"q {one}", "answer": "a"}) + "\n" for one in IDS[:count])


def files(rules: str) -> dict[str, str]:
    """Return the repository's files."""
    return {
        "drawbridge.yaml": rules,
        "data/sample.jsonl": rows(1),
        "data/minimal.jsonl": rows(12),
        "data/full.jsonl": rows(12),
        "flows/chat/flow.dag.yaml": "inputs: {}\n",
    }


@dataclass
class Trouble:
    """What goes wrong around the app, and when."""

    github_away: bool = False
    storage: Fault | None = None  # of the next write that `countdown` leads to
    countdown: int = -1  # calls to storage until something happens; -1: nothing will
    crash: bool = False  # rather than a fault: the process dies there
    lost_answers: int = 0  # GitHub's next answers that are lost after the effect

    def at_storage(self, _name: str) -> Fault | None:
        if self.countdown < 0:
            return None
        self.countdown -= 1
        if self.countdown >= 0:
            return None
        if self.crash:
            raise Crash("at the storage")
        return self.storage

    def at_github(self, _method: str) -> Fault | None:
        if self.github_away:
            return Fault.REFUSED
        if self.lost_answers:
            self.lost_answers -= 1
            return Fault.LOST
        return None


class Client:
    """The durable client that triggers get: the SDK's, as far as they use it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def start_new(self, orchestrator: str, instance: str, payload: Any = None) -> str:
        self.engine.start(orchestrator, instance, payload)
        return instance

    async def raise_event(self, instance: str, event: str, data: Any = None) -> None:
        self.engine.raise_event(instance, event, data)

    async def terminate(self, instance: str, reason: str) -> None:
        self.engine.terminate(instance, reason)

    async def get_status(self, instance: str) -> DurableOrchestrationStatus:
        if instance not in self.engine.instances:
            return DurableOrchestrationStatus.from_json("")  # what the SDK makes of a 404
        now = self.engine.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        fields = {"instanceId": instance, "createdTime": now, "lastUpdatedTime": now}
        return DurableOrchestrationStatus.from_json(
            {
                **fields,
                "runtimeStatus": self.engine.instances[instance].status,
                "customStatus": self.engine.status(instance),
            }
        )


class World:
    """One app with one repository. Random choices come from `rng`, which each step of a test seeds anew."""

    def __init__(self, rules: str, functions: Functions, teams: Mapping[str, tuple[str, ...]]) -> None:
        self.rng = random.Random(0)
        self.engine = Engine(functions)
        self.client = Client(self.engine)
        self.trouble = Trouble()
        self.truths: dict[str, Truth] = defaultdict(Truth)
        self.blobs = MemoryBlobs(self.trouble.at_storage, self.now)
        self.stored = self.blobs.without_faults()
        self.forge = Forge(REPOSITORY, self.now, files(rules), teams)
        self.github = MemoryGitHub(self.forge, self.trouble.at_github)
        self.folder = tempfile.TemporaryDirectory()
        self.compute = MemoryCompute(Path(self.folder.name), self.now, self.truths, ids=IDS)
        self.registry = MemoryRegistry(self.truths)
        self.web_app = MemoryWebApp(self.now, self.truths, self._deploys)
        self.watchers: list[Callable[[str, str], None]] = []  # told before each deployment: environment, release
        self.fired = dict.fromkeys(("deliver", "reconcile_github", "nights"), self.engine.now)
        self.loop = asyncio.new_event_loop()
        self._undo = contextlib.ExitStack()

    def now(self) -> datetime:
        return self.engine.now

    def adopt(self, other: World) -> None:
        """Begin as another world ended."""
        self.engine.adopt(other.engine)
        self.engine.now = other.engine.now
        self.fired.update(other.fired)
        self.truths.update(other.truths)
        self.blobs.copy_from(other.blobs)
        self.forge.adopt(other.forge)
        self.compute.adopt(other.compute)
        self.web_app.running.update(other.web_app.running)

    def seconds(self) -> float:
        return self.engine.now.timestamp()

    def __enter__(self) -> World:
        """Put this world behind every adapter the app connects to."""
        enter = self._undo.enter_context
        enter(patch.dict(os.environ, {**ENVIRONMENT, "DRAWBRIDGE_STATE": self.folder.name}))
        settings.current.cache_clear()
        start._under_way.clear()
        for name in ("blobs", "github", "compute", "registry", "web_app"):
            enter(patch.object(connect, name, _always(getattr(self, name))))
        box = Outbox(self.blobs, lambda: self.github, self.seconds)
        enter(patch.object(connect, "outbox", _always(box)))
        enter(patch.object(asyncio, "to_thread", _at_once))
        enter(patch.object(read_config, "parse", _parsed))
        enter(patch.object(dataclasses, "_asdict_inner", _plain))
        enter(patch.object(outbox, "_part", _part))
        enter(clock.installed(self.now))
        logging.disable()  # what stumbles here would fill the logs
        self._undo.callback(logging.disable, logging.NOTSET)
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()
        settings.current.cache_clear()
        self.loop.close()
        self.folder.cleanup()

    # What happens by itself.

    def settle(self, until: datetime | None = None) -> None:
        """Let everything happen in random order, and time pass, until then; None: only what can happen now."""
        end = until or self.engine.now
        while True:
            self.engine.ring()
            if self.engine.ready:
                self.work(1)
                continue
            timers = self._timers()
            due = min(timers.values())
            if due > end:
                break
            self.engine.now = max(self.engine.now, due)
            for handler, at in timers.items():
                if handler and at == due:
                    self.fire(handler)
        self.engine.now = max(self.engine.now, end)

    def running(self, orchestrator: str) -> list[str]:
        """Return the instances of an orchestrator that have not ended."""
        return [name for name in self.engine.running() if self.engine.instances[name].name == orchestrator]

    def work(self, pieces: int) -> None:
        """Let so many things happen of what is ready, in random order."""
        for _ in range(pieces):
            self.engine.ring()
            if not self.engine.ready:
                return
            with self.surviving():
                self.engine.run(self.rng.randrange(len(self.engine.ready)))
            self.engine.now += timedelta(milliseconds=self.rng.randrange(2000))

    def pass_time(self, span: timedelta) -> None:
        """Let time go by, and everything happen that is due."""
        self.settle(self.engine.now + span)

    def fire(self, handler: str) -> None:
        """Let one of the app's timers fire."""
        self.fired[handler] = self.engine.now
        function = self.engine.functions.handlers[handler]
        with self.surviving():
            done = function(timer=None, **self._client_for(function))
            if asyncio.iscoroutine(done):
                self.loop.run_until_complete(done)

    @contextlib.contextmanager
    def surviving(self) -> Iterator[None]:
        """Bring the app back when its process dies inside."""
        try:
            yield
        except Crash:
            self.restart()

    def restart(self) -> None:
        """End the process and begin a new one: nothing is left but histories and what is stored."""
        start._under_way.clear()
        start._started.clear()
        self.engine.restart()

    def _timers(self) -> dict[str, datetime]:
        """Return when each of the app's timers fires next; "" is the next of the durable ones."""
        pause = DELIVER_WHEN_AWAY if self.trouble.github_away else DELIVER_EVERY
        never = datetime.max.replace(tzinfo=UTC)
        return {
            "": self.engine.next_timer() or never,
            "deliver": self.fired["deliver"] + pause if self.stored.names(PENDING) else never,
            "reconcile_github": self.fired["reconcile_github"] + RECONCILE_EVERY,
            "nights": self.fired["nights"] + NIGHTS_EVERY,
        }

    # What people do.

    def deliver(self, delivery: Delivery) -> int:
        """Let a webhook arrive, and give the status that GitHub gets."""
        body = json.dumps(delivery.payload).encode()
        signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "x-github-event": delivery.event,
            "x-github-delivery": delivery.guid,
            "x-hub-signature-256": signature,
        }
        answer = self.call("github_webhook", "/api/github/webhook", headers=headers, body=body)
        return answer.status_code if answer else 0

    def get(self, handler: str, path: str, who: str) -> func.HttpResponse | None:
        """Open one of our pages."""
        return self.call(handler, path, "GET", {"x-ms-client-principal-name": PEOPLE[who]})

    def post(self, handler: str, path: str, who: str, fields: dict[str, str]) -> func.HttpResponse | None:
        """Send a form of one of our pages."""
        headers = {**FROM_OUR_PAGE, "x-ms-client-principal-name": PEOPLE[who]}
        return self.call(handler, path, headers=headers, body=urlencode(fields).encode())

    def ask(self, handler: str, path: str, who: str, fields: dict[str, str]) -> int:
        """Send JSON, as a person's script does, and give the status."""
        headers = {"content-type": "application/json", "x-ms-client-principal-name": PEOPLE[who]}
        answer = self.call(handler, path, headers=headers, body=json.dumps(fields).encode())
        return answer.status_code if answer else 0

    def call(
        self, handler: str, path: str, method: str = "POST", headers: dict[str, str] | None = None, body: bytes = b""
    ) -> func.HttpResponse | None:
        """Call one of the app's HTTP functions; None when the process died over it."""
        first, second = [*path.split("/")[3:], "", ""][:2]
        route = {"token": first, "id": first, "repository": first, "environment": second}
        url = f"{ORIGIN}{path}"
        request = func.HttpRequest(method, url, headers=headers or {}, route_params=route, body=body)
        function = self.engine.functions.handlers[handler]
        with self.surviving():
            answer: func.HttpResponse = self.loop.run_until_complete(function(request, **self._client_for(function)))
            return answer
        return None

    def _client_for(self, function: Callable[..., Any]) -> dict[str, Client]:
        code = function.__code__
        return {"client": self.client} if "client" in code.co_varnames[: code.co_argcount] else {}

    def _deploys(self, app: str, image: Any, release: str) -> None:
        for watch in self.watchers:
            watch(app.rpartition("-")[2], release)


async def _at_once(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Stand in for a thread: the order of things is the test's to choose."""
    return work(*args, **options)


def _plain(value: Any, _factory: object) -> Any:
    """Do `asdict`'s work without a deep copy of each text, which would be a third of all time; Python 3.12 does too."""
    kind: Any = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if names := _names_of(kind):  # most of what a record holds is text: a call for each would be most of the work
        return {name: one if type(one := getattr(value, name)) in _AS_THEY_ARE else _plain(one, None) for name in names}
    if kind in (list, tuple):
        return kind([_plain(one, None) for one in value])
    if kind is dict:
        return {key: _plain(one, None) for key, one in value.items()}
    return value


@cache
def _names_of(kind: Any) -> tuple[str, ...]:
    return tuple(one.name for one in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else ()


_part = lru_cache(maxsize=4096)(outbox._part)  # a message's subject is asked for again and again


@lru_cache(maxsize=32)
def _parsed(text: str, file: str) -> Config:
    """Read a config; the few texts of the model once each, since YAML takes its time."""
    return config.read_config(text, file)


def _always(part: Any) -> Callable[[settings.Settings], Any]:
    return lambda _settings: part
