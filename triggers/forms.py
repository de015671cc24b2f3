"""What people send: forms of our own pages, and the same as JSON from scripts. Nothing else changes anything."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import azure.functions as func

from domain.approvals import form_seal, same_form
from domain.errors import BadRequest, Forbidden, TooLarge
from settings import Settings
from triggers.identity import Person, refuse_cross_site, refuse_foreign

MAX_FORM = 64 * 1024  # bytes


def seal(settings: Settings, who: Person, action: str, about: str = "") -> str:
    """Return what a form carries as `csrf`: only for this person, the address it goes to, and what it is about."""
    return form_seal(action, who.name, about, settings.link_secret)


def read_fields(req: func.HttpRequest, settings: Settings, who: Person, action: str) -> dict[str, str]:
    """Return the fields of a form that our page made for this person, or of a JSON object.

    Raises Forbidden for a form from elsewhere. A browser sends JSON to another site only if that site allows it, which
    we do not, so JSON needs no seal.
    """
    if not wants_json(req):
        refuse_cross_site(req.headers, settings.public_url)
        fields = read_form(req)
        check_seal(fields, seal(settings, who, action))
        return fields
    refuse_foreign(req.headers, settings.public_url)
    try:
        fields = json.loads(_body(req))
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON: send one object whose values are texts.") from error
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise BadRequest("The body is JSON of another kind: send one object whose values are texts.")
    return fields


def wants_json(req: func.HttpRequest) -> bool:
    """Say whether a script sends this, and reads JSON: forms of browsers cannot have this content type."""
    sent: str = req.headers.get("content-type", "")
    return sent.partition(";")[0].strip().lower() == "application/json"


def read_form(req: func.HttpRequest) -> dict[str, str]:
    """Return the fields of a form, the first of each name. Raises TooLarge, BadRequest."""
    body = _body(req)
    try:
        fields: dict[str, list[str]] = parse_qs(body.decode("utf-8"), max_num_fields=20, strict_parsing=False)
    except ValueError as error:
        raise BadRequest("The form cannot be read. Open the page again and use its buttons.") from error
    return {key: values[0] for key, values in fields.items()}


def check_seal(fields: dict[str, str], expected: str) -> None:
    """See that our page made a form for the person who sends it. Raises Forbidden."""
    if not same_form(fields.get("csrf", ""), expected):
        raise Forbidden("This form is not valid any more. Open the page again and use its buttons.")


def _body(req: func.HttpRequest) -> bytes:
    body = req.get_body()
    if len(body) > MAX_FORM:
        raise TooLarge("The form is too large: shorten what you wrote.")
    return body
