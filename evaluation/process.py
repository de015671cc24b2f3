"""One worker process as the supervisor sees it: messages in, events out, and an end that takes its children along."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from evaluation.light_import import quiet_environment

ROOT = Path(__file__).resolve().parent.parent
Tell = Callable[[dict[str, Any] | None], None]


class WorkerProcess:
    """Starts at once. Neither sending nor receiving ever blocks the supervisor, whatever the process does."""

    def __init__(self, setup: Mapping[str, Any], home: Path, tell: Tell) -> None:
        """Start with `setup` as first message; `tell` gets each event, on another thread, and None when it ended."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "evaluation.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=quiet_environment({**os.environ, "PYTHONPATH": str(ROOT)}, home),
            encoding="utf-8",
            process_group=0,  # what the target starts ends with it
        )
        self._outbox: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        self.send(setup)
        for work, argument in ((self._write, None), (self._read, tell)):
            threading.Thread(target=work, args=(argument,), daemon=True).start()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message, in the order of the calls. To a process that is gone it is lost."""
        self._outbox.put(message)

    def kill(self) -> None:
        """End the process and what it started, at once."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self) -> str:
        """Wait until it has ended; say how, as in "exited with status 3"."""
        status = self._process.wait()
        self._outbox.put(None)
        if status >= 0:
            return f"exited with status {status}"
        name = signal.Signals(-status).name
        return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")

    def _write(self, _: None) -> None:
        with suppress(OSError), self._process.stdin as pipe:  # type: ignore[union-attr]  # both are pipes
            while (message := self._outbox.get()) is not None:
                pipe.write(json.dumps(message) + "\n")
                pipe.flush()

    def _read(self, tell: Tell) -> None:
        with self._process.stdout as pipe:  # type: ignore[union-attr]
            for line in pipe:
                with suppress(ValueError):  # the last line of a process that was killed may be cut off
                    tell(json.loads(line))
        tell(None)
