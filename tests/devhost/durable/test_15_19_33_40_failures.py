"""Conformance cases 15 to 19, 33 to 36: failures, sub-orchestrations, new generations, replays."""

import asyncio
import functools
import json
import logging
import threading
from datetime import timedelta

import azure.durable_functions as df

from devhost.durable.history import Kind
from tests.devhost.durable.world import eventually, world


def failing_app():
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def careless(context):
        yield context.call_activity("explode", "x")

    @app.orchestration_trigger(context_name="context")
    def careful(context):
        tasks = [context.call_activity(name, name) for name in ("explode", "echo", "echo")]
        try:
            yield context.task_all(tasks)
        except Exception as error:
            first = str(error)
        return [first.split(" \n ", maxsplit=1)[0], (yield tasks[1]), (yield tasks[2])]

    @app.orchestration_trigger(context_name="context")
    def parent(context):
        try:
            yield context.call_sub_orchestrator("careless")
        except Exception as error:
            reason = str(error)
        return [reason, (yield context.call_activity("echo", "went on"))]

    @app.activity_trigger(input_name="word")
    def explode(word):
        raise KeyError("key")

    @app.activity_trigger(input_name="word")
    def echo(word):
        return word

    return app


def test_case_15_an_uncaught_activity_failure_fails_the_instance_in_azures_words(tmp_path):
    """The output names orchestrator, activity, type and message; the details are one line of .NET JSON."""

    async def story():
        async with world(failing_app(), tmp_path / "hub") as here:
            status = await here.run("careless")
            return status, await here.of_kind(status.instance_id, Kind.TASK_FAILED)

    status, [failed] = asyncio.run(story())
    details = json.loads(failed["Details"])

    assert status.runtime_status.name == "Failed"
    assert status.output.startswith(
        "Orchestrator function 'careless' failed: Activity function 'explode' failed:  KeyError: 'key' \n {"
    )
    assert failed["Reason"] == "Activity function 'explode' failed:  KeyError: 'key'"
    assert failed["FailureDetails"] is None
    assert details["Message"] == " KeyError: 'key'"
    assert details["ClassName"] == "System.Exception"
    assert 'raise KeyError("key")' in details["StackTraceString"]
    assert {"$type", "InnerException", "HResult", "Source"} <= set(details)
    assert "\n" not in failed["Details"]


def test_case_16_results_after_a_caught_fan_out_failure_are_delivered(tmp_path):
    """When task_all failed and was caught, the other tasks can still be yielded for their results."""

    async def story():
        async with world(failing_app(), tmp_path / "hub") as here:
            return (await here.run("careful")).output

    output = asyncio.run(story())

    assert output == ["Activity function 'explode' failed:  KeyError: 'key'", "echo", "echo"]


def test_case_17_a_child_without_an_id_is_named_after_its_parent(tmp_path):
    """Its id is the parent's execution id and its number, and it sees its parent's id."""
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def parent(context):
        yield context.call_activity("nothing")
        return (yield context.call_sub_orchestrator("child", {"n": 1}))

    @app.orchestration_trigger(context_name="context")
    def child(context):
        yield context.call_activity("nothing")
        return [context.instance_id, context.parent_instance_id, context.get_input()]

    @app.activity_trigger(input_name="x")
    def nothing(x):
        return None

    async def story():
        async with world(app, tmp_path / "hub") as here:
            status = await here.run("parent", None, "the-parent")
            return status, (await here.operations.status("the-parent")).execution_id

    status, execution_id = asyncio.run(story())

    assert status.output == [f"{execution_id}:1", "the-parent", {"n": 1}]


def test_case_18_a_failed_child_can_be_caught(tmp_path):
    """The parent sees the child's failure text and goes on."""

    async def story():
        async with world(failing_app(), tmp_path / "hub") as here:
            return (await here.run("parent")).output

    reason, after = asyncio.run(story())

    assert reason.startswith("Orchestrator function 'careless' failed: Activity function 'explode' failed:  KeyError")
    assert after == "went on"


