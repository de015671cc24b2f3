"""Conformance cases 22 to 30: events, the client and its HTTP API."""

import asyncio
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import aiohttp
import azure.durable_functions as df
import pytest
from yarl import URL

from devhost.durable.history import Kind, Status, event, now, timestamp
from devhost.durable.hub import Hub
from devhost.durable.records import Instance, Message
from devhost.durable.settings import DurableSettings
from tests.devhost.durable.world import eventually, world


def events_app(gate=None):
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def one(context):
        return (yield context.wait_for_external_event("go"))

    @app.orchestration_trigger(context_name="context")
    def two(context):
        yield context.call_activity("pass_gate")
        first = yield context.wait_for_external_event("go")
        second = yield context.wait_for_external_event("go")
        return [first, second]

    @app.orchestration_trigger(context_name="context")
    def quick(context):
        return context.get_input()

    @app.orchestration_trigger(context_name="context")
    def bad(context):
        raise ValueError("bad luck")
        yield

    @app.activity_trigger(input_name="x")
    def pass_gate(x):
        gate.wait(20)

    return app


async def call(here, method, path, **options):
    """Call the durable API as a person would."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, URL(here.rpc + path, encoded=True), **options) as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if text else None, answer.headers


def test_case_22_an_event_before_its_wait_is_delivered(tmp_path):
    """The event waits in the inbox until somebody waits for it."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            started = await here.client.start_new("one")
            await here.client.raise_event(started, "go", {"n": 1})
            return (await here.end_of(started)).output

    assert json.loads(asyncio.run(story())) == {"n": 1}


def test_case_23_two_waits_and_one_early_event_stall_with_a_warning(tmp_path, caplog):
    """The SDK hands one event to both waits, the host still waits; a second event ends it."""
    gate = threading.Event()

    async def story():
        async with world(events_app(gate), tmp_path / "hub") as here:
            await here.client.start_new("two", "stalls")
            await here.client.raise_event("stalls", "go", 1)
            await eventually(lambda: arrived(here))
            gate.set()
            await eventually(lambda: stalled(caplog))
            before = (await here.operations.status("stalls")).status
            await here.client.raise_event("stalls", "go", 2)
            return before, (await here.end_of("stalls")).output

    async def arrived(here):
        return bool(await here.of_kind("stalls", Kind.EVENT_RAISED))

    async def stalled(log):
        return "durable-python#507" in log.text

    before, output = asyncio.run(story())

    assert before == Status.RUNNING
    assert output[0] == output[1]
    assert "still waits for event 'go'" in caplog.text


def test_case_24_an_event_through_the_client_is_a_string_of_json(tmp_path):
    """The client encodes twice, a plain HTTP post once."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            for instance_id in ("client", "plain"):
                await here.client.start_new("one", instance_id)
            await here.client.raise_event("client", "go", "yes")
            await call(here, "POST", "instances/plain/raiseEvent/go", json="yes")
            return [(await here.end_of(instance_id)).output for instance_id in ("client", "plain")]

    assert asyncio.run(story()) == ['"yes"', "yes"]


def test_case_25_events_to_finished_and_unknown_instances_are_refused(tmp_path):
    """410 and 404, in the SDK's words."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            await here.run("quick", 1, "finished")
            with pytest.raises(Exception, match="Instance with ID finished is gone"):
                await here.client.raise_event("finished", "go")
            with pytest.raises(Exception, match="No instance with ID unknown found"):
                await here.client.raise_event("unknown", "go")
            wrong_type = await call(here, "POST", "instances/finished/raiseEvent/go", data="text")
            not_json = await call(
                here, "POST", "instances/x/raiseEvent/go", data="{", headers={"content-type": "application/json"}
            )
            return wrong_type, not_json

    wrong_type, not_json = asyncio.run(story())

    assert (wrong_type[0], wrong_type[1]["ExceptionMessage"]) == (
        400,
        "Only application/json request content is supported",
    )
    assert not_json[0] == 400
    assert "not JSON" in not_json[1]["ExceptionMessage"]


