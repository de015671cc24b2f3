"""The people of the model: they open links from comments, look at the page, and send what it lets them send."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any

import azure.functions as func

import settings
from domain import approvals, blob_names
from domain.models import ApprovalRequest
from domain.wire import read
from tests.model.watch import Ballot, Watch
from tests.model.world import World

_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


@dataclass(frozen=True)
class Form:
    """A page that lies open in somebody's browser."""

    request: ApprovalRequest
    person: str
    path: str
    fields: tuple[tuple[str, str], ...]


def questions(world: World, closed: bool = False) -> list[ApprovalRequest]:
    """Return what approvers are asked, oldest first; `closed`: also what is decided."""
    found = []
    for name in world.stored.names("releases/"):
        if name.endswith("/request.json"):
            request = read(ApprovalRequest, world.stored.read_json(name))
            door = blob_names.approval_outcome(request.release, request.environment, request.round)
            if closed or not world.stored.exists(door):
                found.append(request)
    return sorted(found, key=lambda request: (request.opened_at, request.release))


def open_link(world: World, request: ApprovalRequest, person: str) -> Form | None:
    """Open a person's link; None when it shows no form."""
    if person not in request.approvers:
        return None
    token = approvals.link_token(request, request.approvers.index(person), settings.current().link_secret)
    override = request.environment == approvals.OVERRIDE
    path = f"/api/{'overrides' if override else 'approvals'}/{token}"
    answer = world.get("override_form" if override else "approval_form", path, person)
    fields = tuple((name, html.unescape(value)) for name, value in _HIDDEN.findall(_text(answer)))
    return Form(request, person, path, fields) if fields else None


def send(world: World, watch: Watch, form: Form, decision: str, waives: bool = False) -> int:
    """Send a form, and let the watch remember what the person decided, on what, and whether it was taken."""
    more = {"decision": decision, "comment": "I have looked"} | ({"waives": "yes"} if waives else {})
    fields = dict(form.fields) | more
    override = form.request.environment == approvals.OVERRIDE
    answer = world.post("override_vote" if override else "approval_vote", form.path, form.person, fields)
    status = answer.status_code if answer else 0
    if status in (0, 200) or status >= 500:
        where = form.request.release, form.request.environment
        watch.ballots.append(Ballot(*where, form.person, decision, fields["digest"], waives, sure=status == 200))
    return status


def _text(answer: func.HttpResponse | None) -> str:
    body: Any = answer.get_body() if answer else b""
    return str(body.decode())
