"""What a validation printed, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from triggers.views.common import Chip, Link, duration, release_url

SHOWN = 20_000  # characters of one step's output, its end


@dataclass(frozen=True)
class StepLogView:
    anchor: str
    name: str
    chip: Chip
    took: str
    output: str
    cut: bool  # the beginning of the output is left out


@dataclass(frozen=True)
class ValidationView:
    title: str
    repository: str
    trail: tuple[Link, ...]
    steps: tuple[StepLogView, ...]


def validation_page(release: str, repository: str, lines: Iterable[Mapping[str, Any]]) -> ValidationView:
    """Show what the validation of a release printed."""
    trail = (Link(f"Release {release.rpartition('-')[2][:8]}", release_url(release)),)
    return ValidationView("Validation log", repository, trail, step_logs(lines))


def step_logs(lines: Iterable[Mapping[str, Any]]) -> tuple[StepLogView, ...]:
    """Show the lines of a validation's results: step, ok, seconds, output_tail."""
    return tuple(_step(number, line) for number, line in enumerate(lines, start=1))


def _step(number: int, line: Mapping[str, Any]) -> StepLogView:
    output = str(line.get("output_tail") or "")
    return StepLogView(
        anchor=f"step-{number}",
        name=str(line.get("step", "")),
        chip=Chip("passed", "passed") if line.get("ok") else Chip("failed", "failed"),
        took=duration(float(line.get("seconds") or 0)),
        output=output[-SHOWN:],
        cut=len(output) > SHOWN,
    )
