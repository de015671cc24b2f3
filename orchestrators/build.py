"""Build an image with patience. A child of its own, because its parent races it against the full evaluation.

A retried activity raced by `task_any` is replayed differently when it loses; a child orchestration is not.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from activities.build_image import build_image
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def build(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Return {"image"} or {"error": what to mend}. Input: {"snapshot", "target", "commit"}."""
    return (yield context.call_activity_with_retry(build_image, PATIENTLY, context.get_input()))
