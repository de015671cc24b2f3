"""Conformance cases 6 to 14: chains, fan-outs, races and retries, with the sequence numbers Azure gives."""

import asyncio
import threading
from datetime import timedelta

import azure.durable_functions as df

from devhost.durable.history import Kind, Status
from tests.devhost.durable.world import eventually, world

RETRY = df.RetryOptions(first_retry_interval_in_milliseconds=10, max_number_of_attempts=3)


def ids(events):
    return [event["EventId"] for event in events]


def test_case_06_chain_of_three(tmp_path):
    """Three activities in a row are numbered 0, 1, 2 and their results stay in order."""
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def chain(context):
        results = []
        for word in ("a", "b", "c"):
            results.append((yield context.call_activity("shout", word)))
        return results

    @app.activity_trigger(input_name="word")
    def shout(word):
        return word.upper()

    async def story():
        async with world(app, tmp_path / "hub") as here:
            status = await here.run("chain")
            return status, await here.of_kind(status.instance_id, Kind.TASK_SCHEDULED)

    status, scheduled = asyncio.run(story())

    assert status.output == ["A", "B", "C"]
    assert ids(scheduled) == [0, 1, 2]


def test_case_07_fan_out_results_come_in_child_order(tmp_path):
    """Children that finish 2, 0, 1 still give their results as 0, 1, 2."""
    app = df.DFApp()
    order: list[int] = []
    finished = {n: threading.Event() for n in range(3)}
    after = {0: 2, 1: 0}

    @app.orchestration_trigger(context_name="context")
    def fan_out(context):
        return (yield context.task_all([context.call_activity("number", n) for n in range(3)]))

    @app.activity_trigger(input_name="n")
    def number(n):
        if n in after:
            finished[after[n]].wait(20)
        order.append(n)
        finished[n].set()
        return n * 10

    async def story():
        async with world(app, tmp_path / "hub") as here:
            return (await here.run("fan_out")).output

    output = asyncio.run(story())

    assert order == [2, 0, 1]
    assert output == [0, 10, 20]


def test_case_08_numbers_are_given_when_a_task_is_yielded(tmp_path):
    """Creating a and b schedules nothing: b, yielded first, is 0 and a runs after it."""
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def swapped(context):
        a, b = context.call_activity("a"), context.call_activity("b")
        second = yield b
        first = yield a
        return [first, second]

    @app.activity_trigger(input_name="x")
    def a(x):
        return "a"

    @app.activity_trigger(input_name="x")
    def b(x):
        return "b"

    async def story():
        async with world(app, tmp_path / "hub") as here:
            status = await here.run("swapped")
            return status.output, await here.of_kind(status.instance_id, Kind.TASK_SCHEDULED), here.invoker.acted

    output, scheduled, acted = asyncio.run(story())

    assert output == ["a", "b"]
    assert [(event["EventId"], event["Name"]) for event in scheduled] == [(0, "b"), (1, "a")]
    assert acted == ["b", "a"]


def race(seconds, cancel):
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def race(context):
        timer = context.create_timer(context.current_utc_datetime + timedelta(seconds=seconds))
        answer = context.wait_for_external_event("answer")
        winner = yield context.task_any([timer, answer])
        if winner is timer:
            return ["late", context.current_utc_datetime.isoformat()]
        if cancel:
            timer.cancel()
        return ["answered", answer.result]

    return app


def test_case_09_a_cancelled_timer_does_not_keep_the_instance_running(tmp_path):
    """The event wins, the timer of a day is cancelled: the instance is complete at once and the timer is gone."""

    async def story():
        async with world(race(86_400, cancel=True), tmp_path / "hub") as here:
            started = await here.client.start_new("race")
            await here.client.raise_event(started, "answer", 1)
            status = await here.end_of(started)
            return status, (await here.engine.hub.unfinished())[1]

    status, inboxes = asyncio.run(story())

    assert status.runtime_status.name == "Completed"
    assert status.output == ["answered", "1"]
    assert inboxes == []


def test_a_cancelled_timer_leaves_the_inbox_while_its_instance_goes_on(tmp_path):
    """Timers of a day that lost their race do not pile up in an instance that lives for long."""
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def patient(context):
        for _ in range(3):
            timer = context.create_timer(context.current_utc_datetime + timedelta(days=1))
            yield context.task_any([timer, context.call_activity("nothing")])
            timer.cancel()
        yield context.wait_for_external_event("go")

    @app.activity_trigger(input_name="x")
    def nothing(x):
        return None

    async def story():
        async with world(app, tmp_path / "hub") as here:
            await here.client.start_new("patient", "p")
            await eventually(lambda: has_raced(here))
            return (await here.engine.hub.unfinished())[1]

    async def has_raced(here):
        return len(await here.of_kind("p", Kind.TASK_COMPLETED)) == 3

    assert asyncio.run(story()) == []


def test_case_10_the_timer_wins_at_its_time(tmp_path):
    """Without an event the timeout branch runs, and its clock has reached the time the timer was set to."""

    async def story():
        async with world(race(0.2, cancel=True), tmp_path / "hub") as here:
            status = await here.run("race")
            return status.output, await here.of_kind(status.instance_id, Kind.TIMER_CREATED)

    output, [timer] = asyncio.run(story())

    assert output[0] == "late"
    assert output[1] >= timer["FireAt"].removesuffix("Z")


