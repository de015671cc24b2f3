"""Failure texts in the words of the Durable extension; apps parse some of them."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterable

log = logging.getLogger("devhost.durable")

_QUEUE_LIMIT = 45 * 1024  # bytes; Azure Storage spills longer queue messages to blobs


def activity_reason(name: str, error: BaseException) -> str:
    """Word an activity's failure."""
    return f"Activity function '{name}' failed:  {_brief(error)}"


def activity_details(error: BaseException) -> str:
    """Write the one-line JSON of a .NET exception that Azure gives as `Details`."""
    return json.dumps(
        {
            "$type": "System.Exception, System.Private.CoreLib",
            "ClassName": "System.Exception",
            "Message": f" {_brief(error)}",
            "Data": None,
            "InnerException": None,
            "HelpURL": None,
            "StackTraceString": "".join(traceback.format_exception(error)),
            "RemoteStackTraceString": None,
            "HResult": -2146233088,
            "Source": None,
        }
    )


def orchestrator_failed(name: str, error: str) -> str:
    """Word an orchestrator's failure; it becomes the instance's output."""
    return f"Orchestrator function '{name}' failed: {error}"


def unknown_function(name: str, kind: str, known: Iterable[str]) -> str:
    """Word a call of a function that is not there; `kind` is activity or orchestrator."""
    names = ", ".join(f"'{each}'" for each in sorted(known))
    return (
        f"The function '{name}' doesn't exist, is disabled, or is not an {kind} function. "
        f"Additional info: The following are the known {kind} functions: {names}."
    )


def non_deterministic(kind: str, number: int, name: str, instead: str = "") -> str:
    """Word a history that the code no longer fits: what it has, and what the code does there `instead`, if anything."""
    replayed = (
        f"current orchestration replay instead produced {instead} with this sequence number"
        if instead
        else "current replay execution hasn't (yet?) scheduled this task"
    )
    return (
        f"Non-Deterministic workflow detected: A previous execution of this orchestration scheduled {kind} with "
        f"sequence ID {number} and name '{name}', but the {replayed}. "
        "Was a change made to the orchestrator code after this instance had already started running?"
    )


def warn_if_large(what: str, text: str | None) -> None:
    """Warn about a payload that Azure Storage would have to keep in a blob."""
    size = len(text.encode()) if text and len(text) > _QUEUE_LIMIT // 4 else 0
    if size > _QUEUE_LIMIT:
        log.warning(
            "%s is %d KB: over 45 KB Azure Storage keeps it in a compressed blob, slower and in every replay; "
            "pass a reference instead",
            what,
            size // 1024,
        )


def _brief(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
