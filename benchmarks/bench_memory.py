"""Memory: the most that the Functions host and one evaluation worker hold during the demo.

Beside the host, an empty function app in the same host; beside a worker, a process that imports the same SDKs.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from benchmarks.local_system import ROOT, host_process
from devhost.ports import free_port

EVERY = 0.2  # seconds between two samples
LONGEST = 900.0  # seconds
MEGABYTE = 2**20
# By what their command lines say. The supervisor of a job holds no target and no evaluator.
ROLES = {
    "host": ("devhost", "start"),
    "worker": ("evaluation.worker",),
    "supervisor": ("evaluation", "job"),
    "web app": ("serve",),
}
EMPTY = "import azure.durable_functions as df\nimport azure.storage.blob\n\napp = df.DFApp()\n"
WORKER_SDKS = "import promptflow.core, promptflow.executor, psutil; from azure.ai.evaluation import F1ScoreEvaluator"


def main(runs: int) -> list[dict[str, Any]]:
    """Run the demo once, for it takes minutes, and the peers as often as asked."""
    with tempfile.TemporaryDirectory() as folder:
        peaks, seconds = _during_demo(Path(folder))
    host = statistics.median(_empty_host() for _ in range(runs))
    worker = statistics.median(_sdks_alone() for _ in range(runs))
    note = f"RSS every {EVERY:g} s through one demo of {seconds:.0f} s, two releases"
    others = ", ".join(f"{role} {peaks[role] / MEGABYTE:.0f} MB" for role in ("supervisor", "web app") if role in peaks)
    return [
        _row("the Functions host", peaks["host"], "empty function app, same host", host, note),
        _row("one evaluation worker", peaks["worker"], "a process with the same SDKs", worker, f"{note}; {others}"),
    ]


def _row(who: str, ours: float, peer: str, theirs: float, note: str) -> dict[str, Any]:
    return {
        "name": f"peak memory of {who}",
        "ours": f"{ours / MEGABYTE:.0f} MB",
        "peer": f"{peer}: {theirs / MEGABYTE:.0f} MB",
        "ratio": ours / theirs,
        "goal": None,
        "note": note,
    }


def _during_demo(folder: Path) -> tuple[dict[str, int], float]:
    """Return the most bytes that one process of each role held, and how long the demo took."""
    log = folder / "demo.log"
    peaks: dict[str, int] = {}
    started = time.monotonic()
    with _demo(folder / "state", log) as demo:
        while demo.poll() is None:
            if time.monotonic() - started > LONGEST:
                raise RuntimeError(f"the demo is not over after {LONGEST:.0f} s")
            for role, rss in _members(psutil.Process(demo.pid)):
                peaks[role] = max(rss, peaks.get(role, 0))
            time.sleep(EVERY)
    if demo.returncode != 0:
        raise RuntimeError(f"the demo ended with {demo.returncode}: {log.read_text()[-300:]}")
    return peaks, time.monotonic() - started


@contextlib.contextmanager
def _demo(state: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "devhost.demo", "--state", str(state)]
    with log.open("wb") as output:
        demo = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield demo
    finally:
        demo.terminate()  # it ends what it has started
        demo.wait()


def _members(demo: psutil.Process) -> Iterator[tuple[str, int]]:
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in demo.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                role = _role(process.cmdline())
                if role:
                    yield role, process.memory_info().rss


def _role(command: list[str]) -> str | None:
    return next((role for role, words in ROLES.items() if all(word in command for word in words)), None)


def _empty_host() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "function_app.py").write_text(EMPTY)
        (folder / "host.json").write_text((ROOT / "host.json").read_text())
        with host_process(folder, free_port(0), {}) as host:
            return int(psutil.Process(host.pid).memory_info().rss)


def _sdks_alone() -> int:
    code = f"{WORKER_SDKS}; print(psutil.Process().memory_info().rss)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return int(json.loads(done.stdout.splitlines()[-1]))
