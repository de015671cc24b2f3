"""Detached processes, with real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from adapters import processes

ROOT = Path(__file__).parents[2]
SLEEP = ["sleep", "60"]
# Says that it is ready, then ignores TERM.
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(1, flush=True)
time.sleep(60)
"""
# Two children, one in a session of its own, as a build tool might leave it; says their pids.
FAMILY = """
import subprocess, time
near, far = subprocess.Popen(["sleep", "60"]), subprocess.Popen(["sleep", "60"], start_new_session=True)
print(near.pid, far.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def spawn(state, tmp_path):
    """Start a process with no environment but PATH."""

    def start(command, what="test", cwd=tmp_path):
        state.mkdir(exist_ok=True)
        env = {"PATH": os.environ["PATH"]}
        return processes.spawn(state, command, cwd=cwd, env=env, log=tmp_path / "log.txt", what=what)

    return start


def test_a_process_is_recorded_while_it_runs(spawn, state):
    """The record names pid, start time and purpose, and goes when the process is stopped."""
    record = spawn(SLEEP, what="web app dev")

    assert processes.alive(record)
    assert processes.all(state) == [record]
    [file] = (state / "processes").iterdir()
    assert json.loads(file.read_text()) == {
        "pid": record.pid,
        "create_time": psutil.Process(record.pid).create_time(),
        "what": "web app dev",
    }
    processes.stop(record, state)
    assert not processes.alive(record)
    assert processes.all(state) == []


def test_a_process_leads_a_session_of_its_own(spawn):
    """Ctrl-C in our terminal must not reach it."""
    record = spawn(SLEEP)

    assert os.getsid(record.pid) == record.pid != os.getsid(0)


def test_a_process_that_ended_is_not_alive_and_leaves_no_zombie(spawn, until):
    """A child that exits by itself is reaped when somebody asks for it."""
    record = spawn(["true"])

    until(lambda: not processes.alive(record))
    until(lambda: not processes.alive(record) and not psutil.pid_exists(record.pid))


def test_another_process_under_the_same_pid_is_left_alone(spawn, state):
    """A record whose pid was given to another program neither counts as alive nor ends that program."""
    other = spawn(SLEEP)
    stale = replace(other, create_time=other.create_time - 100)

    assert not processes.alive(stale)
    processes.stop(stale, state)
    assert processes.alive(other)


def test_a_process_that_ignores_term_is_killed(spawn, state, tmp_path, until):
    """TERM is only a request; after the grace comes KILL."""
    record = spawn([sys.executable, "-c", STUBBORN])
    until((tmp_path / "log.txt").read_text)

    processes.stop(record, state, grace=0.2)

    assert not processes.alive(record)


def test_stopping_ends_the_children_too(spawn, state, tmp_path, until):
    """Children die with their parent, also one that made a session of its own."""
    record = spawn([sys.executable, "-c", FAMILY])
    children = [int(pid) for pid in str(until((tmp_path / "log.txt").read_text)).split()]

    processes.stop(record, state)

    until(lambda: not any(psutil.pid_exists(pid) for pid in children))


def test_children_of_a_killed_process_are_still_found(spawn, state, tmp_path, until):
    """When the leader was killed from outside, what it left in its session is ended too."""
    record = spawn([sys.executable, "-c", FAMILY])
    child, elsewhere = [int(pid) for pid in str(until((tmp_path / "log.txt").read_text)).split()]
    os.kill(record.pid, signal.SIGKILL)
    until(lambda: psutil.Process(record.pid).status() == psutil.STATUS_ZOMBIE)

    processes.stop(record, state)

    until(lambda: not psutil.pid_exists(child))
    os.kill(elsewhere, signal.SIGKILL)  # a session of its own and no parent: nothing leads to it any more


def test_a_process_outlives_its_starter_and_is_found_by_another(state, tmp_path):
    """The starter exits; a later process reads the record, sees it alive and ends it."""
    script = (
        "import sys; from pathlib import Path; from adapters import processes; state = Path(sys.argv[1]);"
        "processes.spawn(state, ['sleep', '60'], cwd=state, env={'PATH': '/usr/bin:/bin'}, log=state / 'log', what='x')"
    )
    state.mkdir()
    subprocess.run([sys.executable, "-c", script, str(state)], cwd=ROOT, check=True)
    [record] = processes.all(state)

    assert processes.alive(record)
    processes.stop_all(state)
    assert not processes.alive(record)


def test_a_process_whose_record_was_lost_is_adopted_by_its_directory(spawn, state, tmp_path):
    """When the starter died before it kept the record, the directory tells which process it was."""
    home = tmp_path / "job"
    (home / "repository").mkdir(parents=True)
    record = spawn(SLEEP, cwd=home)
    later = spawn(SLEEP, cwd=home / "repository")
    for file in (state / "processes").iterdir():
        file.unlink()

    assert processes.adopt(state, home, "test") == record
    assert processes.all(state) == [record]
    assert processes.adopt(state, home / "repository", "test") == later
    assert processes.adopt(state, tmp_path / "other", "test") is None