def test_an_event_in_other_case_is_not_delivered_and_warns(tmp_path, caplog):
    """The SDK compares names exactly; the log says that the event is lost."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            await here.client.start_new("one", "i")
            await here.client.raise_event("i", "GO", 1)
            await eventually(lambda: said(caplog))
            await here.client.raise_event("i", "go", 2)
            return (await here.end_of("i")).output

    async def said(log):
        return "got event 'GO' while it waits for 'go'" in log.text

    assert asyncio.run(story()) == "2"


def test_case_26_an_active_id_conflicts_and_a_finished_one_is_replaced(tmp_path):
    """Starting again is refused while the instance is active, and begins anew when it has finished."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            await here.client.start_new("one", "same")
            await here.until("same", lambda status: status == Status.RUNNING)
            conflict = await call(here, "POST", "orchestrators/one/same")
            await here.client.raise_event("same", "go", 1)
            await here.end_of("same")
            replaced = await here.run("quick", "second", "same")
            return conflict, replaced

    conflict, replaced = asyncio.run(story())

    assert conflict[0] == 409
    assert conflict[1]["ExceptionMessage"] == "An Orchestration instance with the status Running already exists."
    assert (replaced.name, replaced.output) == ("quick", "second")


def test_simultaneous_starts_of_one_id_run_one_instance(tmp_path):
    """Of fifty starts at once one is accepted."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            answers = await asyncio.gather(*(call(here, "POST", "orchestrators/one/same") for _ in range(50)))
            return sorted(status for status, _, _ in answers)

    assert asyncio.run(story()) == [202] + [409] * 49


def test_any_state_lets_a_running_instance_be_replaced(tmp_path):
    """With overridableExistingInstanceStates AnyState the new instance takes the id over; nothing of the old stays."""

    async def story():
        async with world(events_app(), tmp_path / "hub", DurableSettings(replace_any_state=True)) as here:
            await here.client.start_new("one", "same")
            await here.until("same", lambda status: status == Status.RUNNING)
            status = await here.run("quick", "second", "same")
            return status.output, await here.history("same")

    output, history = asyncio.run(story())

    assert output == "second"
    assert [event["EventType"] for event in history] == [12, 0, 1, 13]


def test_an_episode_of_a_replaced_instance_writes_nothing(tmp_path):
    """The id is taken over while the old instance's orchestrator runs; what that decided is dropped."""
    entered, released = threading.Event(), threading.Event()
    app = events_app()

    @app.orchestration_trigger(context_name="context")
    def old(context):
        entered.set()
        released.wait(20)
        yield context.call_activity("pass_gate")

    async def story():
        async with world(app, tmp_path / "hub", DurableSettings(replace_any_state=True)) as here:
            await here.client.start_new("old", "same")
            await asyncio.to_thread(entered.wait, 20)
            await here.client.start_new("quick", "same", "second")
            released.set()
            return (await here.end_of("same")).output, await here.history("same"), here.invoker.acted

    output, history, acted = asyncio.run(story())

    assert output == "second"
    assert [event["EventType"] for event in history] == [12, 0, 1, 13]
    assert acted == []


def test_a_version_comes_from_the_call_or_the_settings(tmp_path):
    """`version` of the call goes before `defaultVersion`."""

    async def story():
        async with world(events_app(), tmp_path / "hub", DurableSettings(default_version="2")) as here:
            await call(here, "POST", "orchestrators/quick/plain")
            await call(here, "POST", "orchestrators/quick/chosen?version=3")
            return [(await here.operations.status(each)).version for each in ("plain", "chosen")]

    assert asyncio.run(story()) == ["2", "3"]


def test_case_27_starting_an_unknown_orchestrator_raises_the_message(tmp_path):
    """The SDK raises the extension's text with the known names; a bad id is refused the same way."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            with pytest.raises(Exception, match="The function 'nowhere' doesn't exist") as unknown:
                await here.client.start_new("nowhere")
            with pytest.raises(Exception, match="must not contain") as bad:
                await here.client.start_new("one", "a%23b")
            with pytest.raises(Exception, match="256 characters"):
                await here.client.start_new("one", "x" * 257)
            return str(unknown.value), str(bad.value)

    unknown, bad = asyncio.run(story())

    assert "known orchestrator functions: 'bad', 'one', 'quick', 'two'" in unknown
    assert "'a#b'" in bad


def test_case_28_terminate_shows_the_reason(tmp_path):
    """A terminated instance has its reason as output; it can be terminated once."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            await here.client.start_new("one", "t")
            await here.client.terminate("t", "not needed: a & b")
            status = await here.end_of("t")
            again = await call(here, "POST", "instances/t/terminate?reason=x")
            return status, again[0]

    status, again = asyncio.run(story())

    assert (status.runtime_status.name, status.output) == ("Terminated", "not needed: a & b")
    assert again == 410