def test_case_11_an_open_timer_keeps_the_instance_running(tmp_path, caplog):
    """A timer that lost and was not cancelled keeps the instance Running until it fires, with a warning."""

    async def story():
        async with world(race(86_400, cancel=False), tmp_path / "hub") as here:
            started = await here.client.start_new("race")
            await here.client.raise_event(started, "answer", 1)
            await eventually(lambda: warned(caplog, "stays Running"))
            before = (await here.client.get_status(started)).runtime_status.name
            await here.let_a_day_pass(started)
            return before, await here.end_of(started)

    before, status = asyncio.run(story())

    assert before == "Running"
    assert status.output == ["answered", "1"]
    assert caplog.text.count("stays Running while 1 of its tasks are open (timer)") == 1


async def warned(caplog, text):
    return text in caplog.text


def flaky_app(failures):
    app = df.DFApp()
    calls: dict[int, int] = {}
    lock = threading.Lock()

    @app.orchestration_trigger(context_name="context")
    def one(context):
        try:
            result = yield context.call_activity_with_retry("flaky", RETRY, 0)
        except Exception as error:
            result = str(error)
        after = yield context.call_activity("calm", "x")
        return [result, after]

    @app.orchestration_trigger(context_name="context")
    def many(context):
        return (yield context.task_all([context.call_activity_with_retry("flaky", RETRY, n) for n in range(6)]))

    @app.activity_trigger(input_name="n")
    def flaky(n):
        with lock:
            calls[n] = calls.get(n, 0) + 1
        if calls[n] <= failures(n):
            raise ValueError(f"attempt {calls[n]}")
        return n + 100

    @app.activity_trigger(input_name="x")
    def calm(x):
        return x

    return app


def test_case_12_the_third_attempt_succeeds(tmp_path):
    """Attempts are numbered 0, 2, 4 with the retry timers between them."""

    async def story():
        async with world(flaky_app(lambda _: 2), tmp_path / "hub") as here:
            status = await here.run("one")
            attempts = await here.of_kind(status.instance_id, Kind.TASK_SCHEDULED)
            return status.output, attempts, await here.of_kind(status.instance_id, Kind.TIMER_CREATED)

    output, attempts, timers = asyncio.run(story())

    assert output == [100, "x"]
    assert ids(attempts) == [0, 2, 4, 5]
    assert ids(timers) == [1, 3]


def test_case_13_the_next_number_after_an_exhausted_retry_is_six(tmp_path):
    """After the last failure one more timer fires before the call fails; what comes next is number 6."""

    async def story():
        async with world(flaky_app(lambda _: 99), tmp_path / "hub") as here:
            status = await here.run("one")
            return status.output, await here.of_kind(status.instance_id, Kind.TASK_SCHEDULED)

    output, scheduled = asyncio.run(story())

    assert "attempt 3" in output[0]
    assert output[1] == "x"
    assert ids(scheduled) == [0, 2, 4, 6]


def test_case_14_a_fan_out_of_flaky_calls_gives_all_results(tmp_path):
    """Six retrying calls that fail up to twice each all end with their own result."""

    async def story():
        async with world(flaky_app(lambda n: n % 3), tmp_path / "hub") as here:
            return await here.run("many")

    status = asyncio.run(story())

    assert status.runtime_status.name == "Completed"
    assert status.output == [100, 101, 102, 103, 104, 105]


def test_results_reach_their_tasks_in_an_as_completed_loop(tmp_path):
    """Yielding task_any over what is left, again and again, gives each result once."""
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def as_completed(context):
        left = [context.call_activity("echo", n) for n in range(5)]
        results = []
        while left:
            done = yield context.task_any(left)
            left.remove(done)
            results.append(done.result)
            results.append((yield context.call_activity("echo", done.result * 10)))
        return sorted(results)

    @app.activity_trigger(input_name="n")
    def echo(n):
        return n

    async def story():
        async with world(app, tmp_path / "hub") as here:
            return (await here.run("as_completed")).output

    assert asyncio.run(story()) == sorted([0, 1, 2, 3, 4, 0, 10, 20, 30, 40])


def test_a_failed_fan_out_ends_only_when_its_siblings_have(tmp_path):
    """The instance stays Running while a sibling of the failed activity runs, also for failure."""
    app = df.DFApp()
    release = threading.Event()

    @app.orchestration_trigger(context_name="context")
    def both(context):
        yield context.task_all([context.call_activity("bad"), context.call_activity("slow")])

    @app.activity_trigger(input_name="x")
    def bad(x):
        raise ValueError("no")

    @app.activity_trigger(input_name="x")
    def slow(x):
        release.wait(20)

    async def story():
        async with world(app, tmp_path / "hub") as here:
            started = await here.client.start_new("both")
            await eventually(lambda: has_failed_task(here, started))
            before = (await here.operations.status(started)).status
            release.set()
            return before, (await here.end_of(started)).runtime_status.name

    async def has_failed_task(here, started):
        return bool(await here.of_kind(started, Kind.TASK_FAILED))

    before, after = asyncio.run(story())

    assert before == Status.RUNNING
    assert after == "Failed"
