"""Start a real host process for an app directory, and stop it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LISTENING = re.compile(r"listens on http://localhost:(\d+)")


class HostFailed(Exception):
    """The host ended before it listened; the message is its log."""


@dataclass(frozen=True)
class RunningHost:
    """A host process; `url` has no trailing slash."""

    url: str
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        """All that the host has written so far."""
        return self.log_file.read_text()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it as a service manager does; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


def start_host(
    app_dir: Path,
    hub: Path | None = None,
    env: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    seconds: float = 60,
) -> RunningHost:
    """Start a host on a free port and wait until it listens; the caller ends it. Raises HostFailed."""
    hub = hub or app_dir / ".devhost" / "hub.sqlite"
    hub.parent.mkdir(parents=True, exist_ok=True)
    log_file = hub.with_name(f"{hub.name}.{time.time_ns()}.log")
    command = [sys.executable, "-m", "devhost", "start", "--app", str(app_dir), "--port", "0", "--hub", str(hub)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DEVHOST", "DRAWBRIDGE"))}
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            env=inherited | dict(env or {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    port = _wait_for_port(process, log_file, seconds)
    return RunningHost(f"http://127.0.0.1:{port}", process, log_file)


@contextlib.contextmanager
def running_host(
    app_dir: Path,
    hub: Path | None = None,
    env: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
) -> Iterator[RunningHost]:
    """Run a host for as long as the block lasts."""
    host = start_host(app_dir, hub, env, arguments)
    try:
        yield host
    finally:
        host.stop()


def wait_for_log(host: RunningHost, text: str) -> None:
    """Wait until the host's log has a text."""
    deadline = time.monotonic() + 30
    while text not in host.log:
        assert time.monotonic() < deadline, host.log
        time.sleep(0.02)


def write_app(directory: Path, code: str, host_json: str = '{"version": "2.0"}') -> Path:
    """Write a small function app and return its directory."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "function_app.py").write_text(code)
    (directory / "host.json").write_text(host_json)
    return directory


def _wait_for_port(process: subprocess.Popen[bytes], log_file: Path, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = _LISTENING.search(log_file.read_text())
        if found:
            return int(found[1])
        if process.poll() is not None:
            raise HostFailed(log_file.read_text())
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise HostFailed(f"not ready after {seconds} s:\n{log_file.read_text()}")
