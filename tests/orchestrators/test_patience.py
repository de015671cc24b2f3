"""How long GitHub is waited for: one rule for every story."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from activities.find_head import find_head
from orchestrators.patience import LONGEST_PAUSE, Patience, ask_github
from tests.orchestrators.stage import START, Stage

PATIENCE = Patience(3.0, "GitHub did not answer. Ask again.")
bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")  # type: ignore[untyped-decorator]  # so is the SDK
def asking(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Ask, and return the answer."""
    return (yield from ask_github(context, find_head, {"branch": "main"}, PATIENCE))


def pauses(stage: Stage) -> list[timedelta]:
    """Return how long was waited, each time."""
    ends = [START, *(timer.fire_at for timer in stage.timers)]
    return [after - before for before, after in itertools.pairwise(ends)]


def test_answer_is_taken_as_it_comes() -> None:
    """Also a refusal: waiting changes nothing about that."""
    stage = Stage({"find_head": lambda _: {"error": "404"}})

    assert stage.play(asking, {}) == {"error": "404"}
    assert stage.timers == []


def test_pauses_are_as_long_as_github_asks_and_longer_each_time() -> None:
    """Up to a quarter of an hour, unless GitHub wants more."""
    waits = iter([1.0, 200.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2000.0])
    stage = Stage({"find_head": lambda _: {"retry_after": wait} if (wait := next(waits, None)) is not None else {}})

    assert stage.play(asking, {}) == {}
    seconds = [15, 200, 60, 120, 240, 480, LONGEST_PAUSE, LONGEST_PAUSE, 2000]
    assert pauses(stage) == [timedelta(seconds=one) for one in seconds]


def test_patience_ends_with_its_time_and_with_words() -> None:
    """It asks once more after the time is over: GitHub may be back by then."""
    stage = Stage({"find_head": lambda _: {"retry_after": 60.0}})

    assert stage.play(asking, {}) == {"error": "GitHub did not answer. Ask again.", "away": True}
    assert timedelta(hours=3) <= stage.now - START < timedelta(hours=3, seconds=LONGEST_PAUSE)
