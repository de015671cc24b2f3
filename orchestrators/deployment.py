"""Put an image into an environment, try it, watch it, and go back when it does not hold."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from activities.announce_deployment import announce_deployment
from activities.deploy_image import deploy_image
from activities.probe_deployment import probe_deployment
from activities.roll_back import roll_back
from domain import messages
from domain.audit import APP
from domain.config import Environment
from domain.models import Image, Probe
from domain.watching import fault, together
from domain.wire import read
from orchestrators.retries import BRIEFLY, PATIENTLY

bp = df.Blueprint()

SMOKE_REQUESTS = 3
WATCH_REQUESTS = 5
LOOKS = 20  # over the watching time, however long it is


@bp.orchestration_trigger(context_name="context")
def deployment(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Return {"ok", "detail", "deployment"?}: whether the image holds in the environment, in words.

    Input: {"release", "repository", "commit", "image", "environment": config, "snapshot", "sample", "columns", "by":
    who let it through, "evidence": the digest of what they saw}.
    """
    order = context.get_input()
    environment = read(Environment, order["environment"])
    context.set_custom_status(
        {"stage": f"deploy-{environment.name}", "since": context.current_utc_datetime.isoformat()}
    )
    yield from _announce(context, order, "in_progress", messages.deploying(environment.name))
    placed = yield from _place(context, order)
    if "error" in placed:
        yield from _announce(context, order, "failure", placed["error"])
        return {"ok": False, "detail": placed["error"]}
    seen, wrong = yield from _watch(context, order, environment)
    if wrong:
        detail = yield from _go_back(context, order, placed["deployment"], wrong)
        yield from _announce(context, order, "failure", detail)
        return {"ok": False, "detail": detail}
    yield from _announce(context, order, "success", seen, placed["deployment"]["url"])
    return {"ok": True, "detail": seen, "deployment": placed["deployment"]}


def _place(context: df.DurableOrchestrationContext, order: dict[str, Any]) -> Generator[Any, Any, Any]:
    """Run the image. When that fails for good, the image before still runs: the adapter switches only when healthy."""
    wanted = {name: order[name] for name in ("repository", "image", "release", "commit")}
    wanted |= {"environment": order["environment"]["name"], **_grounds(context, order)}
    try:
        return (yield context.call_activity_with_retry(deploy_image, BRIEFLY, wanted))
    except Exception as error:
        return {"error": messages.first_line(error)}


def _grounds(context: df.DurableOrchestrationContext, order: dict[str, Any]) -> dict[str, str]:
    """Return what the audit log says of this deployment: an order of an earlier version names nobody."""
    return {"instance": context.instance_id, "by": order.get("by", APP), "evidence": order.get("evidence", "")}


def _watch(
    context: df.DurableOrchestrationContext, order: dict[str, Any], environment: Environment
) -> Generator[Any, Any, tuple[str, str]]:
    """Smoke-test first, then look again until the watching time is over. Returns what was seen, and what is wrong.

    A look that cannot be made counts as wrong: nobody knows what an unwatched image does.
    """
    until = None
    pause = timedelta(seconds=max(1, environment.watch / LOOKS))
    look = {name: order[name] for name in ("repository", "release", "snapshot", "sample", "columns")}
    total: Probe | None = None
    while True:
        asked = {**look, "environment": environment.name, "requests": WATCH_REQUESTS if total else SMOKE_REQUESTS}
        try:
            probe = read(Probe, (yield context.call_activity_with_retry(probe_deployment, BRIEFLY, asked)))
        except Exception as error:
            return "", messages.not_watched(error)
        total = together(total, probe) if total else probe
        wrong, seen = fault(total, environment), messages.probe_detail(total)
        # From the end of the first look on: one that takes longer than the watch must not be the only one.
        until = until or context.current_utc_datetime + timedelta(seconds=environment.watch)
        if wrong or context.current_utc_datetime >= until:
            return seen, wrong
        yield context.create_timer(min(until, context.current_utc_datetime + pause))


def _go_back(
    context: df.DurableOrchestrationContext, order: dict[str, Any], deployed: dict[str, Any], wrong: str
) -> Generator[Any, Any, str]:
    """Return to the image before, and say what the environment runs now."""
    undoing = {"repository": order["repository"], "release": order["release"], "deployment": deployed, "why": wrong}
    undone = yield context.call_activity_with_retry(roll_back, PATIENTLY, {**undoing, **_grounds(context, order)})
    now = read(Image, undone["image"]) if undone["image"] else None
    return messages.rolled_back(order["environment"]["name"], wrong, now, undone["replaced"])


def _announce(
    context: df.DurableOrchestrationContext, order: dict[str, Any], state: str, detail: str, url: str = ""
) -> Generator[Any, Any, None]:
    """Show it on GitHub. What GitHub shows never decides what is deployed, so a failure ends here."""
    news = {
        "repository": order["repository"],
        "commit": order["commit"],
        "environment": order["environment"]["name"],
        "release": order["release"],
        "state": state,
        "detail": detail,
        "url": url,
    }
    patience = BRIEFLY if state == "in_progress" else PATIENTLY
    with contextlib.suppress(Exception):
        yield context.call_activity_with_retry(announce_deployment, patience, news)
