"""What the terminal shows of a release while it runs."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from devhost.watch import SIGNS, Timeline, stage_table
from domain.models import Stage, StageState
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
