"""The hub's file, its settings, and what the engine does when the file fails it."""

import asyncio
import json
import logging
import sqlite3
import threading

import azure.durable_functions as df
import pytest
from aiohttp import ClientSession, web

from devhost.durable import database
from devhost.durable.api import add_routes
from devhost.durable.database import Database
from devhost.durable.errors import HubError
from devhost.durable.history import Kind, Status, event, now, timestamp
from devhost.durable.hub import Hub
from devhost.durable.records import Commit, Instance, Message, WorkItem
from devhost.durable.settings import DurableSettings
from devhost.environment import StartError
from tests.devhost.durable.world import eventually, world

SCHEMA = "CREATE TABLE IF NOT EXISTS lines (text TEXT PRIMARY KEY);"


def simple_app():
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def simple(context):
        return (yield context.call_activity("echo", context.get_input()))

    @app.activity_trigger(input_name="x")
    def echo(x):
        return x

    return app


def test_a_hub_in_use_is_refused_by_name(tmp_path):
    """The second opener is told which file, which process, and what to do."""
    first, second = Hub(tmp_path / "hub"), Hub(tmp_path / "hub")
    first.open()
    try:
        with pytest.raises(HubError, match=r"hub is in use by another host \(process \d+\): stop it, or"):
            second.open()
    finally:
        first.close()
    second.open()
    second.close()


def test_a_file_that_is_no_hub_is_refused(tmp_path):
    """A text file under the hub's name gives one clear error and is left as it is."""
    file = tmp_path / "hub"
    file.write_text("not a database, and long enough to be looked at as one " * 20)

    with pytest.raises(HubError, match="cannot be used as a task hub"):
        Hub(file).open()

    assert file.read_text().startswith("not a database")


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    """The message names the file, the reason and the option."""
    (tmp_path / "file").write_text("")

    with pytest.raises(HubError, match=r"file/hub cannot be used as a task hub: .*; choose another --hub"):
        Hub(tmp_path / "file" / "hub").open()


def test_an_operation_that_fails_undoes_only_itself(tmp_path):
    """Operations committed together succeed or fail each on its own."""
    lines = Database(tmp_path / "lines", SCHEMA)

    def insert(text, error=None):
        def operation(connection):
            connection.execute("INSERT INTO lines VALUES (?)", (text,))
            if error:
                raise error

        return operation

    async def story():
        lines.open()
        results = await asyncio.gather(
            lines.run(insert("a")),
            lines.run(insert("b", ValueError("no"))),
            lines.run(insert("c")),
            return_exceptions=True,
        )
        rows = await lines.run(lambda connection: connection.execute("SELECT text FROM lines ORDER BY text").fetchall())
        lines.close()
        return results, rows

    results, rows = asyncio.run(story())

    assert [type(result) for result in results] == [type(None), ValueError, type(None)]
    assert rows == [("a",), ("c",)]


def test_what_waits_at_close_is_still_written(tmp_path):
    """Closing finishes the queue first."""
    lines = Database(tmp_path / "lines", SCHEMA)

    async def story():
        lines.open()
        waiting = [asyncio.ensure_future(lines.run(insert(n))) for n in range(500)]
        await asyncio.sleep(0)
        await asyncio.to_thread(lines.close)
        await asyncio.gather(*waiting)

    def insert(n):
        def operation(connection):
            connection.execute("INSERT INTO lines VALUES (?)", (str(n),))

        return operation

    asyncio.run(story())

    connection = sqlite3.connect(tmp_path / "lines")
    assert connection.execute("SELECT count(*) FROM lines").fetchone() == (500,)
    connection.close()


def test_a_disk_that_is_full_for_a_while_delays_and_loses_nothing(tmp_path, monkeypatch, caplog):
    """While commits fail the engine tries again, and the instance ends as if nothing had been."""
    broken = threading.Event()
    commit = database._commit_together

    def failing(connection, jobs):
        if broken.is_set():
            for job in jobs:
                job.error = sqlite3.OperationalError("database or disk is full")
        else:
            commit(connection, jobs)

    monkeypatch.setattr(database, "_commit_together", failing)

    async def story():
        async with world(simple_app(), tmp_path / "hub") as here:
            await here.run("simple", "before")
            started = await here.client.start_new("simple", None, "after")
            broken.set()
            await eventually(lambda: complained(caplog))
            broken.clear()
            return (await here.end_of(started)).output

    async def complained(log):
        return "trying again" in log.text

    assert asyncio.run(story()) == "after"
    assert "disk is full" in caplog.text


