"""Conformance case 38 through a real host process."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from devhost.durable.hub import Hub
from tests.devhost.harness import HostFailed, running_host, start_host, write_app

CODE = """
import json, pathlib
import azure.functions as func

app = func.FunctionApp()
RUNS = pathlib.Path(__file__).with_name("runs.jsonl")

def write(name: str, timer: func.TimerRequest) -> None:
    with RUNS.open("a") as file:
        file.write(json.dumps([name, timer.past_due, timer.schedule_status, timer.schedule]) + "\\n")

@app.timer_trigger(arg_name="timer", schedule="%CRON%")
def yearly(timer: func.TimerRequest) -> None:
    write("yearly", timer)

@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
async def at_start(timer: func.TimerRequest) -> None:
    write("at_start", timer)

@app.timer_trigger(arg_name="timer", schedule="* * * * * *")
def each_second(timer: func.TimerRequest) -> None:
    write("each_second", timer)
    raise ValueError("on purpose")

@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
def returns(timer: func.TimerRequest) -> None:
    return "something"
"""
ENV = {"CRON": "0 0 0 1 1 *"}


@pytest.fixture
def app_dir(tmp_path):
    return write_app(tmp_path, CODE)


def runs(app_dir: Path, name: str) -> list[list[Any]]:
    """Read what a timer function wrote."""
    path = app_dir / "runs.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [run for run in map(json.loads, lines) if run[0] == name]


def wait_for(condition: Callable[[], Any]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def test_case_38_timers_run_as_their_schedules_say(app_dir):
    """A run at start-up, none for a date far away, one each second although each fails."""
    with running_host(app_dir, env=ENV) as host:
        wait_for(lambda: len(runs(app_dir, "each_second")) >= 2)
        log = host.log

    assert len(runs(app_dir, "at_start")) == 1
    assert runs(app_dir, "yearly") == []
    assert "Function 'each_second' failed" in log
    assert f"{ENV['CRON']}, next" in log


def test_case_38_run_missed_while_the_host_was_down_is_made_up_once(app_dir, tmp_path):
    """The flag says that it is late, the status says since when."""
    hub = tmp_path / "hub.sqlite"
    missed = remember_a_run_that_was_missed(hub)

    with running_host(app_dir, hub, ENV):
        wait_for(lambda: runs(app_dir, "yearly"))
    before = len(runs(app_dir, "each_second"))
    with running_host(app_dir, hub, ENV):
        wait_for(lambda: len(runs(app_dir, "each_second")) > before)

    ((_, past_due, status, schedule),) = runs(app_dir, "yearly")
    assert past_due is True
    assert status["Next"] == missed
    assert schedule == {"AdjustForDST": True}


def remember_a_run_that_was_missed(file: Path) -> str:
    """Write what a host that ran `yearly` last year would have left; returns the occurrence that was missed since."""
    missed = datetime.now().astimezone().replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
    last = missed - timedelta(days=30)
    text = json.dumps({"Last": last.isoformat(), "Next": missed.isoformat(), "LastUpdated": last.isoformat()})
    hub = Hub(file)
    hub.open()
    asyncio.run(hub.set_note("timer yearly", text))
    hub.close()
    return missed.isoformat()


def test_case_38_bad_cron_is_an_index_error(app_dir):
    """The host does not start."""
    with pytest.raises(HostFailed, match="Function 'yearly': the schedule '0 0 25 \\* \\* \\*': 25 is not a hour"):
        start_host(app_dir, env={"CRON": "0 0 25 * * *"})


def test_timer_can_be_run_by_hand_and_may_return_nothing(app_dir):
    """The admin API runs a timer at once; a value it returns is an error."""
    with running_host(app_dir, env=ENV) as host:
        assert requests.post(f"{host.url}/admin/functions/YEARLY", json={}, timeout=10).status_code == 202
        assert requests.post(f"{host.url}/admin/functions/returns", json={}, timeout=10).status_code == 202
        assert requests.post(f"{host.url}/admin/functions/nowhere", json={}, timeout=10).status_code == 404
        wait_for(lambda: runs(app_dir, "yearly"))
        wait_for(lambda: "Function 'returns' without a $return binding returned a non-None value" in host.log)
