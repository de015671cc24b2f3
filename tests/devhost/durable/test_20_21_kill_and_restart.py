"""Conformance cases 20 and 21, and a host that is killed at many points: nothing is lost, nothing done twice."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from devhost.durable.history import Event, Kind, Status, read_timestamp
from tests.devhost.harness import ROOT, RunningHost, start_host, write_app

KILL_APP = Path(__file__).with_name("kill_app.py")
API = "/runtime/webhooks/durabletask"
SCHEDULING = {Kind.TASK_SCHEDULED, Kind.CHILD_CREATED, Kind.TIMER_CREATED}
COMPLETING = {
    Kind.TASK_COMPLETED: "TaskScheduledId",
    Kind.TASK_FAILED: "TaskScheduledId",
    Kind.CHILD_COMPLETED: "TaskScheduledId",
    Kind.CHILD_FAILED: "TaskScheduledId",
    Kind.TIMER_FIRED: "TimerId",
}

SLOW_APP = """
import os, time
from datetime import timedelta
from pathlib import Path
import azure.durable_functions as df

app = df.DFApp()

@app.orchestration_trigger(context_name="context")
def works(context):
    return (yield context.call_activity("slow", "x"))

@app.orchestration_trigger(context_name="context")
def waits(context):
    yield context.create_timer(context.current_utc_datetime + timedelta(hours=1))
    return context.current_utc_datetime.isoformat()

@app.activity_trigger(input_name="x")
def slow(x):
    runs = Path(os.environ["EFFECTS"])
    with runs.open("a") as file:
        file.write("run\\n")
    if len(runs.read_text().splitlines()) == 1:
        time.sleep(60)
    return "done"
