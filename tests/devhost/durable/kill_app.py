"""A function app whose story has a fan-out, timers, retries, children and generations; run by the kill tests.

Every activity writes a line before it returns, so that a test can tell what ran from what was committed.
"""

import os
import time
import uuid
from datetime import timedelta
from pathlib import Path

import azure.durable_functions as df

app = df.DFApp()
RETRY = df.RetryOptions(first_retry_interval_in_milliseconds=20, max_number_of_attempts=4)
PACE = float(os.environ.get("STORY_PACE", "1"))


@app.orchestration_trigger(context_name="context")
def story(context):
    context.set_custom_status("fan-out")
    fan = yield context.task_all([context.call_activity("effect", f"fan-{n}") for n in range(8)])
    yield context.create_timer(context.current_utc_datetime + timedelta(seconds=0.3 * PACE))
    context.set_custom_status("children")
    children = [context.call_sub_orchestrator("child", n, f"{context.instance_id}-child-{n}") for n in range(3)]
    children.append(context.call_sub_orchestrator("generations", {"left": 3, "keys": []}))
    told = yield context.task_all(children)
    deadline = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
    last = context.call_activity("effect", "last")
    yield context.task_any([deadline, last])
    deadline.cancel()
    return {"fan": fan, "children": told, "last": last.result}


@app.orchestration_trigger(context_name="context")
def child(context):
    n = context.get_input()
    steady = yield context.call_activity("effect", f"child-{n}")
    yield context.create_timer(context.current_utc_datetime + timedelta(seconds=0.1 * PACE * n))
    flaky = yield context.call_activity_with_retry("flaky", RETRY, f"flaky-{n}")
    return [steady, flaky]


@app.orchestration_trigger(context_name="context")
def generations(context):
    state = context.get_input()
    key = yield context.call_activity("effect", f"generation-{state['left']}")
    keys = [*state["keys"], key]
    if state["left"]:
        context.continue_as_new({"left": state["left"] - 1, "keys": keys})
        return None
    return keys


@app.activity_trigger(input_name="name")
def effect(name):
    time.sleep(0.02 * PACE)
    return _write(name)


@app.activity_trigger(input_name="name")
def flaky(name):
    line = _write(name)
    ran = sum(each.startswith(f"{name} ") for each in _effects().read_text().splitlines())
    if ran < 2:
        raise RuntimeError("not yet")
    return line


def _write(name: str) -> str:
    line = f"{name} {uuid.uuid4().hex}"
    with _effects().open("a") as file:
        file.write(line + "\n")
    return line


def _effects() -> Path:
    return Path(os.environ["EFFECTS"])
