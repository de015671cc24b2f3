"""Web apps on this machine: one `pf flow serve` process per environment, which outlives the function host.

`<state>/web_apps/<environment>.json` names what is current. A deployment changes it only when the new
process is healthy; a process it does not name is a leftover, ended by the next one who deploys.
"""

from __future__ import annotations

import json
import shutil
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from adapters import probing, processes, promptflow_cli
from adapters.files import last_words, locked, write_atomically
from adapters.local_registry import LocalRegistry
from adapters.processes import ProcessRecord
from adapters.worker_environment import worker_environment
from domain import wire
from domain.errors import Invalid, Unavailable
from domain.models import Deployment, Image, Probe

START_TIMEOUT = 90.0  # seconds until a new process must be healthy; it needs about three, more on a busy machine
_HOST = "127.0.0.1"
_PORT_TAKEN = "in use by another program"  # what the server says when somebody was faster


@dataclass(frozen=True)
class _Running:
    """What an environment runs, and how to find it again."""

    deployment: Deployment
    process: ProcessRecord
    port: int
    directory: str  # its own unpacked copy of the image


class LocalWebApp:
    """Runs images, one per environment; other host processes see and change the same ones."""

    def __init__(
        self, state: Path, registry: LocalRegistry, variables: Mapping[str, str], start_timeout: float = START_TIMEOUT
    ) -> None:
        """`variables` are all that a web app's environment has beyond what a process needs to run."""
        self._state = state
        self._registry = registry
        self._variables = variables
        self._start_timeout = start_timeout
        self._apps = state / "web_apps"

    def deploy(self, environment: str, image: Image, release: str) -> Deployment:
        """Make an image the current one once it is healthy; the one before serves until then and is then ended.

        The same image for the same release again changes nothing. Raises Invalid when the image does not start,
        Unavailable when it is not healthy in time; then the one before stays.
        """
        with self._locked(environment):
            self._sweep(environment)  # of what a deployer who was killed left behind
            now = self._read(environment)
            if now and (now.deployment.release, now.deployment.image.digest) == (release, image.digest):
                return self._revived(environment, now).deployment
            return self._switch(environment, image, release, previous=now.deployment.image if now else None)

    def current(self, environment: str) -> Deployment | None:
        """Return what runs in an environment, starting it again when its process died. Raises as `deploy` does."""
        running = self._read(environment)
        if running is None or processes.alive(running.process):
            return running.deployment if running else None
        with self._locked(environment):
            running = self._read(environment)
            return self._revived(environment, running).deployment if running else None

    def roll_back(self, environment: str, to: Image | None, release: str) -> Deployment | None:
        """Undo a release's deployment: run an image again, or nothing where there was none before.

        Changes nothing when another release has been deployed since. Raises as `deploy` does.
        """
        with self._locked(environment):
            now = self._read(environment)
            if now is None or now.deployment.release != release:
                return now.deployment if now else None
            if to is None:
                self._take_down(environment)
                return None
            if now.deployment.image.digest == to.digest:
                return self._revived(environment, now).deployment
            return self._switch(environment, to, release, previous=None)

    def probe(self, environment: str, rows: Sequence[dict[str, Any]], requests: int) -> Probe:
        """Ask for health, then send real requests made from `rows`, the target's inputs; see `probing.probe`."""
        running = self._read(environment)
        if running is None:
            return Probe(False, 0, 0, (), f"nothing is deployed to {environment}")
        return probing.probe(running.deployment.url, rows, requests)

    def stop_all(self) -> None:
        """End the web apps of all environments; the next `current` starts them again."""
        for record in processes.all(self._state):
            if record.what.startswith("web app "):
                processes.stop(record, self._state)

    def _switch(self, environment: str, image: Image, release: str, previous: Image | None) -> Deployment:
        directory = uuid.uuid4().hex
        self._registry.fetch(image, self._image(environment, directory))
        try:
            process, port = self._start(environment, directory)
        except BaseException:
            shutil.rmtree(self._image(environment, directory), ignore_errors=True)
            raise
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        deployment = Deployment(environment, release, image, f"http://{_HOST}:{port}", at, previous)
        self._keep(environment, _Running(deployment, process, port, directory))
        self._sweep(environment)
        return deployment

    def _revived(self, environment: str, running: _Running) -> _Running:
        if processes.alive(running.process):
            return running
        image = self._image(environment, running.directory)
        if not image.exists():
            self._registry.fetch(running.deployment.image, image)
        process, port = self._start(environment, running.directory, running.port)
        deployment = replace(running.deployment, url=f"http://{_HOST}:{port}")
        running = replace(running, deployment=deployment, process=process, port=port)
        self._keep(environment, running)
        self._sweep(environment)
        return running

    def _start(self, environment: str, directory: str, port: int = 0) -> tuple[ProcessRecord, int]:
        image = self._image(environment, directory)
        port = _free_port(port)
        arguments = ["flow", "serve", "--source", "flow", "--host", _HOST, "--port", str(port), "--skip-open-browser"]
        process = processes.spawn(
            self._state,
            promptflow_cli.command(image / "connections.json", *arguments),
            cwd=image,
            env=worker_environment(image / "home", self._variables),
            log=self._log(environment),
            what=_what(environment),
        )
        try:
            self._await_health(process, port, self._log(environment))
        except BaseException as error:
            processes.stop(process, self._state)
            if _PORT_TAKEN in str(error):
                return self._start(environment, directory)
            raise
        return process, port

    def _await_health(self, process: ProcessRecord, port: int, log: Path) -> None:
        end = time.monotonic() + self._start_timeout
        problem: str | None = "did not open its port"
        while time.monotonic() < end:
            if not processes.alive(process):
                raise Invalid(f"the image does not start: {last_words(log)}")
            # Only its own port counts: what answers there could be another program that was faster.
            if _listens(process, port):
                problem = probing.health(f"http://{_HOST}:{port}")
                if problem is None:
                    return
            time.sleep(0.05)
        raise Unavailable(f"the image was not healthy after {self._start_timeout:g} s: {problem}; see {log.name}")

    def _take_down(self, environment: str) -> None:
        self._file(environment).unlink(missing_ok=True)
        self._sweep(environment)

    def _sweep(self, environment: str) -> None:
        """End every process of an environment but the current one, and forget unpacked images nobody runs."""
        running = self._read(environment)
        for record in processes.all(self._state):
            if record.what == _what(environment) and (running is None or record != running.process):
                processes.stop(record, self._state)
        for image in (self._apps / environment).glob("*"):
            if running is None or image.name != running.directory:
                unrecorded = processes.adopt(self._state, image, _what(environment))
                if unrecorded:
                    processes.stop(unrecorded, self._state)
                shutil.rmtree(image, ignore_errors=True)

    def _image(self, environment: str, directory: str) -> Path:
        return self._apps / environment / directory

    def _locked(self, environment: str) -> Any:
        return locked(self._apps / f".{environment}.lock")

    def _file(self, environment: str) -> Path:
        return self._apps / f"{environment}.json"

    def _log(self, environment: str) -> Path:
        self._apps.mkdir(parents=True, exist_ok=True)
        return self._apps / f"{environment}.log"

    def _read(self, environment: str) -> _Running | None:
        try:
            return wire.read(_Running, json.loads(self._file(environment).read_text()))
        except FileNotFoundError:
            return None

    def _keep(self, environment: str, running: _Running) -> None:
        write_atomically(self._file(environment), json.dumps(asdict(running)))


def _what(environment: str) -> str:
    return f"web app {environment}"


def _free_port(wanted: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, wanted))
        except OSError:
            return _free_port(0)
        return int(probe.getsockname()[1])


def _listens(process: ProcessRecord, port: int) -> bool:
    try:
        connections = psutil.Process(process.pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in connections)
