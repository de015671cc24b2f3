"""Lanes in real blobs: a release that is being cancelled and its own deployment never both win."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from adapters import lanes
from adapters.blobs import Blobs
from domain.errors import Conflict
from domain.lanes import Answer, Bar, Holder, Lane, Turn
from tests import samples
from tests.domain.test_lanes import ask as enter

AT = "2026-11-23T09:00:00Z"
BAR = Bar(samples.RELEASE, "Cancelled by maria.", AT)


def ask(blobs: Blobs, environment: str = "prod") -> Answer:
    """Let the release ask for its turn."""
    answers: list[Answer] = []

    def step(lane: Lane) -> Lane:
        after, entry = enter(lane, Turn(samples.RELEASE, samples.SHA, 1))
        answers.append(entry.answer)
        return after

    lanes.change(blobs, samples.REPOSITORY, environment, step)
    return answers[-1]


def bar(blobs: Blobs, wanted: Bar = BAR) -> bool:
    """Bar the release; say whether that worked."""
    try:
        lanes.bar(blobs, samples.REPOSITORY, ["dev", "prod"], wanted)
    except Conflict:
        return False
    return True


def test_release_is_barred_everywhere(blobs: Blobs) -> None:
    """Also where nobody ever was, and where only others were."""
    lanes.change(blobs, samples.REPOSITORY, "staging", lambda lane: replace(lane, approvers=("maria",)))

    assert bar(blobs)
    assert {ask(blobs, name) for name in ("dev", "prod", "staging")} == {Answer.BARRED}


def test_release_that_deploys_somewhere_is_barred_nowhere(blobs: Blobs) -> None:
    """Else it would end on its way, although whoever wanted to cancel it was refused. Another's bar stays."""
    lanes.change(blobs, samples.REPOSITORY, "prod", lambda lane: replace(lane, holder=Holder(samples.RELEASE, AT)))

    assert not bar(blobs)
    assert ask(blobs, "dev") is Answer.ENTERED


def test_bar_of_somebody_else_outlives_a_refusal(blobs: Blobs) -> None:
    """Two people cancel at once: who meets a deployment takes back what is their own, and no more."""
    jonas = replace(BAR, why="Cancelled by jonas.")
    lanes.change(blobs, samples.REPOSITORY, "dev", lambda lane: replace(lane, barred=(jonas,)))
    lanes.change(blobs, samples.REPOSITORY, "prod", lambda lane: replace(lane, holder=Holder(samples.RELEASE, AT)))

    with pytest.raises(Conflict):
        lanes.bar(blobs, samples.REPOSITORY, ["dev", "prod"], BAR)

    assert lanes.read(blobs, samples.REPOSITORY, "dev").barred == (jonas,)


def test_release_either_deploys_or_is_cancelled(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets in between the look at its lane and the bar: the bar looks again."""
    read = Blobs.read_with_etag

    def slowly(self: Blobs, name: str) -> tuple[bytes, str] | None:
        found = read(self, name)
        if name.endswith("/prod.json"):
            monkeypatch.setattr(Blobs, "read_with_etag", read)
            assert ask(blobs) is Answer.ENTERED
        return found

    monkeypatch.setattr(Blobs, "read_with_etag", slowly)

    assert not bar(blobs)
    assert lanes.read(blobs, samples.REPOSITORY, "prod").barred == ()


def test_of_two_that_happen_at_once_one_wins(blobs: Blobs) -> None:
    """However often it is tried."""
    with ThreadPoolExecutor(2) as both:
        for _ in range(20):
            entered, barred = both.submit(ask, blobs), both.submit(bar, blobs)
            assert (entered.result() is Answer.ENTERED) is not barred.result()
            lanes.free(blobs, samples.REPOSITORY, samples.RELEASE)


def test_lane_in_which_nobody_ever_was_is_not_listed(blobs: Blobs) -> None:
    """All that was kept of it was the bar of a release that is over."""
    bar(blobs)
    lanes.free(blobs, samples.REPOSITORY, samples.RELEASE)

    assert lanes.all_lanes(blobs, samples.REPOSITORY) == []
