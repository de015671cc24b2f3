"""Everything one machine needs as one `with` block: blob storage, the model, the GitHub double, the app."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape

from adapters import processes
from adapters.files import last_words
from adapters.processes import ProcessRecord
from devhost.environment import StartError, local_values
from devhost.github.client import Client
from devhost.ports import LOOPBACK, free_port, holder, is_free
from devhost.sample_repository import MAIN, REPOSITORY
from devhost.signals import later, no_interruption
from settings import Settings, SettingsError

ROOT = Path(__file__).resolve().parent.parent
AZURITE = ROOT / "devhost" / "azurite" / "node_modules" / ".bin" / "azurite-blob"
# Azurite's well-known development account: published, the same everywhere, worth nothing.
ACCOUNT = "AccountName=devstoreaccount1;AccountKey=" + (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
APP_PORT, BLOB_PORT, GITHUB_PORT, MODEL_PORT = 7071, 10000, 8070, 8080
START_TIMEOUT = 120.0  # seconds that a part may take; the slowest needs about five on an idle machine
POLL_SECONDS = "1"
LOOK_SECONDS = "3"
LOCK = "up.lock"

PEOPLE = {
    "alex": {"name": "Alex Moreau", "email": "alex@finch.example"},
    "sam": {"name": "Sam Lindqvist", "email": "sam@finch.example"},
    "maria": {"name": "Maria Silva", "email": "maria@finch.example"},
    "jonas": {"name": "Jonas Weber", "email": "jonas@finch.example"},
    "priya": {"name": "Priya Raman", "email": "priya@finch.example"},
}


class UpError(Exception):
    """The system cannot start or go on; the message is one line that says what to do."""


@dataclass(frozen=True)
class Part:
    """One process of the system, and how to know that it works."""

    name: str
    command: tuple[str, ...]
    url: str  # answers as soon as the part works
    env: Mapping[str, str]


class System:
    """Everything one machine needs, from the moment the `with` block is entered until it is left.

    `state` keeps all of it: blobs, the task hub, repositories, process records, logs. Nothing started here,
    directly or by the app, runs on after the block; what a killed predecessor left behind is ended first.
    With `anew` the state of an earlier run is deleted.
    """

    container = "drawbridge"

    def __init__(
        self, state: Path, app_port: int = APP_PORT, console: Console | None = None, anew: bool = False
    ) -> None:
        self.state = state.resolve()
        self.logs = self.state / "logs"
        self.app_url = f"http://localhost:{app_port}"
        self._app_port = app_port
        self._anew = anew
        self._console = console or Console(highlight=False)
        self._records: dict[str, ProcessRecord] = {}
        self._ports = {"blob": 0, "github": 0, "model": 0}
        self._lock = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self.state.mkdir(parents=True, exist_ok=True)
        self._lock.enter_context(_only_one(self.state, self.app_url))
        try:
            self._end_leftovers()
            if self._anew:
                _delete_all_but_the_lock(self.state)
            self.logs.mkdir(exist_ok=True)
            self._claim_ports()
            self._start_all()
        except BaseException:
            self._stop_all()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_all()

    @property
    def github_url(self) -> str:
        """Where the GitHub double answers."""
        return f"http://{LOOPBACK}:{self._ports['github']}"

    @property
    def blob_connection(self) -> str:
        """How to reach the blob storage."""
        endpoint = f"BlobEndpoint=http://{LOOPBACK}:{self._ports['blob']}/devstoreaccount1;"
        return f"DefaultEndpointsProtocol=http;{ACCOUNT};{endpoint}"

    @property
    def github(self) -> Client:
        """The controls of the GitHub double: what people do there."""
        return Client(self.github_url)

    def check(self) -> None:
        """Raise UpError when one of the processes has ended by itself."""
        for name, record in self._records.items():
            if not processes.alive(record):
                raise UpError(f"{name} has ended by itself: {self._last_words(name)}")

    def tell_findings(self) -> bool:
        """Print what was not as GitHub publishes it since the last look, and say whether there was anything."""
        found = self.github.findings()
        for what in found:
            self._console.print(f"[red]✗[/] Not as GitHub publishes it: {escape(what)}", soft_wrap=True)
        return bool(found)

    def _end_leftovers(self) -> None:
        left = [record for record in processes.all(self.state) if processes.alive(record)]
        if left:
            self._console.print(f"Ending {len(left)} processes that an earlier run was killed without ending")
        self._end(processes.all(self.state))

    def _claim_ports(self) -> None:
        if not is_free(self._app_port):
            raise UpError(
                f"port {self._app_port} is used by {holder(self._app_port)}: end that, or choose another port, "
                f"for example `make up PORT={free_port(self._app_port + 1)}`"
            )
        for name, wanted in (("blob", BLOB_PORT), ("github", GITHUB_PORT), ("model", MODEL_PORT)):
            self._ports[name] = free_port(wanted)

    def _start_all(self) -> None:
        # The first three do not need each other; the app needs them all.
        self._look_at_settings()
        first = [self._azurite(), self._model(), self._github()]
        for part in first:
            self._spawn(part)
        for part in first:
            self._await(part)
        app = self._app()
        self._spawn(app)
        self._await(app)

    def _spawn(self, part: Part) -> None:
        log = self.logs / f"{part.name}.log"
        log.write_bytes(b"")
        env = {**os.environ, "NO_PROXY": "localhost,127.0.0.1", "PYTHONUNBUFFERED": "1", **part.env}
        with later():
            self._records[part.name] = processes.spawn(
                self.state, part.command, cwd=ROOT, env=env, log=log, what=f"up: {part.name}"
            )

    def _await(self, part: Part) -> None:
        started = time.monotonic()
        with self._console.status(f"Starting {part.name} ..."):
            while not _answers(part.url):
                if not processes.alive(self._records[part.name]):
                    raise UpError(f"{part.name} did not start: {self._last_words(part.name)}")
                if time.monotonic() - started > START_TIMEOUT:
                    raise UpError(
                        f"{part.name} does not answer after {START_TIMEOUT:.0f} s: see {self._log(part.name)}"
                    )
                time.sleep(0.1)
        where = part.url.removesuffix("/admin/host/ping").removesuffix("/models").removesuffix("/_double/health")
        self._console.print(f"[green]✓[/] {part.name:<14} {where}", soft_wrap=True)

    def _stop_all(self) -> None:
        """End the app first, so that it starts nothing new, then everything that is recorded."""
        with no_interruption():
            app = self._records.get("app")
            self._end([app] if app else [])
            self._end(processes.all(self.state))
            self._lock.close()

    def _end(self, records: list[ProcessRecord]) -> None:
        if records:
            with ThreadPoolExecutor(len(records)) as pool:
                list(pool.map(lambda record: processes.stop(record, self.state), records))

    def _last_words(self, name: str) -> str:
        return f"{last_words(self.logs / f'{name}.log')} (all of it: {self._log(name)})"

    def _log(self, name: str) -> str:
        return os.path.relpath(self.logs / f"{name}.log")

    def _azurite(self) -> Part:
        if not AZURITE.exists():
            raise UpError("Azurite is not installed: run `make setup`")
        port = self._ports["blob"]
        options = ["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--location", str(self.state / "azurite")]
        command = (str(AZURITE), "--blobHost", LOOPBACK, "--blobPort", str(port), *options)
        return Part("azurite", command, f"http://{LOOPBACK}:{port}", {})

    def _model(self) -> Part:
        port = self._ports["model"]
        command = (sys.executable, "-m", "devhost.model", "--port", str(port))
        return Part("model", command, f"http://{LOOPBACK}:{port}/v1/models", {})

    def _github(self) -> Part:
        port, secret = self._ports["github"], self._secrets()["webhook"]
        hook = f"{self.app_url}/api/github/webhook"
        # With "=", since a random secret may begin with a dash and would be taken for an option.
        options = ["--root", str(self.state / "github"), "--port", str(port), "--webhook", hook, f"--secret={secret}"]
        command = (sys.executable, "-m", "devhost.github", "--check", *options)
        return Part("github", command, f"{self.github_url}/_double/health", {})

    def _app(self) -> Part:
        options = ["--app", str(ROOT), "--port", str(self._app_port), "--hub", str(self.state / "hub.sqlite")]
        command = (sys.executable, "-m", "devhost", "start", *options, "--sign-in")
        return Part("app", command, f"{self.app_url}/admin/host/ping", self._settings())

    def _settings(self) -> dict[str, str]:
        """Return the app's settings, see settings.py, and the people of the development sign-in."""
        kept = self._secrets()
        return {
            "AzureWebJobsStorage": self.blob_connection,
            "DRAWBRIDGE_BLOBS": self.blob_connection,
            "DRAWBRIDGE_CONTAINER": self.container,
            "DRAWBRIDGE_REPOSITORIES": REPOSITORY,
            "DRAWBRIDGE_RELEASE_BRANCH": MAIN,
            "DRAWBRIDGE_PUBLIC_URL": self.app_url,
            "DRAWBRIDGE_WEBHOOK_SECRET": kept["webhook"],
            "DRAWBRIDGE_LINK_SECRET": kept["links"],
            "DRAWBRIDGE_GITHUB_URL": self.github_url,
            "DRAWBRIDGE_GITHUB_TOKEN": "any",
            "DRAWBRIDGE_PEOPLE": json.dumps({login: person["email"] for login, person in PEOPLE.items()}),
            "DEVHOST_PEOPLE": json.dumps(PEOPLE),
            "DRAWBRIDGE_COMPUTE": "local",
            "DRAWBRIDGE_REGISTRY": "local",
            "DRAWBRIDGE_WEB_APP": "local",
            "DRAWBRIDGE_STATE": str(self.state),
            "DRAWBRIDGE_POLL_SECONDS": POLL_SECONDS,
            "DRAWBRIDGE_LOOK_SECONDS": LOOK_SECONDS,
            "DRAWBRIDGE_WORKER_VARIABLES": "MODEL_BASE_URL,MODEL_API_KEY,NO_PROXY",
            "MODEL_BASE_URL": f"http://{LOOPBACK}:{self._ports['model']}/v1",
            "MODEL_API_KEY": "local",
        }

    def _look_at_settings(self) -> None:
        # The app itself starts with wrong settings, and refuses whatever is asked of it.
        known = {**os.environ, **self._settings()}
        try:
            local = {name: value for name, value in local_values(ROOT).items() if not known.get(name)}
            Settings.from_env({**known, **local})
        except (SettingsError, StartError) as error:
            raise UpError(f"the settings cannot be used: {error}") from error

    def _secrets(self) -> dict[str, str]:
        """Return secrets of this state alone; they stay the same so that links survive a restart."""
        file = self.state / "secrets.json"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(json.dumps({name: secrets.token_urlsafe(32) for name in ("webhook", "links")}))
        kept: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        return kept


@contextlib.contextmanager
def _only_one(state: Path, url: str) -> Iterator[None]:
    with (state / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise UpError(f"it runs already ({lock.read().strip()}): use that one, or end it with Ctrl-C") from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, {url}")
        lock.flush()
        yield


def _delete_all_but_the_lock(state: Path) -> None:
    for entry in state.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != LOCK:
            entry.unlink()


def _answers(url: str) -> bool:
    # No proxy: it does not know our loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500  # Azurite answers 400 to a request without a signature
    except OSError:
        return False
