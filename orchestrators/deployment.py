"""Put an image into an environment, try it, watch it, and go back when it does not hold."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from activities.announce_deployment import announce_deployment
from activities.deploy_image import deploy_image
from activities.probe_deployment import probe_deployment
from activities.roll_back import roll_back
from domain.config import Environment
from domain.messages import probe_detail, rolled_back
from domain.models import Deployment, Probe
from domain.watching import fault, together
from domain.wire import read
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()

SMOKE_REQUESTS = 3
WATCH_REQUESTS = 5
LOOKS = 20  # over the watching time, however long it is


@bp.orchestration_trigger(context_name="context")
def deployment(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Return {"ok", "detail", "deployment"?}: whether the image holds in the environment, in words.

    Input: {"release", "repository", "commit", "image", "environment": config, "snapshot", "sample", "columns",
    "previous": digest or None}.
    """
    order = context.get_input()
    environment = read(Environment, order["environment"])
    yield _announce(context, order, "in_progress", f"deploying to {environment.name}")
    context.set_custom_status({"stage": "deploying"})
    placed = yield context.call_activity(
        deploy_image, {"environment": environment.name, "image": order["image"], "release": order["release"]}
    )
    if "error" in placed:
        yield _announce(context, order, "failure", placed["error"])
        return {"ok": False, "detail": placed["error"]}
    deployed = read(Deployment, placed["deployment"])
    wrong, seen = yield from _watch(context, order, environment)
    if wrong:
        yield context.call_activity_with_retry(
            roll_back, PATIENTLY, {"release": order["release"], "deployment": placed["deployment"]}
        )
        previous = deployed.previous.digest if deployed.previous else None
        detail = rolled_back(environment.name, wrong, previous)
        yield _announce(context, order, "failure", detail)
        return {"ok": False, "detail": detail}
    detail = probe_detail(seen)
    yield _announce(context, order, "success", detail, deployed.url)
    return {"ok": True, "detail": detail, "deployment": placed["deployment"]}


def _watch(
    context: df.DurableOrchestrationContext, order: dict[str, Any], environment: Environment
) -> Generator[Any, Any, tuple[str, Probe]]:
    """Smoke-test first, then look again until the watching time is over. Returns what is wrong ("" when nothing)."""
    until = context.current_utc_datetime + timedelta(seconds=environment.watch)
    pause = timedelta(seconds=max(1, environment.watch / LOOKS))
    total: Probe | None = None
    while True:
        look = {
            "environment": environment.name,
            "snapshot": order["snapshot"],
            "sample": order["sample"],
            "columns": order["columns"],
            "requests": SMOKE_REQUESTS if total is None else WATCH_REQUESTS,
        }
        probe = read(Probe, (yield context.call_activity(probe_deployment, look)))
        total = probe if total is None else together(total, probe)
        wrong = fault(total, environment)
        context.set_custom_status({"stage": "watching", "until": until.isoformat(), "detail": probe_detail(total)})
        if wrong or context.current_utc_datetime >= until:
            return wrong, total
        yield context.create_timer(min(until, context.current_utc_datetime + pause))


def _announce(
    context: df.DurableOrchestrationContext, order: dict[str, Any], state: str, detail: str, url: str = ""
) -> Any:
    return context.call_activity(
        announce_deployment,
        {
            "repository": order["repository"],
            "commit": order["commit"],
            "environment": order["environment"]["name"],
            "release": order["release"],
            "state": state,
            "detail": detail,
            "url": url,
        },
    )