def test_work_taken_up_by_a_second_engine_goes_on(tmp_path):
    """An engine that is stopped in the middle leaves everything to the next one on the same file."""
    app = df.DFApp()
    gate, entered = threading.Event(), threading.Event()

    app.register_functions(blueprint(gate, entered))

    async def first():
        async with world(app, tmp_path / "hub") as here:
            await here.client.start_new("gated", "g")
            await asyncio.to_thread(entered.wait, 20)
            asyncio.get_running_loop().call_later(1.0, gate.set)

    async def second():
        async with world(fresh, tmp_path / "hub") as here:
            return (await here.end_of("g")).output

    asyncio.run(first())
    fresh = df.DFApp()
    fresh.register_functions(blueprint(gate))

    assert asyncio.run(second()) == [0, 1, 2]


def blueprint(gate, entered=None):
    """Build the functions of the test above; a restarted process imports them anew."""
    bp = df.Blueprint()

    @bp.orchestration_trigger(context_name="context")
    def gated(context):
        return (yield context.task_all([context.call_activity("step", n) for n in range(3)]))

    @bp.activity_trigger(input_name="n")
    def step(n):
        if entered:
            entered.set()
        gate.wait(20)
        return n

    return bp


def test_an_event_that_comes_while_an_episode_is_saved_is_seen(tmp_path, monkeypatch):
    """The instance looks into its inbox once more when somebody knocked meanwhile."""
    app, saved = df.DFApp(), asyncio.Event()

    @app.orchestration_trigger(context_name="context")
    def waits(context):
        return (yield context.wait_for_external_event("go"))

    async def story():
        async with world(app, tmp_path / "hub") as here:
            commit = here.engine.hub.commit

            async def slow_commit(what):
                committed = await commit(what)
                await saved.wait()
                return committed

            monkeypatch.setattr(here.engine.hub, "commit", slow_commit)
            await here.client.start_new("waits", "i")
            await here.until("i", lambda status: status == Status.RUNNING)
            await here.client.raise_event("i", "go", 1)
            saved.set()
            return (await here.end_of("i")).output

    assert asyncio.run(story()) == "1"


def test_a_result_that_is_committed_twice_arrives_once(tmp_path):
    """Whoever tries again after an unclear answer does not complete an activity twice."""
    hub, at = Hub(tmp_path / "hub"), timestamp(now())
    item = WorkItem("i", "e", 0, "step", "null")
    result = Message("i", event(Kind.TASK_COMPLETED, at, TaskScheduledId=0, Result="1"), "e")

    async def story():
        hub.open()
        instance = Instance("i", "story", "e", None, None, created=at, updated=at)
        await hub.start(instance)
        await hub.commit(Commit(instance, Status.RUNNING, at, consumed=[1], work=[item]))
        answers = [await hub.finish_work(item, result), await hub.finish_work(item, result)]
        turn = await hub.take_turn("i", None)
        hub.close()
        return answers, turn.messages

    answers, messages = asyncio.run(story())

    assert answers == [True, False]
    assert len(messages) == 1


def test_a_key_guards_the_public_api(tmp_path):
    """Without the key 401, with it as query or header the answer."""

    async def story():
        async with world(simple_app(), tmp_path / "hub") as here:
            app = web.Application()
            add_routes(app, here.engine, "/durable", key="secret")
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/durable/instances/"
            async with ClientSession() as session:
                statuses = [
                    (await session.get(url)).status,
                    (await session.get(url, params={"code": "wrong"})).status,
                    (await session.get(url, params={"code": "secret"})).status,
                    (await session.get(url, headers={"x-functions-key": "secret"})).status,
                ]
            await runner.cleanup()
            return statuses

    assert asyncio.run(story()) == [401, 401, 200, 200]


