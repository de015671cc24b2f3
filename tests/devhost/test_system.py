"""The whole system of one machine: it starts, it says what is in the way, and it leaves nothing behind."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import requests
from rich.console import Console

from adapters import processes
from devhost.ports import free_port
from devhost.sample_repository import BETTER, REPOSITORY, WORSE, ensure_repository, propose
from devhost.signals import ENDING, Stopped, ending_on_signals, later
from devhost.system import System, UpError

ROOT = Path(__file__).parents[2]
# One after the other: they look for free ports, and two would find the same.
pytestmark = pytest.mark.xdist_group("system")


def quiet() -> Console:
    """A console nobody reads."""
    return Console(file=io.StringIO(), width=200)


def test_the_system_runs_and_leaves_nothing_behind(tmp_path):
    """Every part answers inside the block and is held to what GitHub publishes; no process is alive after it."""
    console = quiet()
    with System(tmp_path / "state", free_port(0), console) as system:
        health = requests.get(f"{system.app_url}/api/health", timeout=30)
        repository = ensure_repository(system.github)
        numbers = [propose(system.github, repository["clone_path"], change) for change in (BETTER, WORSE)]
        records = processes.all(system.state)
        system.check()
        merged = [system.github.merge(REPOSITORY, number, by="alex")["merge_commit_sha"] for number in numbers[:1]]
        right = system.tell_findings()
        requests.get(f"{system.github_url}/repos/{REPOSITORY}/pulls?stat=all", timeout=30)
        wrong = system.tell_findings()

    assert len(records) >= 4
    assert not any(processes.alive(record) for record in records)
    assert processes.all(tmp_path / "state") == []
    assert numbers == [1, 2]
    assert all(merged)
    assert (right, wrong) == (False, True)
    assert isinstance(console.file, io.StringIO)
    assert "Not as GitHub publishes it: GET" in console.file.getvalue()
    # Before the first repository exists the app says that it cannot reach it, and so that it is asked at all.
    assert set(health.json()["checks"]) >= {"blobs", "github"}


def test_what_a_killed_supervisor_left_is_ended_by_the_next(tmp_path):
    """After kill -9 the parts live on; the next start ends them before it begins."""
    state = tmp_path / "state"
    command = [sys.executable, "-m", "devhost.up", "--state", str(state), "--port", str(free_port(0))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as supervisor:
        try:
            assert supervisor.stdout
            for line in supervisor.stdout:
                if "Everything runs" in line:
                    break
        finally:
            supervisor.kill()
    orphans = processes.all(state)
    assert any(processes.alive(record) for record in orphans)

    with System(state, free_port(0), quiet()) as system:
        kept = system.github.repository(REPOSITORY)

    assert not any(processes.alive(record) for record in orphans)
    assert BETTER.branch in kept["heads"]  # the state itself lives on


def test_sigterm_ends_everything_and_says_so(tmp_path):
    """SIGTERM, at a moment when parts are still starting, is as good as Ctrl-C."""
    state = tmp_path / "state"
    command = [sys.executable, "-m", "devhost.up", "--state", str(state), "--port", str(free_port(0))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as supervisor:
        give_up = time.monotonic() + 60
        while not processes.all(state) and time.monotonic() < give_up:
            time.sleep(0.05)
        children = psutil.Process(supervisor.pid).children(recursive=True)
        supervisor.send_signal(signal.SIGTERM)
        said, _ = supervisor.communicate(timeout=60)

    assert supervisor.returncode == 0  # for `make up` this is the ordinary end
    assert said.endswith("Stopped, nothing is left running.\n")
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert not any(str(state) in " ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"]))


def test_a_secret_that_looks_like_an_option_is_still_a_secret(tmp_path):
    """One in sixty-four random secrets begins with a dash."""
    tmp_path.joinpath("secrets.json").write_text(json.dumps({"webhook": "-x", "links": "--y"}))

    assert "--secret=-x" in System(tmp_path, free_port(0), quiet())._github().command


def test_a_signal_waits_until_a_process_is_recorded():
    """It is not lost, and it does not come between the start and the record."""
    recorded = []

    def start() -> None:
        with later():
            signal.raise_signal(signal.SIGINT)
            recorded.append("process")

    with ending_on_signals(), pytest.raises(Stopped):
        start()

    assert recorded == ["process"]


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_while_a_class_is_made_leaves_the_exit_status_alone(tmp_path, number):
    """Making a dataclass executes a text; a KeyboardInterrupt out of one would end `python -m` by SIGINT at last."""
    program = f"""
import signal, sys
from rich.console import Console
from devhost.up import run_until_stopped
sys.exit(run_until_stopped(Console(), lambda: exec("signal.raise_signal({int(number)})"), stopped=0))
"""
    tmp_path.joinpath("interrupted.py").write_text(program)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", "interrupted"]

    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as ended:
        said, _ = ended.communicate(timeout=60)

    assert (ended.returncode, said) == (0, "Stopped, nothing is left running.\n")


def test_a_busy_port_names_its_holder_and_a_way_out(tmp_path):
    """One line: who holds the port, and the command that uses another one."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(UpError, match=rf"port {port} is used by .*process {os.getpid()}.*make up PORT=\d+"):
            System(tmp_path / "state", port, quiet()).__enter__()

    assert processes.all(tmp_path / "state") == []


def test_wrong_settings_end_the_start_before_anything_runs(tmp_path):
    """`make up` prints what to mend and ends with status 1; the app itself would start and refuse everything."""
    command = [sys.executable, "-m", "devhost.up", "--state", str(tmp_path), "--port", str(free_port(0))]
    env = {**os.environ, "DRAWBRIDGE_TIMEZONE": "Berlin", "DRAWBRIDGE_NIGHTLY_AT": "one"}

    ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 1
    assert ended.stdout == (
        "✗ the settings cannot be used: DRAWBRIDGE_NIGHTLY_AT is 'one': expected hours and minutes such as 01:00; "
        "DRAWBRIDGE_TIMEZONE is 'Berlin': expected a time zone such as Europe/Berlin\n"
    )
    assert processes.all(tmp_path) == []


def test_two_cannot_share_one_state(tmp_path, monkeypatch):
    """The second start refuses instead of ending the processes of the first."""
    monkeypatch.setattr(System, "_start_all", lambda _self: None)
    second = System(tmp_path, free_port(0), quiet())

    with (
        System(tmp_path, free_port(0), quiet()) as first,
        pytest.raises(UpError, match=rf"it runs already \(process {os.getpid()}, {first.app_url}\)"),
    ):
        second.__enter__()


def test_a_new_state_forgets_the_old_one(tmp_path, monkeypatch):
    """The demo begins from nothing each time."""
    monkeypatch.setattr(System, "_start_all", lambda _self: None)
    (tmp_path / "github").mkdir()
    (tmp_path / "github" / "state.json").write_text("{}")
    (tmp_path / "hub.sqlite").write_text("")

    with System(tmp_path, free_port(0), quiet(), anew=True):
        left = {entry.name for entry in tmp_path.iterdir()}

    assert left == {"up.lock", "logs"}


def test_a_part_that_does_not_start_is_named_with_its_last_words(tmp_path, monkeypatch):
    """The reason stands in the message, the rest in the log it names."""
    monkeypatch.setattr("devhost.system.AZURITE", Path("/bin/false"))

    with pytest.raises(UpError, match=r"azurite did not start: it printed nothing \(all of it: .*azurite\.log\)"):
        System(tmp_path / "state", free_port(0), quiet()).__enter__()

    assert processes.all(tmp_path / "state") == []
