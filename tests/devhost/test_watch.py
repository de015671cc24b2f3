"""What the terminal shows of a release while it runs."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from devhost.watch import SIGNS, Beside, Timeline, stage_table
from domain.models import Outcome, Stage, StageState
from scripts import preview_data as data


def shown(renderable: object) -> str:
    """Draw something on a console of ordinary width."""
    console = Console(file=io.StringIO(), width=110)
    console.print(renderable)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_a_running_stage_shows_rows_done_of_total():
    """The bar is real: its numbers come from the orchestration that runs the stage."""
    record = data.running_release()
    running = next(stage for stage in record.stages if stage.state is StageState.RUNNING)

    drawn = shown(stage_table(record, {running.name: {"done": 132, "total": 300}}))

    assert "132 of 300" in drawn


def test_rows_that_are_not_done_say_how_long_they_take():
    """Nobody looks at a bar without knowing when it is over; steps of a validation are not all alike."""
    record = replace(
        data.running_release(),
        stages=(Stage("evaluate-full", StageState.RUNNING), Stage("validate", StageState.RUNNING)),
    )
    end = (datetime.now(UTC) + timedelta(seconds=100)).isoformat()

    drawn = shown(
        stage_table(
            record,
            {
                "evaluate-full": {"done": 132, "total": 300, "expected_end": end},
                "validate": {"done": 3, "total": 4, "expected_end": None},
            },
        )
    )

    assert "132 of 300 rows, about 1" in drawn
    assert "3 of 4 steps" in drawn
    assert drawn.count("left") == 1


def test_every_stage_has_a_line_and_every_state_a_sign():
    """Nothing that happens to a stage is left out."""
    record = data.stopped()

    assert len(shown(stage_table(record, {})).strip().splitlines()) >= len(record.stages)
    assert SIGNS.keys() == set(StageState)


def test_without_a_terminal_each_change_is_one_line():
    """A log of a CI job shows each step once, not thousands of redrawn bars."""
    console = Console(file=io.StringIO(), width=110)
    record = data.running_release()
    waiting = replace(record, stages=tuple(replace(stage, state=StageState.WAITING) for stage in record.stages))

    with Timeline(console) as timeline:
        for seen in (waiting, record, record, record):
            timeline.show(seen, {})
    lines = console.file.getvalue().strip().splitlines()  # type: ignore[attr-defined]

    assert len(lines) == sum(stage.state is not StageState.WAITING for stage in record.stages)


@pytest.mark.parametrize("live", [True, False])
def test_rows_that_pay_for_a_skipped_evaluation_are_counted(live):
    """A stranger sees that the night works on what the release owes."""
    console = Console(file=io.StringIO(), width=110)
    record = replace(data.running_release(), stages=(Stage("evaluate-full", StageState.SKIPPED, detail="words only"),))
    progress = {"evaluate-full": {"done": 45, "total": 300}}

    if live:
        console.print(stage_table(record, progress))
    else:
        with Timeline(console) as timeline:
            timeline.show(record, progress)

    assert "45 of 300" in console.file.getvalue()  # type: ignore[attr-defined]
    assert "made up for at night" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("live", [True, False])
def test_markup_in_a_stage_is_text(live):
    """What a repository wrote is shown as it is and never read as formatting."""
    console = Console(file=io.StringIO(), width=110)
    stage = Stage("validate", StageState.FAILED, detail="[bold red]boo[/] [/nonsense]")
    record = replace(data.running_release(), stages=(stage,))

    if live:
        console.print(stage_table(record, {}))
    else:
        with Timeline(console) as timeline:
            timeline.show(record, {})

    assert "[bold red]boo[/] [/nonsense]" in console.file.getvalue()  # type: ignore[attr-defined]


def beside() -> Beside:
    """Another release, of which a night makes up for rows while its approvers are asked."""
    stages = (Stage("evaluate-full", StageState.SKIPPED), Stage("approve-prod", StageState.RUNNING))
    progress = {"evaluate-full": {"done": 45, "total": 300}}
    return Beside("Say [how] to write", replace(data.running_release(), id="release-other", stages=stages), progress)


@pytest.mark.parametrize("live", [True, False])
def test_another_release_on_its_way_has_one_line(live):
    """Of what it does at once the line tells what counts rows, and whose it is."""
    console = Console(file=io.StringIO(), width=110, force_terminal=live)
    record = replace(data.running_release(), stages=())

    with Timeline(console) as timeline:
        timeline.show(record, {}, beside())
        drawn = shown(timeline._live.renderable) if timeline._live else console.file.getvalue()  # type: ignore[attr-defined]

    assert "beside it, “Say [how] to write”: Full evaluation 45 of 300 rows, made up for at night" in drawn
    assert "Approval" not in drawn


@pytest.mark.parametrize(("outcome", "wiped"), [(Outcome.RUNNING, True), (Outcome.RELEASED, False)])
def test_only_a_release_that_is_over_leaves_its_stages_in_the_terminal(outcome, wiped, monkeypatch):
    """Who turns to another release and back sees each of them once."""
    monkeypatch.setenv("TERM", "xterm")  # nothing is drawn on a dumb one
    console = Console(file=io.StringIO(), width=110, force_terminal=True)
    record = replace(data.released(), outcome=outcome, stages=(Stage("validate", StageState.PASSED),))

    with Timeline(console) as timeline:
        timeline.show(record, {}, beside())
    # What comes after the cursor is shown again.
    last = console.file.getvalue().rpartition("\x1b[?25h")[2]  # type: ignore[attr-defined]

    assert ("\x1b[1A" in last) is wiped


def test_a_timeline_that_is_entered_again_tells_nothing_twice():
    """Without a terminal, too, turning to another release and back goes on where it was."""
    console = Console(file=io.StringIO(), width=110)
    timeline, record = Timeline(console), replace(data.released(), stages=(Stage("validate", StageState.PASSED),))

    for _ in range(2):
        with timeline:
            timeline.show(record, {})

    assert console.file.getvalue().count("Validate") == 1  # type: ignore[attr-defined]


def test_a_stage_that_takes_long_is_told_again_without_its_details(monkeypatch):
    """Without a terminal a sign of life now and then is enough: what is asked for was said before."""
    monkeypatch.setattr("devhost.watch.QUIET_SECONDS", 0.0)
    console = Console(file=io.StringIO(), width=110)
    record = replace(data.running_release(), stages=(Stage("approve-prod", StageState.RUNNING, detail="needs two"),))

    with Timeline(console) as timeline:
        for _ in range(2):
            timeline.show(record, {})
    lines = console.file.getvalue().strip().splitlines()  # type: ignore[attr-defined]

    assert ["needs two" in line for line in lines] == [True, False]