def test_case_28_a_suspended_instance_handles_its_event_after_resume(tmp_path):
    """Nothing runs while suspended; suspending twice or resuming what runs is an error."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            await here.client.start_new("one", "s")
            await here.until("s", lambda status: status == Status.RUNNING)
            not_suspended = (await call(here, "POST", "instances/s/resume?reason="))[0]
            await here.client.suspend("s", "wait")
            await here.until("s", lambda status: status == Status.SUSPENDED)
            twice = (await call(here, "POST", "instances/s/suspend?reason="))[0]
            await here.client.raise_event("s", "go", 1)
            episodes = here.invoker.episodes
            await asyncio.sleep(0.05)
            held = here.invoker.episodes == episodes
            await here.client.resume("s", "go on")
            return not_suspended, twice, held, (await here.end_of("s")).output

    assert asyncio.run(story()) == (500, 500, True, "1")


async def sent_together(file, name, *events):
    """Leave an instance in a hub, with events that its first episode will find all at once."""
    at = timestamp(now())
    hub = Hub(file)
    hub.open()
    await hub.start(Instance("s", name, "first", None, None, created=at, updated=at))
    for kind, fields in events:
        await hub.send(Message("s", event(kind, at, **fields)))
    hub.close()


def test_parallel_waits_on_one_name_are_filled_last_created_first(tmp_path):
    """The host fills its waits in the order in which the SDK does, or the instance would stall."""
    app = events_app()

    @app.orchestration_trigger(context_name="context")
    def pairs(context):
        wait = context.wait_for_external_event
        older, younger = wait("go"), wait("go")
        yield context.task_any([context.task_all([older, wait("a")]), context.task_all([younger, wait("b")])])
        return [older.is_completed, younger.result]

    async def story():
        async with world(app, tmp_path / "hub") as here:
            await here.client.start_new("pairs", "i")
            await here.client.raise_event("i", "go", 1)
            await here.client.raise_event("i", "b")
            return (await here.end_of("i")).output

    assert asyncio.run(story()) == [False, "1"]


def test_an_event_in_the_batch_that_continues_as_new_is_carried_over(tmp_path):
    """Two events at once: the first makes the orchestrator continue as new, the second belongs to what follows."""
    app = events_app()

    @app.orchestration_trigger(context_name="context")
    def pairs(context):
        got = yield context.wait_for_external_event("go")
        before = context.get_input()
        if before:
            return [before, got]
        context.continue_as_new(got)
        return None

    async def story():
        async with world(app, tmp_path / "hub") as here:
            return (await here.end_of("s")).output

    both = [(Kind.EVENT_RAISED, {"Name": "go", "Input": json.dumps(json.dumps(text))}) for text in ("one", "two")]
    asyncio.run(sent_together(tmp_path / "hub", "pairs", *both))

    assert asyncio.run(story()) == ['"one"', '"two"']


def test_a_generation_suspended_before_it_began_begins_after_resume(tmp_path):
    """It continued as new in the very episode that suspended it; its history starts as the SDK needs it."""
    app = events_app()

    @app.orchestration_trigger(context_name="context")
    def again(context):
        if not context.get_input():
            yield context.wait_for_external_event("go")
            context.continue_as_new("second")
        return context.get_input()

    async def story():
        async with world(app, tmp_path / "hub") as here:
            await here.until("s", lambda status: status == Status.SUSPENDED)
            held = await here.operations.status("s")
            await here.client.resume("s", "")
            return held.execution_id, (await here.end_of("s")).output, await here.history("s")

    both = (Kind.EVENT_RAISED, {"Name": "go", "Input": "1"}), (Kind.EXECUTION_SUSPENDED, {"Reason": ""})
    asyncio.run(sent_together(tmp_path / "hub", "again", *both))
    generation, output, history = asyncio.run(story())

    assert generation != "first"
    assert output == "second"
    assert [event["EventType"] for event in history] == [12, 0, 1, 13]


def test_a_terminated_child_fails_in_its_parent(tmp_path):
    """The parent sees the reason; terminating a parent leaves its child running."""
    app = events_app()

    @app.orchestration_trigger(context_name="context")
    def parent(context):
        try:
            yield context.call_sub_orchestrator("one", None, "child")
        except Exception as error:
            return str(error)

    async def story():
        async with world(app, tmp_path / "hub") as here:
            await here.client.start_new("parent", "p")
            await eventually(lambda: exists(here, "child"))
            await here.client.terminate("child", "enough")
            return (await here.end_of("p")).output

    async def exists(here, instance_id):
        return bool(await here.client.get_status(instance_id))

    assert asyncio.run(story()).startswith("enough \n")


def test_case_29_the_status_of_a_missing_id_is_falsy(tmp_path):
    """404 makes the SDK's status object false."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            return bool(await here.client.get_status("nobody")), (await call(here, "GET", "instances/nobody"))[0]

    assert asyncio.run(story()) == (False, 404)