def test_case_19_continue_as_new_keeps_the_id_and_begins_a_fresh_history(tmp_path):
    """Five generations under one id; the last one's history holds nothing of the ones before."""
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def again(context):
        n = context.get_input()
        yield context.call_activity("nothing")
        if n < 5:
            context.continue_as_new(n + 1)
            return None
        return f"after {n}"

    @app.activity_trigger(input_name="x")
    def nothing(x):
        return None

    async def story():
        async with world(app, tmp_path / "hub") as here:
            status = await here.run("again", 0, "eternal")
            return status, await here.history("eternal"), len(here.invoker.acted)

    status, history, acted = asyncio.run(story())

    assert (status.instance_id, status.output) == ("eternal", "after 5")
    assert acted == 6
    assert [event["EventType"] for event in history] == [12, 0, 4, 13, 12, 5, 1, 13]
    assert history[1]["Input"] == '"5"'


def test_an_event_after_continue_as_new_reaches_the_next_generation(tmp_path):
    """Events sent one by one while the orchestrator keeps continuing as new are all handled, in order."""
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def collector(context):
        seen = context.get_input()
        seen.append((yield context.wait_for_external_event("item")))
        if len(seen) == 5:
            return seen
        context.continue_as_new(seen)
        return None

    async def story():
        async with world(app, tmp_path / "hub") as here:
            await here.client.start_new("collector", "c", [])
            for n in range(5):
                generation = (await here.operations.status("c")).execution_id
                await here.client.raise_event("c", "item", n)
                if n < 4:
                    await eventually(functools.partial(has_left, here, generation))
            return (await here.end_of("c")).output

    async def has_left(here, generation):
        return (await here.operations.status("c")).execution_id != generation

    assert asyncio.run(story()) == ["0", "1", "2", "3", "4"]


def test_case_33_an_orchestrator_changed_between_episodes_fails_as_non_deterministic(tmp_path):
    """Calling b where history has a fails the instance and names both."""
    app = df.DFApp()
    order = ["a", "b"]

    @app.orchestration_trigger(context_name="context")
    def fickle(context):
        for name in list(order):
            yield context.call_activity(name)

    @app.activity_trigger(input_name="x")
    def a(x):
        order.reverse()
        return "a"

    @app.activity_trigger(input_name="x")
    def b(x):
        return "b"

    async def story():
        async with world(app, tmp_path / "hub") as here:
            return await here.run("fickle")

    status = asyncio.run(story())

    assert status.runtime_status.name == "Failed"
    assert "Non-Deterministic workflow detected" in status.output
    assert "sequence ID 0 and name 'a'" in status.output
    assert "produced activity 'b'" in status.output


def test_an_orchestrator_that_lost_a_step_fails_as_non_deterministic(tmp_path):
    """A step that history has and the code no longer takes is named with its number."""
    app = df.DFApp()
    steps = ["a", "b"]

    @app.orchestration_trigger(context_name="context")
    def shorter(context):
        yield context.task_all([context.call_activity(name) for name in list(steps)])

    @app.activity_trigger(input_name="x")
    def a(x):
        steps[1:] = []

    @app.activity_trigger(input_name="x")
    def b(x):
        steps[1:] = []

    async def story():
        async with world(app, tmp_path / "hub") as here:
            return (await here.run("shorter")).output

    assert "sequence ID 1 and name 'b', but the current replay execution hasn't (yet?) scheduled" in asyncio.run(
        story()
    )


