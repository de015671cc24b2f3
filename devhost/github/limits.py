"""GitHub's limits on what it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any

from devhost.github.refusals import Refused, invalid

COMMENT = 65_536  # characters
DESCRIPTION = 140  # characters, of a status or deployment status
LABEL = 50  # characters
STATUSES = 1_000  # of one context on one commit
STATUS_STATES = ("error", "failure", "pending", "success")
DEPLOYMENT_STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")
CHECK_TEXT = 65_535  # characters, of a check run's summary, and of its text
CHECK_STATUSES = ("queued", "in_progress", "completed")
CHECK_CONCLUSIONS = ("action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out")
ANNOTATIONS = 50  # in one request
ANNOTATION = 65_536  # bytes, of an annotation's message
BUTTONS = 3
BUTTON = {"label": 20, "description": 40, "identifier": 20}  # characters


def check_comment(resource: str, body: str) -> None:
    """Refuse a body over the limit."""
    if len(body) > COMMENT:
        raise invalid(resource, "data", f"Body is too long (maximum is {COMMENT} characters)", "unprocessable")


def check_description(resource: str, description: str | None) -> None:
    """Refuse a description over the limit."""
    if description is not None and len(description) > DESCRIPTION:
        raise invalid(resource, "description", f"description is too long (maximum is {DESCRIPTION} characters)")


def check_check_run(fields: Mapping[str, Any]) -> None:
    """Refuse a check run's fields over their limits, or with words GitHub does not know."""
    _one_of(fields, "status", CHECK_STATUSES)
    _one_of(fields, "conclusion", CHECK_CONCLUSIONS)
    output = fields.get("output")
    if output is not None:
        for name in ("title", "summary"):
            if not isinstance(output.get(name), str):
                raise Refused(422, f'Invalid request.\n\n"{name}" wasn\'t supplied.')
        _at_most(output["summary"], CHECK_TEXT, "characters are allowed")
        _at_most(output.get("text") or "", CHECK_TEXT, "characters are allowed")
        _at_most(output.get("annotations") or (), ANNOTATIONS, "items are allowed")
        for one in output.get("annotations") or ():
            _at_most(str(one.get("message", "")).encode(), ANNOTATION, "bytes are allowed")
    buttons = fields.get("actions") or ()
    _at_most(buttons, BUTTONS, "items are allowed")
    for button in buttons:
        for name, most in BUTTON.items():
            _at_most(str(button.get(name, "")), most, "characters are allowed")


def _one_of(fields: Mapping[str, Any], name: str, known: tuple[str, ...]) -> None:
    value = fields.get(name)
    if value is not None and value not in known:
        raise Refused(422, f"Invalid request.\n\n{value} is not a possible value of {name}: {', '.join(known)}.")


def _at_most(thing: Sized, most: int, words: str) -> None:
    if len(thing) > most:
        only = "No more than" if words.startswith("items") else "Only"
        raise Refused(422, f"Invalid request.\n\n{only} {most} {words}; {len(thing)} were supplied.")
