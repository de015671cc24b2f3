"""The durable engine in memory: what it promises to the stories that run on it."""

from __future__ import annotations

from datetime import timedelta

import azure.durable_functions as df
import pytest

from tests.model.engine import START, Crash, Engine, Functions, NonDeterminism

HOUR = timedelta(hours=1)


def engine_of(orchestrators, **activities):
    """Return an engine over these generators; without activities given, one that answers with its input."""
    known = {"echo": lambda payload: payload, **activities}
    return Engine(Functions({story.__name__: story for story in orchestrators}, known))


def run(engine, until=timedelta(0)):
    """Let everything happen, first come first served, until so long after the start."""
    while True:
        engine.ring()
        if engine.ready:
            engine.run(0)
        elif (due := engine.next_timer()) and due <= START + until:
            engine.now = due
        else:
            engine.now = max(engine.now, START + until)
            return


def test_activities_and_children_answer_in_json():
    """What crosses a boundary is JSON there and back."""

    def story(context):
        first = yield context.call_activity("echo", (1, 2))
        second = yield context.call_sub_orchestrator("child", first, "the-child")
        return [first, second]

    def child(context):
        return (yield context.call_activity("echo", {"from": context.instance_id, "got": context.get_input()}))

    engine = engine_of([story, child])
    engine.start("story", "a", None)
    run(engine)

    assert engine.instances["a"].output == [[1, 2], {"from": "the-child", "got": [1, 2]}]
    assert engine.instances["a"].status == "Completed"


def test_a_retried_activity_waits_between_its_attempts():
    """Three attempts, two pauses, and the story goes on as if nothing had been."""
    attempts = []

    def flaky(payload):
        attempts.append(engine.now - START)
        if len(attempts) < 3:
            raise OSError("not yet")
        return "done"

    def story(context):
        return (yield context.call_activity_with_retry("flaky", df.RetryOptions(60_000, 5), None))

    engine = engine_of([story], flaky=flaky)
    engine.start("story", "a", None)
    run(engine, HOUR)

    assert engine.instances["a"].output == "done"
    assert attempts == [timedelta(0), timedelta(minutes=1), timedelta(minutes=2)]


def test_an_exhausted_retry_raises_in_the_story():
    """The story can catch it, and the instance fails when it does not."""

    def broken(payload):
        raise OSError("never")

    def story(context):
        try:
            yield context.call_activity_with_retry("broken", df.RetryOptions(1_000, 2), None)
        except Exception as error:
            yield context.call_activity("echo", "caught")
            raise ValueError(str(error)) from error

    engine = engine_of([story], broken=broken)
    engine.start("story", "a", None)
    run(engine, HOUR)

    assert engine.instances["a"].status == "Failed"
    assert "Activity function 'broken' failed:  OSError: never" in engine.instances["a"].output


@pytest.mark.filterwarnings("ignore:Potential duplicate Task completion")  # the SDK's words for an early event
def test_an_early_event_is_handed_to_every_later_wait_of_its_name():
    """As the SDK does it: names must be unique for each wait."""

    def story(context):
        yield context.call_activity("echo", None)
        first = yield context.wait_for_external_event("bell")
        second = yield context.wait_for_external_event("bell")
        return [first, second]

    engine = engine_of([story])
    engine.start("story", "a", None)
    engine.run(0)  # the story begins
    engine.raise_event("a", "bell", {"n": 1})
    engine.run(1)  # the event, before the activity
    run(engine)

    assert engine.instances["a"].output == ['{"n": 1}', '{"n": 1}']


def test_a_timer_that_nobody_cancelled_keeps_the_instance_running():
    """The story has returned, and the instance ends when its last timer has fired."""

    def story(context):
        timers = [context.create_timer(context.current_utc_datetime + hours * HOUR) for hours in (1, 5, 9)]
        yield context.task_any(timers)
        timers[2].cancel()
        return "first"

    engine = engine_of([story])
    engine.start("story", "a", None)
    run(engine, 2 * HOUR)
    assert not engine.finished("a")
    run(engine, 5 * HOUR)

    assert engine.instances["a"].output == "first"
    assert engine.next_timer() is None


def test_continuing_as_new_begins_a_fresh_history():
    """Same id, new input, and the clock goes on; the parent gets the last output."""

    def story(context):
        return (yield context.call_sub_orchestrator("counter", 0, "counter"))

    def counter(context):
        yield context.create_timer(context.current_utc_datetime + HOUR)
        count = context.get_input() + 1
        if count < 3:
            context.continue_as_new(count)
            return None
        return [count, context.current_utc_datetime.isoformat()]

    engine = engine_of([story, counter])
    engine.start("story", "a", None)
    run(engine, 4 * HOUR)

    assert engine.instances["a"].output == [3, (START + 3 * HOUR).isoformat()]
    assert engine.starts == [("story", "a")]


def test_a_crash_runs_the_activity_again_and_a_restart_keeps_the_story():
    """At least once, and from the history alone."""
    runs = []

    def effect(payload):
        runs.append(payload)
        if len(runs) == 1:
            raise Crash

    def story(context):
        yield context.call_activity("echo", "before")
        yield context.call_activity("effect", context.current_utc_datetime.isoformat())
        return "done"

    engine = engine_of([story], effect=effect)
    engine.start("story", "a", None)
    with pytest.raises(Crash):
        run(engine)
    engine.now += HOUR
    engine.restart()
    run(engine)

    assert engine.instances["a"].output == "done"
    assert runs == [START.isoformat()] * 2


def test_a_story_that_is_told_otherwise_is_found():
    """A value from outside the history: the restart notices."""
    moods = iter(["good", "bad"])

    def story(context):
        yield context.call_activity("echo", next(moods))
        yield context.wait_for_external_event("never")

    engine = engine_of([story])
    engine.start("story", "a", None)
    run(engine)
    with pytest.raises(NonDeterminism, match="bad"):
        engine.restart()


def test_an_ended_instance_hears_nothing():
    """Events and starts are refused as Durable refuses them; what was asked for is done, and the answer dropped."""
    done: list[None] = []

    def story(context):
        yield context.call_activity("effect", None)
        yield context.call_activity("effect", None)

    engine = engine_of([story], effect=done.append)
    engine.start("story", "a", None)
    engine.run(0)
    with pytest.raises(ValueError, match="runs already"):
        engine.start("story", "a", None)
    engine.terminate("a", "enough")
    with pytest.raises(LookupError, match="does not run"):
        engine.raise_event("a", "bell", {})
    run(engine)

    assert engine.instances["a"].output == "enough"
    assert done == [None]
    engine.start("story", "a", None)
    assert not engine.finished("a")