"""


def test_case_20_an_activity_killed_midway_runs_again(tmp_path):
    """The host dies inside the activity; after the restart the activity runs once more and the instance completes."""
    app, env = write_app(tmp_path / "app", SLOW_APP), {"EFFECTS": str(tmp_path / "runs")}
    host = start_host(app, env=env)
    try:
        begin(host, "works")
        wait_until((tmp_path / "runs").exists)
        host.kill()
        host = start_host(app, env=env)
        status = wait_for_end(host, "works")
    finally:
        host.kill()

    assert (status["runtimeStatus"], status["output"]) == ("Completed", "done")
    assert (tmp_path / "runs").read_text() == "run\nrun\n"


def test_case_21_a_timer_that_came_due_while_the_host_was_dead_fires_at_once(tmp_path):
    """The hour passes without a host; the next one finishes the instance as soon as it is up."""
    app = write_app(tmp_path / "app", SLOW_APP)
    host = start_host(app)
    hub = app / ".devhost" / "hub.sqlite"
    try:
        begin(host, "waits")
        wait_until(lambda: any(event["EventType"] == Kind.TIMER_CREATED for event in histories(hub).get("waits", [])))
        host.kill()
        move_timers_back(hub, seconds=3600)
        host = start_host(app)
        status = wait_for_end(host, "waits")
    finally:
        host.kill()

    assert status["runtimeStatus"] == "Completed"


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_host_loses_nothing_and_repeats_nothing(tmp_path, seed):
    """Three real kills of the whole host; then the story ends with one completion for everything it scheduled."""
    moments = random.Random(seed)
    app, env = write_app(tmp_path / "app", KILL_APP.read_text()), {"EFFECTS": str(tmp_path / "effects")}
    hub = app / ".devhost" / "hub.sqlite"
    host = start_host(app, env=env)
    try:
        begin(host, "story")
        for _ in range(3):
            time.sleep(moments.uniform(0, 0.7))
            host.kill()
            host = start_host(app, env=env)
        status = wait_for_end(host, "story")
        host.stop()
    finally:
        host.kill()

    assert status["runtimeStatus"] == "Completed", status
    check_story(hub, tmp_path / "effects", status["output"])


@pytest.mark.parametrize("seed", range(8))
def test_an_engine_killed_at_seeded_moments_loses_nothing_and_repeats_nothing(tmp_path, seed):
    """Six more kills for each seed, of processes that are up sooner; the story ends all the same."""
    lives, output = live_and_die(tmp_path, "seed", seed, pace=1)

    assert lives > 6
    check_story(tmp_path / "hub", tmp_path / "effects", output)


@pytest.mark.parametrize(("moment", "number"), [("before", 1), ("after", 0)])
def test_dying_around_every_single_commit_changes_nothing(tmp_path, moment, number):
    """Each life of the process commits once and is killed at that commit or the next; the story ends all the same."""
    lives, output = live_and_die(tmp_path, moment, number, pace=0)

    assert lives > 10
    check_story(tmp_path / "hub", tmp_path / "effects", output)


def live_and_die(directory, moment, number, pace):
    """Let the story live through many deaths; returns how many lives it took, and its output."""
    env = os.environ | {"EFFECTS": str(directory / "effects"), "STORY_PACE": str(pace), "PYTHONPATH": str(ROOT)}
    hub = directory / "hub"
    command = [sys.executable, str(KILL_APP.with_name("kill_runner.py")), str(hub), moment, str(number)]
    ended = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, check=False, text=True)
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout), json.loads(read(hub, "SELECT output FROM instances WHERE id = 'story'")[0][0])


def check_story(hub, effects, output):
    """Check every history, the inboxes, and that each result is the one that was committed."""
    ran = Counter(effects.read_text().splitlines())
    committed = [*output["fan"], *(line for told in output["children"] for line in told), output["last"]]
    names = [line.split()[0] for line in committed]
    assert names[:8] == [f"fan-{n}" for n in range(8)]
    assert names[8:14] == ["child-0", "flaky-0", "child-1", "flaky-1", "child-2", "flaky-2"]
    assert names[14:] == ["generation-3", "generation-2", "generation-1", "generation-0", "last"]
    assert all(ran[line] == 1 for line in committed)
    assert {status for (status,) in read(hub, "SELECT status FROM instances")} == {Status.COMPLETED}
    assert len(read(hub, "SELECT id FROM instances")) == 5
    assert read(hub, "SELECT * FROM messages") == read(hub, "SELECT * FROM work") == []
    for history in histories(hub).values():
        check_history(history)


def check_history(history):
    """Check that one generation is whole: framed episodes, each scheduled thing completed once, time never back."""
    kinds = [event["EventType"] for event in history]
    assert kinds[:2] == [Kind.ORCHESTRATOR_STARTED, Kind.EXECUTION_STARTED]
    assert kinds[-2:] == [Kind.EXECUTION_COMPLETED, Kind.ORCHESTRATOR_COMPLETED]
    assert kinds.count(Kind.ORCHESTRATOR_STARTED) == kinds.count(Kind.ORCHESTRATOR_COMPLETED)
    starts = [event["Timestamp"] for event in history if event["EventType"] == Kind.ORCHESTRATOR_STARTED]
    assert starts == sorted(starts)
    scheduled = [event["EventId"] for event in history if event["EventType"] in SCHEDULING]
    completed = [event[COMPLETING[event["EventType"]]] for event in history if event["EventType"] in COMPLETING]
    cancelled = [
        event["EventId"] for event in history if event["EventType"] == Kind.TIMER_CREATED and is_cancelled(event)
    ]
    assert scheduled == list(range(len(scheduled)))
    assert sorted(completed + cancelled) == scheduled


def is_cancelled(timer):
    """Tell the story's deadline of an hour from the timers that fire."""
    return read_timestamp(timer["FireAt"]) - read_timestamp(timer["Timestamp"]) > timedelta(minutes=30)


def begin(host: RunningHost, name: str) -> None:
    """Start an orchestrator under its own name as id."""
    answer = requests.post(f"{host.url}{API}/orchestrators/{name}/{name}", timeout=10)
    assert answer.status_code == 202, answer.text


def wait_for_end(host: RunningHost, instance_id: str, seconds: float = 60):
    """Ask until the instance has finished; returns its status."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = requests.get(f"{host.url}{API}/instances/{instance_id}", timeout=10)
        if answer.status_code != 202:
            return answer.json()
        time.sleep(0.05)
    raise AssertionError(f"{instance_id} did not end:\n{answer.text}\n{host.log}")


def wait_until(holds, seconds: float = 30) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def read(hub: Path, query: str):
    """Ask the hub's file."""
    connection = sqlite3.connect(hub)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def histories(hub: Path):
    """Read all histories by instance."""
    found: dict[str, list[Event]] = {}
    for instance_id, text in read(hub, "SELECT instance_id, event FROM history ORDER BY instance_id, position"):
        found.setdefault(instance_id, []).append(json.loads(text))
    return found


def move_timers_back(hub: Path, seconds: float) -> None:
    """Let time pass for a hub that no host has open."""
    connection = sqlite3.connect(hub)
    connection.execute("UPDATE messages SET visible_at = visible_at - ?", (seconds,))
    connection.commit()
    connection.close()
