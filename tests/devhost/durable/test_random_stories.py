"""The pump and the SDK agree on random orchestrations, whatever the order in which things finish."""

from __future__ import annotations

import json
import random
from datetime import timedelta

import azure.durable_functions as df
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devhost.durable.actions import Response
from devhost.durable.episodes import Generation, Names, close, open_episode, read_failure
from devhost.durable.history import Kind, event, execution_started, now, request, timestamp
from devhost.durable.records import Instance, Turn

NAMES = Names(["story", "child"], ["echo", "flaky"])
RETRY = df.RetryOptions(first_retry_interval_in_milliseconds=1, max_number_of_attempts=3)

leaves = st.one_of(
    st.tuples(st.just("echo"), st.integers(0, 99)),
    st.tuples(st.just("flaky"), st.integers(0, 99)),
    st.tuples(st.just("child"), st.integers(0, 99)),
    st.tuples(st.just("timer"), st.just(0)),
)
steps = st.one_of(
    leaves,
    st.tuples(st.just("all"), st.lists(leaves, min_size=1, max_size=5)),
    st.tuples(st.just("race"), st.integers(0, 99)),
    st.tuples(st.just("settle"), st.lists(st.integers(0, 99), min_size=1, max_size=4)),
)


def story(context):
    """Follow the plan in the input, step by step."""
    results = []
    for kind, argument in context.get_input():
        if kind == "all":
            results.append((yield context.task_all([leaf(context, *each) for each in argument])))
        elif kind == "race":
            timer = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
            call = leaf(context, "echo", argument)
            yield context.task_any([timer, call])
            timer.cancel()
            results.append(call.result)
        elif kind == "settle":
            left, found = [leaf(context, "echo", n) for n in argument], []
            while left:
                done = yield context.task_any(left)
                left.remove(done)
                found.append((yield leaf(context, "echo", done.result)))
            results.append(sorted(found))
        else:
            results.append((yield leaf(context, kind, argument)))
    return results


def leaf(context, kind, argument):
    """Make one task."""
    if kind == "timer":
        return context.create_timer(context.current_utc_datetime)
    if kind == "child":
        return context.call_sub_orchestrator("child", argument)
    if kind == "flaky":
        return context.call_activity_with_retry("flaky", RETRY, argument)
    return context.call_activity("echo", argument)


def expected(kind, argument):
    """Say what a step gives, without any host."""
    if kind == "all":
        return [expected(*each) for each in argument]
    if kind == "settle":
        return sorted(argument)
    return None if kind == "timer" else argument


class Host:
    """A host in one list: what is on its way, delivered in any order, some of it together."""

    def __init__(self, plan, chance: random.Random) -> None:
        at = timestamp(now())
        stored = json.dumps(json.dumps(plan))
        self.instance = Instance("i", "story", "e", stored, None, at, at)
        started = execution_started(
            at, name="story", instance_id="i", execution_id="e", stored_input=stored, version=None
        )
        self.generation = Generation("e")
        self.under_way = [started]
        self.failures_left = 2
        self.chance = chance
        self.orchestrator = df.Orchestrator.create(story)

    def run(self):
        """Play episodes until nothing is under way; returns the last commit."""
        commit = None
        while self.under_way:
            self.chance.shuffle(self.under_way)
            count = self.chance.randint(1, len(self.under_way))
            batch, self.under_way = self.under_way[:count], self.under_way[count:]
            commit = self.play(batch)
        return commit

    def play(self, batch):
        """Play one episode as the engine does."""
        turn = Turn(self.instance, list(enumerate(batch)), None)
        episode = open_episode(turn, self.generation)
        texts = [*self.generation.texts, *map(json.dumps, episode.opening())]
        try:
            response = Response.read(self.orchestrator(request("i", None, self.instance.input, texts)))
        except Exception as error:
            response = read_failure(error) or pytest.fail(str(error))
        commit = close(episode, response, NAMES, 1000, False)
        assert not commit.warnings, commit.warnings
        self.generation.append(commit.texts, commit.events)
        self.under_way += [self.result_of(item) for item in commit.work]
        # An hour never passes here: the timers of races are there to be cancelled.
        soon = timestamp(now() + timedelta(minutes=30))
        self.under_way += [message.event for message in commit.messages if message.event["FireAt"] < soon]
        for child in commit.children:
            assert child.parent
            assert child.input
            done = {"TaskScheduledId": child.parent.task_id, "Result": json.loads(child.input)}
            self.under_way.append(event(Kind.CHILD_COMPLETED, timestamp(now()), **done))
        return commit

    def result_of(self, item):
        """Finish an activity; a flaky one fails now and then, but never three times in all."""
        at = timestamp(now())
        if item.name == "flaky" and self.chance.random() < 0.4 and self.failures_left:
            self.failures_left -= 1
            return event(Kind.TASK_FAILED, at, TaskScheduledId=item.task_id, Reason="flaky", Details="")
        return event(Kind.TASK_COMPLETED, at, TaskScheduledId=item.task_id, Result=item.input)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plan=st.lists(steps, max_size=5), seed=st.integers(0, 2**32))
def test_any_order_of_completion_gives_the_same_result(plan, seed):
    """Fan-outs, retries, children, timers, races and settle-all loops end alike in every order, with nothing open."""
    host = Host(plan, random.Random(seed))

    commit = host.run()

    completed = [each for each in host.generation.events if each["EventType"] == Kind.EXECUTION_COMPLETED]
    assert len(completed) == 1
    assert json.loads(commit.output) == [expected(*step) for step in plan]


def test_stories_are_not_vacuous():
    """A plan with everything in it makes every kind of event."""
    plan = [("all", [("echo", 1), ("flaky", 1), ("child", 2), ("timer", 0)]), ("race", 3), ("settle", [4, 5])]

    host = Host(plan, random.Random(1))
    host.run()

    kinds = {each["EventType"] for each in host.generation.events}
    assert {Kind.TASK_COMPLETED, Kind.CHILD_COMPLETED, Kind.TIMER_FIRED, Kind.EXECUTION_COMPLETED} <= kinds
