"""Wait until something else stands between a change and its merge than is known, or nothing does."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

from activities.look_at_merge import look_at_merge
from domain import messages_changes
from domain.changes import ChangeFacts, Mergeable, mergeable
from domain.wire import read
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()

LOOKS_PER_GENERATION = 40  # as of jobs: the history of a generation stays short
SOON = 10.0  # seconds in which GitHub finds out whether a change can be merged


@bp.orchestration_trigger(context_name="context")
def mergeability(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Return {"facts", "rules", "late": the time is up} when that has changed; {"over": true}; {"error"}.

    Input: {"repository", "number", "instance", "sha", "base", "known": in words, "look": seconds, "until"}.
    """
    work = context.get_input()
    until = datetime.fromisoformat(work["until"])
    before = ""
    for _ in range(LOOKS_PER_GENERATION):
        seen = yield context.call_activity_with_retry(look_at_merge, PATIENTLY, work)
        if "error" in seen or seen.get("over"):
            return {name: seen[name] for name in ("error", "over") if name in seen}
        late = context.current_utc_datetime >= until
        facts = read(ChangeFacts, seen["facts"]) if "facts" in seen else None
        hindrance = mergeable(facts, work["sha"], work["base"]) if facts else Mergeable.UNKNOWN
        words = messages_changes.hindered(hindrance, facts) if facts else ""
        if facts and (late or _is_news(hindrance, words, before, work["known"])):
            return {"facts": seen["facts"], "rules": seen["rules"], "late": late}
        if late:
            return {"error": messages_changes.MERGE_AWAY}
        soon = min(SOON, work["look"]) if hindrance is Mergeable.UNKNOWN or words != before else work["look"]
        pause = timedelta(seconds=seen.get("retry_after", soon))
        before = words
        yield context.create_timer(min(context.current_utc_datetime + pause, until))
    context.continue_as_new(work)
    return None


def _is_news(hindrance: Mergeable, words: str, before: str, known: str) -> bool:
    """Say whether the story has to hear of it. What stands in the way must do so twice: our own status may be late."""
    if hindrance in {Mergeable.YES, Mergeable.GONE}:
        return True
    return hindrance is not Mergeable.UNKNOWN and words == before != known
