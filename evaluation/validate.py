"""Validate a repository: its own commands, that its flow loads, a few sample rows from end to end."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from domain.errors import DrawbridgeError, Invalid
from evaluation.pool import Crew, Pool
from evaluation.shard import Progress, Shard, run_shard

_TAIL = 4000  # characters of a command's output that are kept
_COMMAND_TIMEOUT = 900.0  # seconds for one command
_ROWS_NAMED = 20  # in the one line
_LONGEST_ID = 40  # characters: without an id of its own a row could be named by anything
_NOT_DONE = "it cannot be done, and the log says why"


@dataclass(frozen=True)
class Step:
    """One step of a validation and what a person needs to see of it."""

    step: str
    ok: bool
    seconds: float
    output_tail: str
    error: str = ""  # the failure in one line, fit for GitHub: no output, no text of a row

    def line(self) -> dict[str, Any]:
        """Return the step as a line of results.jsonl."""
        line = asdict(self)
        del line["error"]
        return line


@dataclass(frozen=True)
class Validation:
    """What to validate, by plain values of the config."""

    repository: Path
    commands: tuple[str, ...]
    target: Mapping[str, Any]
    sample: str | None
    columns: Mapping[str, Any]
    crew: Crew

    @property
    def steps(self) -> int:
        """How many steps there are when none fails."""
        return len(self.commands) + (2 if self.sample else 1)


def validate(validation: Validation, home: Path) -> Iterator[Step]:
    """Yield each step when it is done; the first that fails is the last."""
    steps: list[Callable[[], Step]] = [
        *(lambda command=command: _run_command(command, validation.repository) for command in validation.commands),
        lambda: _load_flow(validation, home),
    ]
    if validation.sample:
        steps.append(lambda: _run_sample(validation, validation.sample or "", home))
    for run in steps:
        step = run()
        yield step
        if not step.ok:
            return


def _run_command(command: str, repository: Path, timeout: float = _COMMAND_TIMEOUT) -> Step:
    """Run one command without a shell, in a process group of its own that ends with it."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        try:
            failure = _wait(shlex.split(command), repository, output, timeout)
        except OSError as error:
            failure = f"cannot be started: {error.strerror or error}"
        tail = _read_tail(output)
    reason = f"`{command}` {failure}" if failure else ""
    return Step(command, not failure, round(time.monotonic() - started, 3), tail, reason)


def _wait(arguments: list[str], repository: Path, output: BinaryIO, timeout: float) -> str:
    """Return how the command failed, or nothing."""
    process = subprocess.Popen(
        arguments,
        cwd=repository,
        env=_command_environment(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        process_group=0,
    )
    try:
        status = process.wait(timeout)
    except subprocess.TimeoutExpired:
        return f"was ended because it took longer than {timeout:g} s"
    finally:
        _end_group(process)
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"failed with exit status {status}" if status else ""


def _command_environment() -> dict[str, str]:
    """Offer the tools installed beside Drawbridge, but not its modules: `import settings` is the repository's."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, "PATH": path}


def _end_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # nothing is left of it
    finally:
        process.wait()


def _read_tail(output: BinaryIO) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _TAIL * 4))
    return output.read().decode("utf-8", "replace")[-_TAIL:]


def _load_flow(validation: Validation, home: Path) -> Step:
    setup = {
        "repository": str(validation.repository),
        "target": dict(validation.target),
        "evaluators": {},
    }
    return _checked("load the target", lambda: _load(setup, validation.columns, home))


def _load(setup: Mapping[str, Any], columns: Mapping[str, Any], home: Path) -> str:
    with Pool(setup, columns, Crew(workers=1, concurrency=1), home) as pool:
        inputs = pool.load()
    return f"inputs: {', '.join(inputs) or 'none'}"


def _run_sample(validation: Validation, sample: str, home: Path) -> Step:
    shard = Shard(
        repository=validation.repository,
        target=validation.target,
        dataset=sample,
        evaluators={},
        columns=validation.columns,
        crew=validation.crew,
    )

    def run() -> str:
        errors: dict[str, str] = {}
        try:
            end = run_shard(shard, None, home, lambda progress: _collect(progress, errors))
        except Invalid as error:
            line = re.match(rf"{re.escape(sample)}:(\d+): ", str(error))
            raise _Failed(str(error), f"line {line[1]} cannot be used" if line else _NOT_DONE) from error
        if errors:
            said = "\n".join(f"row {name}: {error}" for name, error in errors.items())
            raise _Failed(said, f"{len(errors)} of {end.total} sample rows failed: {_shown(list(errors))}")
        return f"{end.total} rows answered"

    return _checked(f"sample rows {sample}", run)


class _Failed(DrawbridgeError):
    """A step failed: all there is to say, for the log, and what may be said where anybody reads it."""

    def __init__(self, said: str, in_short: str) -> None:
        super().__init__(said)
        self.in_short = in_short


def _shown(ids: list[str]) -> str:
    more = f" and {len(ids) - _ROWS_NAMED} more" if len(ids) > _ROWS_NAMED else ""
    return ", ".join(name[:_LONGEST_ID] for name in ids[:_ROWS_NAMED]) + more


def _collect(progress: Progress, errors: dict[str, str]) -> None:
    if progress.last and progress.last["error"]:
        errors[str(progress.last["id"])] = str(progress.last["error"])


def _checked(name: str, run: Callable[[], str]) -> Step:
    started = time.monotonic()
    try:
        tail, failure = run(), ""
    except _Failed as error:
        tail, failure = str(error), error.in_short
    except DrawbridgeError as error:
        tail, failure = str(error), _NOT_DONE
    reason = f"{name}: {failure}" if failure else ""
    return Step(name, not failure, round(time.monotonic() - started, 3), tail[-_TAIL:], reason)
