"""The app in a real host process over a real Azurite, with a GitHub that accepts connections and never answers.

A release that starts here waits for GitHub as it would in life, and takes nothing from the host meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.deliveries import REPOSITORY, SECRET
from devhost.ports import LOOPBACK, free_port
from devhost.system import ACCOUNT, AZURITE

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0  # seconds until a process must listen

# The app as it is, and one trigger more that does nothing.
SCRIPT = """\
import azure.functions as func
from function_app import app


@app.route(route="bare", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def bare(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(status_code=202)
"""


@dataclass(frozen=True)
class LocalSystem:
    """What runs, and where."""

    port: int
    blobs: str  # connection string of the blob storage

    def forget_releases(self) -> None:
        """Terminate what was started, so that it does not run beside the next measurement."""
        for instance in self._running():
            self._call("POST", f"instances/{instance}/terminate?reason=measured")
        deadline = time.monotonic() + PATIENCE
        while self._running():
            if time.monotonic() > deadline:
                raise RuntimeError(f"terminated releases still run after {PATIENCE:.0f} s")
            time.sleep(0.1)
        time.sleep(0.1)

    def instances(self, query: str = "") -> list[str]:
        """List the ids of what was started; `query` narrows it down as Durable's API does."""
        found = json.loads(self._call("GET", f"instances/?showInput=false&{query}"))
        return [instance["instanceId"] for instance in found]

    def _running(self) -> list[str]:
        return self.instances("runtimeStatus=Pending,Running")

    def _call(self, method: str, path: str) -> bytes:
        url = f"http://{LOOPBACK}:{self.port}/runtime/webhooks/durabletask/{path}"
        request = urllib.request.Request(url, method=method)
        with _direct.open(request, timeout=PATIENCE) as answer:
            body: bytes = answer.read()
            return body


_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy does not know our loopback


@contextlib.contextmanager
def local_system(
    folder: Path, script: str = SCRIPT, more: Mapping[str, str] | None = None, options: Sequence[str] = ()
) -> Iterator[LocalSystem]:
    """Run the app with a bare trigger beside it for as long as the block lasts.

    `script` is another app file, `more` are further settings, `options` further options of the host.
    """
    (folder / "beside_bare.py").write_text(script)
    (folder / "host.json").write_text((ROOT / "host.json").read_text())
    blob_port, port = free_port(0), free_port(0)
    azurite = [str(AZURITE), "--blobHost", LOOPBACK, "--blobPort", str(blob_port), "--location", str(folder / "blobs")]
    azurite += ["--disableTelemetry", "--skipApiVersionCheck", "--silent"]
    with contextlib.ExitStack() as running:
        silent = running.enter_context(socket.create_server((LOOPBACK, 0), backlog=1024))
        blobs = f"BlobEndpoint=http://{LOOPBACK}:{blob_port}/devstoreaccount1;"
        connection = f"DefaultEndpointsProtocol=http;{ACCOUNT};{blobs}"
        settings = _settings(folder, connection, port, silent.getsockname()[1])
        running.enter_context(_process(azurite, folder / "azurite.log", {}, blob_port))
        running.enter_context(host_process(folder, port, {**settings, **(more or {})}, options))
        yield LocalSystem(port, connection)


def _settings(folder: Path, blobs: str, port: int, github_port: int) -> dict[str, str]:
    return {
        "PYTHONPATH": str(ROOT),
        "PYTHON_SCRIPT_FILE_NAME": "beside_bare.py",
        "AzureWebJobsStorage": blobs,
        "DRAWBRIDGE_REPOSITORIES": REPOSITORY,
        "DRAWBRIDGE_PUBLIC_URL": f"http://{LOOPBACK}:{port}",
        "DRAWBRIDGE_WEBHOOK_SECRET": SECRET,
        "DRAWBRIDGE_LINK_SECRET": "link-secret",
        "DRAWBRIDGE_GITHUB_URL": f"http://{LOOPBACK}:{github_port}",
        "DRAWBRIDGE_GITHUB_TOKEN": "any",
        "DRAWBRIDGE_STATE": str(folder / "state"),
    }


@contextlib.contextmanager
def host_process(
    folder: Path, port: int, settings: dict[str, str], options: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the Functions host over the app in a folder; yield its process once it listens."""
    command = [sys.executable, "-m", "devhost", "start", "--app", str(folder), "--port", str(port)]
    command += ["--hub", str(folder / "hub.sqlite"), *options]
    with _process(command, folder / "host.log", settings, port) as process:
        yield process


@contextlib.contextmanager
def _process(command: list[str], log: Path, settings: dict[str, str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DEVHOST", "DRAWBRIDGE"))}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=inherited | settings, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        _wait_for(process, port, log)
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        # The host binds its port before it is ready, so only an answer counts.
        with contextlib.suppress(urllib.error.HTTPError, OSError):
            with contextlib.suppress(urllib.error.HTTPError):
                _direct.open(f"http://{LOOPBACK}:{port}/admin/host/ping", timeout=1).close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"{log.stem} does not listen: {log.read_text()[-500:]}")