def test_call_http_runs_as_an_activity_of_the_host(tmp_path):
    """The orchestrator gets status, headers and content; a token source is refused."""
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def caller(context):
        answer = yield context.call_http("POST", context.get_input(), content="ping", headers={"x-a": "1"})
        return answer

    async def pong(request):
        return web.Response(text=f"{await request.text()} {request.headers['x-a']}", status=202)

    async def story():
        async with world(app, tmp_path / "hub") as here:
            server = web.Application()
            server.router.add_post("/", pong)
            runner = web.AppRunner(server)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            status = await here.run("caller", f"http://127.0.0.1:{runner.addresses[0][1]}/")
            await runner.cleanup()
            return status.output

    output = asyncio.run(story())

    assert output["statusCode"] == 202
    assert json.loads(output["content"].removesuffix(" 1")) == "ping"


def durable(**settings):
    """Write a host.json with some settings of the durable extension."""
    return {"extensions": {"durableTask": settings}}


def test_settings_come_from_host_json():
    """Names are found in any case, as Azure finds them; those in percent signs are looked up in the environment."""
    host_json = {
        "functionTimeout": "1.02:03:04",
        "extensions": {
            "DurableTask": {
                "hubName": "%NAME%",
                "MaxConcurrentActivityFunctions": 7,
                "defaultVersion": "2",
                "overridableExistingInstanceStates": "anyState",
            }
        },
    }

    settings = DurableSettings.from_host_json(host_json, {"NAME": "Mine"})

    assert settings.hub_name == "Mine"
    assert settings.max_activities == 7
    assert settings.default_version == "2"
    assert settings.replace_any_state
    assert settings.function_timeout == 93_784.0
    assert DurableSettings.from_host_json({"functionTimeout": "-1"}, {}).function_timeout is None
    assert DurableSettings.from_host_json({"extensions": None}, {}).hub_name == "TestHubName"
    assert DurableSettings.from_host_json({}, {"WEBSITE_SITE_NAME": "my-site"}).hub_name == "mysite"


@pytest.mark.parametrize(
    ("host_json", "message"),
    [
        (durable(hubName="no-dashes"), "hubName 'no-dashes'"),
        ({"functionTimeout": "ten minutes"}, "functionTimeout 'ten minutes': expected hh:mm:ss"),
        ({"functionTimeout": 5}, "functionTimeout 5: expected hh:mm:ss"),
        ({"functionTimeout": "00:00:00"}, "functionTimeout '00:00:00': expected hh:mm:ss"),
        (durable(maxConcurrentActivityFunctions="many"), "maxConcurrentActivityFunctions 'many': expected a whole"),
        (durable(maxConcurrentOrchestratorFunctions=0), "maxConcurrentOrchestratorFunctions 0: expected a whole"),
        ({"extensions": {"durableTask": [1]}}, r"extensions.durableTask must be an object, not \[1\]"),
        ({"extensions": []}, r"host.json: extensions must be an object, not \[\]"),
    ],
)
def test_settings_that_cannot_be_used_are_named(host_json, message):
    """The message has the key, the value and what was expected."""
    with pytest.raises((HubError, StartError), match=message):
        DurableSettings.from_host_json(host_json, {})


def test_history_is_read_again_when_the_cache_is_too_small(tmp_path, monkeypatch, caplog):
    """Instances that push each other's history out of memory still end right."""
    monkeypatch.setattr("devhost.durable.engine._MOST_CACHED_HISTORY", 1)
    caplog.set_level(logging.WARNING, "devhost.durable")
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def chain(context):
        total = 0
        for _ in range(4):
            total = yield context.call_activity("add", total)
        return total

    @app.activity_trigger(input_name="n")
    def add(n):
        return n + 1

    async def story():
        async with world(app, tmp_path / "hub") as here:
            return [status.output for status in await asyncio.gather(*(here.run("chain") for _ in range(10)))]

    assert asyncio.run(story()) == [4] * 10
    assert "trying again" not in caplog.text