def test_case_34_an_unknown_activity_fails_the_instance_with_the_known_names(tmp_path, caplog):
    """Where Azure hangs, the instance fails in the extension's words and the log says what Azure does."""
    app = failing_app()

    @app.orchestration_trigger(context_name="context")
    def lost(context):
        yield context.call_activity("nowhere")

    async def story():
        async with world(app, tmp_path / "hub") as here:
            return await here.run("lost")

    status = asyncio.run(story())

    assert status.runtime_status.name == "Failed"
    assert "The function 'nowhere' doesn't exist, is disabled, or is not an activity function." in status.output
    assert "known activity functions: 'echo', 'explode'" in status.output
    assert "on Azure the instance hangs instead" in caplog.text


def test_an_error_outside_the_generator_fails_with_its_true_message(tmp_path):
    """An orchestrator that is no generator and raises gives no actions; its own words are shown."""
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def plain(context):
        raise RuntimeError("not even started")

    async def story():
        async with world(app, tmp_path / "hub") as here:
            return await here.run("plain")

    status = asyncio.run(story())

    assert status.runtime_status.name == "Failed"
    assert status.output == "Orchestrator function 'plain' failed: not even started"


class Box:
    """A class with the SDK's own JSON hooks."""

    def __init__(self, size):
        self.size = size

    @staticmethod
    def to_json(box):
        return {"size": box.size}

    @staticmethod
    def from_json(data):
        return Box(data["size"])


def test_case_35_an_orchestrator_may_not_return_a_custom_class(tmp_path):
    """Custom classes pass in and out of activities; as an orchestrator's output they fail it."""
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def boxes(context):
        box = yield context.call_activity("grow", Box(1))
        return box if context.get_input() else box.size

    @app.activity_trigger(input_name="box")
    def grow(box):
        return Box(box.size + 1)

    async def story():
        async with world(app, tmp_path / "hub") as here:
            return await here.run("boxes", False), await here.run("boxes", True)

    plain, custom = asyncio.run(story())

    assert plain.output == 2
    assert custom.runtime_status.name == "Failed"
    assert "Object of type Box is not JSON serializable" in custom.output


def test_case_36_lines_logged_outside_replay_appear_once(tmp_path, caplog):
    """`is_replaying` is true for all but the newest episode."""
    app = df.DFApp()
    caplog.set_level(logging.INFO, "story")

    @app.orchestration_trigger(context_name="context")
    def teller(context):
        for n in range(4):
            if not context.is_replaying:
                logging.getLogger("story").info("line %s", n)
            yield context.call_activity("nothing")

    @app.activity_trigger(input_name="x")
    def nothing(x):
        return None

    async def story():
        async with world(app, tmp_path / "hub") as here:
            await here.run("teller")

    asyncio.run(story())

    assert [record.message for record in caplog.records if record.name == "story"] == [f"line {n}" for n in range(4)]


def test_case_40_a_result_of_a_megabyte_works_and_warns(tmp_path, caplog):
    """Large payloads pass; the log says what Azure Storage would do with them."""
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def large(context):
        text = yield context.call_activity("megabyte")
        return len(text)

    @app.activity_trigger(input_name="x")
    def megabyte(x):
        return "é" * 500_000

    async def story():
        async with world(app, tmp_path / "hub") as here:
            return await here.run("large")

    status = asyncio.run(story())

    assert status.output == 500_000
    assert "the result of activity megabyte is" in caplog.text
    assert "compressed blob" in caplog.text


def test_a_custom_status_over_16_kb_fails_the_instance(tmp_path):
    """The limit counts UTF-16, as Azure does; below it the latest status is shown."""
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def chatty(context):
        context.set_custom_status("x" * context.get_input())
        yield context.call_activity("nothing")

    @app.activity_trigger(input_name="x")
    def nothing(x):
        return None

    async def story():
        async with world(app, tmp_path / "hub") as here:
            return await here.run("chatty", 8000), await here.run("chatty", 8200)

    fits, too_long = asyncio.run(story())

    assert (fits.runtime_status.name, fits.custom_status) == ("Completed", "x" * 8000)
    assert "must not exceed 16 KB" in too_long.output


