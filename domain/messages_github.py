"""The words of check runs and commit statuses. One function per message."""

from __future__ import annotations

from dataclasses import replace

from domain import messages
from domain.models import ReleaseRecord, Stage, StageState
from domain.outbox import Button, Status
from domain.timeline import FULL

EVALUATE_FULLY = Button("evaluate-full", "Evaluate fully", "Run the full evaluation after all")


def status_context(stage: str) -> str:
    """Name a stage's check run or commit status."""
    return f"{messages.STATUS_PREFIX}/{stage}"


def status_description(stage: Stage) -> str:
    """Say in one line how a stage stands. What was skipped says by whom and why, first of all."""
    if stage.state is StageState.SKIPPED and stage.detail:
        return stage.detail
    return f"{stage.state.value}: {stage.detail}" if stage.detail else stage.state.value


def check_summary(record: ReleaseRecord, stage: Stage, site: str) -> str:
    """Return the Markdown of a stage's check run: what it came to, and where its release is."""
    kind = stage.name.removeprefix("evaluate-")
    parts = [
        f"**{messages.stage_title(stage.name)}**: {stage.state.value}",
        messages.plain(stage.detail),
        *(messages.evaluation_section(one, site) for one in record.evaluations if one.kind == kind),
        "To have it evaluated after all, comment `/evaluate full` on the change." if buttons(stage) else "",
        f"[Release page]({site}/releases/{record.id})",
    ]
    return "\n\n".join(part for part in parts if part)


def buttons(stage: Stage) -> tuple[Button, ...]:
    """Return what people may ask for on a stage's check run."""
    return (EVALUATE_FULLY,) if stage.name == FULL and stage.state is StageState.SKIPPED else ()


def close_early(status: Status) -> Status:
    """Return what closes the check run of a stage that runs for too long, and says why."""
    why = f"{status.description} – closed before GitHub calls it stale; it still runs"
    return replace(status, state=StageState.INCONCLUSIVE.value, description=why)