def test_case_29_instances_are_listed_by_filter_and_page(tmp_path):
    """Prefix, status and time restrict; `top` pages with a token that leads through all."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            for n in range(5):
                await here.run("quick", n, f"q-{n}")
            await here.client.start_new("one", "w-1")
            now = datetime.now(UTC)
            everyone = await here.client.get_status_all()
            completed = await here.client.get_status_by(
                created_time_from=now - timedelta(hours=1),
                created_time_to=now + timedelta(hours=1),
                runtime_status=[df.OrchestrationRuntimeStatus.Completed],
                instance_id_prefix="q-",
            )
            later = await here.client.get_status_by(created_time_from=now + timedelta(hours=1))
            pages, token = [], ""
            while True:
                headers = {"x-ms-continuation-token": token} if token else {}
                _, found, answered = await call(
                    here, "GET", "instances/?top=2&runtimeStatus=Completed", headers=headers
                )
                pages.append([each["instanceId"] for each in found])
                token = answered.get("x-ms-continuation-token", "")
                if not token:
                    return everyone, completed, later, pages

    everyone, completed, later, pages = asyncio.run(story())

    assert sorted(status.instance_id for status in everyone) == ["q-0", "q-1", "q-2", "q-3", "q-4", "w-1"]
    assert [status.output for status in completed] == [0, 1, 2, 3, 4]
    assert later == []
    assert pages == [["q-0", "q-1"], ["q-2", "q-3"], ["q-4"]]


def test_case_30_purge_removes_finished_instances_and_counts_them(tmp_path):
    """One by id, many by filter; again gives none, and an active one is refused."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            for n in range(4):
                await here.run("quick", n, f"q-{n}")
            await here.client.start_new("one", "active")
            one = (await here.client.purge_instance_history("q-0")).instances_deleted
            again = (await here.client.purge_instance_history("q-0")).instances_deleted
            since = datetime.now(UTC) - timedelta(hours=1)
            many = (await here.client.purge_instance_history_by(created_time_from=since)).instances_deleted
            none = (await here.client.purge_instance_history_by(created_time_from=since)).instances_deleted
            active = (await call(here, "DELETE", "instances/active"))[0]
            everything = (await call(here, "DELETE", "instances/"))[0]
            left = [status.instance_id for status in await here.client.get_status_all()]
            return one, again, many, none, active, everything, left

    assert asyncio.run(story()) == (1, 0, 3, 0, 412, 400, ["active"])


def test_rewind_and_entities_are_refused_in_words(tmp_path):
    """The SDK shows the refusal of rewind to its caller; entity calls get 501."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            status = await here.run("bad")
            with pytest.raises(Exception, match="Rewind is not supported by this host"):
                await here.client.rewind(status.instance_id, "again")
            entity = await call(here, "POST", "entities/counter/a?op=add")
            return status, entity

    status, entity = asyncio.run(story())

    assert status.output == "Orchestrator function 'bad' failed: bad luck"
    assert entity[0] == 501
    assert "Entities are not supported" in entity[1]["ExceptionMessage"]


def test_restart_begins_again_with_the_same_input(tmp_path):
    """With a new id by default, or in place."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            await here.run("quick", {"n": 1}, "first")
            answer = await here.client.restart("first")
            other = await here.end_of(answer["id"])
            await here.client.restart("first", restart_with_new_instance_id=False)
            same = await here.end_of("first")
            with pytest.raises(Exception, match="No instance with ID 'nobody' found"):
                await here.client.restart("nobody")
            return other, same

    other, same = asyncio.run(story())

    assert other.instance_id != "first"
    assert other.output == same.output == {"n": 1}


