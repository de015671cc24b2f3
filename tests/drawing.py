"""The picture of a release in the README, read: which stage may end a release in which way."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from domain import timeline
from domain.models import Outcome, ReleaseRecord, StageState

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BAD = {StageState.FAILED, StageState.INCONCLUSIVE, StageState.REJECTED, StageState.EXPIRED}
STATES = {
    Outcome.FAILED: BAD,  # an override that is refused leaves the verdict as it was
    Outcome.REJECTED: {StageState.REJECTED},
    Outcome.EXPIRED: {StageState.EXPIRED},
}


def source() -> str:
    """The Mermaid source of the picture."""
    found: str = re.findall(r"```mermaid\n(.*?)```", README, re.DOTALL)[0]
    return found


def nodes() -> dict[str, str]:
    """The name of each node that is drawn, by its id: the first line of its text."""
    return dict(re.findall(r'(\w+)[(\[]+"([^"<]+)', source()))


def edges() -> set[tuple[str, str]]:
    """Every arrow, from name to name."""
    named = nodes()
    plain = re.sub(r'(\w+)[(\[]+".*?"[)\]]+', r"\1", source())
    drawn = set()
    for line in plain.splitlines():
        steps = [re.findall(r"\w+", step) for step in re.split(r"-->|-\.(?:.*?\.)?->", line)]
        for begin, end in pairwise(steps):
            drawn |= {(named[one], named[other]) for one in begin for other in end}
    return drawn


def kind(stage: str) -> str:
    """What a stage does, in whichever environment."""
    return re.sub(r"^(approve|deploy)-.*", r"\1", stage)


def ends() -> set[tuple[str, str]]:
    """Every way that is drawn in which a kind of stage ends a release."""
    outcomes = {name for name in nodes().values() if name not in {begin for begin, _ in edges()}}
    return {(kind(stage), outcome) for stage, outcome in edges() if outcome in outcomes}


def ended_by(record: ReleaseRecord) -> tuple[str, str]:
    """The stage that ended a release, and how: the last that came to such an end, else the first that was given up."""
    if record.outcome is Outcome.RELEASED:
        return "deploy", "released"
    made = [stage for stage in record.stages if stage.state in STATES.get(record.outcome, ())]
    given_up = [stage for stage in record.stages if stage.state is StageState.CANCELLED]
    # The full evaluation runs beside something else: that is where the release stands.
    given_up.sort(key=lambda stage: stage.name == timeline.FULL)
    return kind((made[-1] if made else given_up[0]).name), record.outcome.value


def check_end(record: ReleaseRecord) -> None:
    """Fail when a release ended in a way that nobody drew."""
    end = ended_by(record)
    assert end in ends(), f"the README's picture has no arrow for {end}: {record.reason}"
