"""The frame of the benchmarks: it finds them, judges ratios, and hides nothing."""

from __future__ import annotations

import sys

import azure.durable_functions as df
import pytest
from rich.console import Console

from benchmarks.__main__ import PAGE, main, measure, names, page
from benchmarks.simulated_hub import START, SimulatedHub

QUICK = {"name": "quick", "ours": "1 s", "peer": "2 s", "ratio": 0.5, "goal": 1.0, "note": ""}
SLOW = {"name": "slow", "ours": "3 s", "peer": "2 s | cold", "ratio": 1.5, "goal": 1.0, "note": "why"}
KNOWN = {"name": "memory", "ours": "90 MB", "peer": "", "ratio": None, "goal": None, "note": ""}


def test_every_benchmark_file_is_found():
    """A new bench_*.py takes part without being registered anywhere."""
    assert {"replay", "import"} <= set(names())


def test_the_page_shows_what_falls_short():
    """Met and missed goals, rows without a goal, the command and the machine."""
    text = page({"speed": [QUICK, SLOW, KNOWN]}, "python -m benchmarks --runs 5")

    assert "| quick | 1 s | 2 s | 0.50 | <= 1 | yes |  |" in text
    assert "| slow | 3 s | 2 s / cold | 1.50 | <= 1 | no | why |" in text
    assert "| memory | 90 MB |  |  |  |  |  |" in text
    assert "Made by `python -m benchmarks --runs 5` on " in text
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" in text


def test_benchmarks_that_were_not_run_stay_as_they_were():
    """One of them can be measured again without hours for the others."""
    first = page({"speed": [QUICK], "memory": [KNOWN]}, "python -m benchmarks")
    second = page({"speed": [SLOW]}, "python -m benchmarks --only speed", first)

    assert second.count("\n## ") == 2
    assert "| quick |" not in second
    assert "| slow |" in second
    assert first.partition("## memory")[2].partition("\n## ")[0] in second
    assert page({"speed": [SLOW]}, "python -m benchmarks --only speed", second) == second


def test_a_broken_benchmark_does_not_hide_the_others():
    """It is named with its reason, and the page is left as it was."""
    console = Console(record=True, width=120)

    assert measure("of_nothing", 1, console) is None
    assert (
        "of_nothing ... broke: ModuleNotFoundError: No module named 'benchmarks.bench_of_nothing'"
        in console.export_text()
    )


def test_an_unknown_benchmark_is_refused(capsys):
    """The message lists those there are, and nothing is measured or written."""
    before = PAGE.read_text() if PAGE.exists() else None
    with pytest.raises(SystemExit) as caught:
        main(["--only", "speed"])

    assert caught.value.code == 2
    assert "invalid choice: 'speed'" in capsys.readouterr().err
    assert (PAGE.read_text() if PAGE.exists() else None) == before


def parent(context):
    doubled = yield context.task_all([context.call_activity("double", number) for number in (1, 2, 3)])
    yield context.create_timer(context.current_utc_datetime.replace(year=2027))
    added = yield context.call_sub_orchestrator("child", doubled)
    if context.get_input() < 3:
        context.continue_as_new(context.get_input() + 1)
        return None
    return [added, context.get_input()]


def child(context):
    total = yield context.call_activity("add", context.get_input())
    return total


def test_the_simulated_hub_runs_orchestrations_to_their_end():
    """Fan-out, timers on a virtual clock, children and new generations, through the SDK's own replay."""
    hub = SimulatedHub(
        {"parent": df.Orchestrator.create(parent), "child": df.Orchestrator.create(child)},
        {"double": lambda number: number * 2, "add": sum},
    )

    assert hub.run("parent", 1) == [12, 3]
    assert hub.generations == 6
    assert hub.episodes == 3 * (1 + 3 + 1 + 1) + 3 * 2
    assert hub.now.year == START.year + 1
    assert 2_000 < hub.largest_history < 10_000


def failing(context):
    yield context.call_activity("double", 1)
    raise ValueError("no such luck")


def test_the_simulated_hub_does_not_measure_failures():
    """An orchestration that fails is no number."""
    hub = SimulatedHub({"failing": df.Orchestrator.create(failing)}, {"double": lambda number: number})

    with pytest.raises(Exception, match="no such luck"):
        hub.run("failing", None)