def test_start_answers_with_management_urls_and_can_wait_for_the_output(tmp_path):
    """202 with Location and Retry-After; with both waits 200 and the output."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            accepted = await call(here, "POST", "orchestrators/one/i")
            output = await call(here, "POST", "orchestrators/quick?timeout=20&pollingInterval=10", json={"a": 1})
            late = await call(here, "POST", "orchestrators/one/j?timeout=0.05&pollingInterval=0.01")
            return accepted, output, late

    accepted, output, late = asyncio.run(story())
    status, urls, headers = accepted

    assert status == late[0] == 202
    assert urls["id"] == "i"
    assert "rewindPostUri" not in urls
    assert re.match("http://localhost:7071/runtime/webhooks/durabletask/instances/i\\?", headers["Location"])
    assert headers["Retry-After"] == "10"
    assert output[:2] == (200, {"a": 1})


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("orchestrators/one?timeout=soon&pollingInterval=1", b"", "must be seconds, not 'soon' and '1'"),
        ("orchestrators/one?timeout=nan&pollingInterval=1", b"", "must be seconds"),
        ("orchestrators/one", b"\xff", "not JSON"),
        ("orchestrators/one/a%0Ab", b"", "must not contain"),
    ],
)
def test_a_start_that_cannot_be_read_is_refused_and_starts_nothing(tmp_path, path, body, message):
    """400 with the reason, before anything is written."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            return await call(here, "POST", path, data=body), await here.client.get_status_all()

    (status, answer, _), instances = asyncio.run(story())

    assert status == 400
    assert message in answer["ExceptionMessage"]
    assert instances == []


def test_urls_lead_to_an_instance_whatever_its_id_has(tmp_path):
    """Spaces, percent signs, braces and letters of any script are escaped where an id becomes part of a URL."""
    instance_id = "50% é 日本 & {more}"

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            _, urls, headers = await call(here, "POST", f"orchestrators/quick/{quote(instance_id)}")
            tail = urls["statusQueryGetUri"].split("/durabletask/")[1]
            await here.end_of(instance_id)
            return urls["id"], headers["Location"], (await call(here, "GET", tail))[1]

    given, location, status = asyncio.run(story())

    assert given == status["instanceId"] == instance_id
    assert location.isascii()
    assert " " not in location


def test_a_history_is_shown_for_people(tmp_path):
    """Scheduling is folded into completion, internal numbers are dropped, results come on request."""
    app = events_app()

    @app.orchestration_trigger(context_name="context")
    def echoes(context):
        return (yield context.call_activity("echo", "hello"))

    @app.activity_trigger(input_name="word")
    def echo(word):
        return word

    async def story():
        async with world(app, tmp_path / "hub") as here:
            await here.run("echoes", None, "h")
            short = (await call(here, "GET", "instances/h?showHistory=true"))[1]["historyEvents"]
            full = (await call(here, "GET", "instances/h?showHistory=true&showHistoryOutput=true"))[1]["historyEvents"]
            return short, full

    short, full = asyncio.run(story())

    assert [event["EventType"] for event in full] == ["ExecutionStarted", "TaskCompleted", "ExecutionCompleted"]
    assert full[1]["FunctionName"] == "echo"
    assert full[1]["Result"] == "hello"
    assert "ScheduledTime" in full[1]
    assert "Result" not in short[1]
    assert not {"EventId", "IsPlayed", "TaskScheduledId"} & set(full[1])


def test_a_raw_start_gives_the_orchestrator_the_body_as_it_is(tmp_path):
    """One JSON layer is taken off: an object posted over HTTP is an object."""

    async def story():
        async with world(events_app(), tmp_path / "hub") as here:
            await call(here, "POST", "orchestrators/quick/raw", json={"n": [1, "é"]})
            return (await here.end_of("raw")).output, (await call(here, "GET", "instances/raw"))[1]["input"]

    assert asyncio.run(story()) == ({"n": [1, "é"]}, {"n": [1, "é"]})