def test_an_entity_action_fails_the_instance(tmp_path):
    """Signalling an entity is refused with the operation and the entity."""
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def signaller(context):
        context.signal_entity(df.EntityId("counter", "a"), "add", 1)
        yield context.call_activity("nothing")

    @app.activity_trigger(input_name="x")
    def nothing(x):
        return None

    async def story():
        async with world(app, tmp_path / "hub") as here:
            return await here.run("signaller")

    status = asyncio.run(story())

    assert status.runtime_status.name == "Failed"
    assert "Entities are not supported by this host: add on @counter@a" in status.output


def test_catching_an_exhausted_retry_beside_a_retrying_sibling_warns(tmp_path, caplog):
    """The numbers of host and SDK drift apart there, as on Azure; the log says so and what to do."""
    app = df.DFApp()
    quick = df.RetryOptions(first_retry_interval_in_milliseconds=1, max_number_of_attempts=1)
    patient = df.RetryOptions(first_retry_interval_in_milliseconds=300, max_number_of_attempts=3)

    @app.orchestration_trigger(context_name="context")
    def drifting(context):
        calls = [context.call_activity_with_retry("bad", options, "x") for options in (quick, patient)]
        try:
            yield context.task_all(calls)
        except Exception:
            yield context.call_activity("good", "x")

    @app.activity_trigger(input_name="x")
    def bad(x):
        raise ValueError("bad")

    @app.activity_trigger(input_name="x")
    def good(x):
        return "good"

    async def story():
        async with world(app, tmp_path / "hub") as here:
            started = await here.client.start_new("drifting")
            await eventually(drifts)
            await here.client.terminate(started, "seen enough")
            await here.end_of(started)

    async def drifts():
        return "drift apart" in caplog.text

    asyncio.run(story())

    assert "Let the activity return an error value instead" in caplog.text


def test_racing_a_retried_call_against_a_cancelled_timer_fails_as_on_azure(tmp_path, caplog):
    """The timer counts as finished on replay, so numbers shift; the log says why and what to do instead."""
    app = df.DFApp()
    attempts = []

    @app.orchestration_trigger(context_name="context")
    def racer(context):
        timer = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
        call = context.call_activity_with_retry("flaky", df.RetryOptions(1, 2), "x")
        yield context.task_any([call, timer])
        timer.cancel()
        yield context.call_activity("flaky", "x")

    @app.activity_trigger(input_name="x")
    def flaky(x):
        attempts.append(x)
        if len(attempts) == 1:
            raise ValueError("once")

    async def story():
        async with world(app, tmp_path / "hub") as here:
            return await here.run("racer")

    status = asyncio.run(story())

    assert "Non-Deterministic workflow detected" in status.output
    assert "Put the retrying call into a sub-orchestration and race that" in caplog.text


def test_a_fan_out_that_fails_inside_a_race_fails_as_on_azure(tmp_path, caplog):
    """The SDK calls a task completed twice when its failed group hears of it later; the log says what to do."""
    app = df.DFApp()
    failed = threading.Event()

    @app.orchestration_trigger(context_name="context")
    def nested(context):
        both = context.task_all([context.call_activity("bad"), context.call_activity("late")])
        try:
            yield context.task_any([both, context.wait_for_external_event("never")])
            yield context.wait_for_external_event("never too")
        except ValueError:
            pass

    @app.activity_trigger(input_name="x")
    def bad(x):
        raise ValueError("bad")

    @app.activity_trigger(input_name="x")
    def late(x):
        failed.wait(20)

    async def story():
        async with world(app, tmp_path / "hub") as here:
            started = await here.client.start_new("nested")
            await eventually(lambda: has_failed(here, started))
            failed.set()
            return await here.end_of(started)

    async def has_failed(here, started):
        return bool(await here.of_kind(started, Kind.TASK_FAILED))

    status = asyncio.run(story())

    assert "completed twice" in status.output
    assert "a task_all inside a task_any" in caplog.text
