"""The timer that delivers what GitHub has not been told yet."""

from __future__ import annotations

import logging

import azure.durable_functions as df
import azure.functions as func

from adapters import connect
from domain.errors import Unavailable
from settings import current

bp = df.Blueprint()
log = logging.getLogger("drawbridge.outbox")


@bp.timer_trigger(arg_name="timer", schedule="*/15 * * * * *")
def deliver(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the host hands it over by this name
    """Deliver what is due, every 15 seconds."""
    box = connect.outbox(current())
    try:
        box.close_stale()
        done = box.drain()
    except Unavailable as error:
        log.warning("nothing was delivered to GitHub: %s", error)
        return
    if done.delivered or done.refused:
        log.info("GitHub took %d messages and refused %d", done.delivered, done.refused)
