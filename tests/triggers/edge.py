"""The edge as a test meets it: requests as the platform hands them over, a durable client that remembers, answers."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import azure.functions as func
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus
from selectolax.lexbor import LexborHTMLParser

from activities.open_approval import ask, evidence_of
from adapters import records
from adapters.blobs import Blobs
from domain import approvals, blob_names, timeline
from domain.config import Environment
from domain.models import ApprovalRequest, ReleaseRecord, RowChange, StageState
from settings import Settings
from tests import samples
from tests.fakes import audited, row
from triggers import approval_links, overrides

ORIGIN = "https://drawbridge.acme.example"
PEOPLE = {name: f"{name}@acme.example" for name in ("alex", "maria", "jonas", "priya")}
FROM_OUR_PAGE = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
LINKS = {
    False: ("approvals", approval_links.approval_form, approval_links.approval_vote),
    True: ("overrides", overrides.override_form, overrides.override_vote),
}
FORM = {"content-type": "application/x-www-form-urlencoded"}
SCRIPT = {"content-type": "application/json"}


def plain_function(decorated: Any) -> Any:
    """Return the function behind the route decorators."""
    function = decorated.build().get_user_function()
    return getattr(function, "client_function", function)


def request(
    path: str,
    method: str = "GET",
    who: str | None = None,
    body: bytes = b"",
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    segment: str | None = None,
    route: Mapping[str, str] | None = None,
) -> func.HttpRequest:
    """Return a request as the platform hands it over; `who` is the signed-in person.

    The route's value is the path's last segment, unless `segment` gives it as the platform has decoded it.
    """
    known = {"x-ms-client-principal-name": PEOPLE.get(who, who)} if who else {}
    value = path.rpartition("/")[2] if segment is None else segment
    return func.HttpRequest(
        method=method,
        url=f"{ORIGIN}{path}",
        headers={**known, **(headers or {})},
        params=params or {},
        route_params={"token": value, "id": value, **(route or {})},
        body=body,
    )


def dashed(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers, given as keywords, under their own names."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


class Answer:
    """A response as a person or a script reads it."""

    def __init__(self, response: func.HttpResponse) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.html = response.get_body().decode()
        self.tree = LexborHTMLParser(self.html)

    @property
    def title(self) -> str:
        return self.text("h1")

    def text(self, selector: str = "main") -> str:
        return " ".join(" ".join(node.text(separator=" ") for node in self.tree.css(selector)).split())

    def links(self) -> list[str]:
        return [str(node.attributes["href"]) for node in self.tree.css("main a[href]")]

    def fields(self) -> dict[str, str]:
        """Return the form's hidden fields."""
        inputs = self.tree.css("form input[type=hidden]")
        return {str(one.attributes["name"]): str(one.attributes["value"]) for one in inputs}


@dataclass
class FakeDurable:
    """A durable client that remembers what it was asked; with `trouble` it fails."""

    started: list[tuple[str, str, Any]] = field(default_factory=list)
    rung: list[tuple[str, str]] = field(default_factory=list)
    terminated: dict[str, str] = field(default_factory=dict)  # why, by instance
    known: dict[str, dict[str, Any]] = field(default_factory=dict)  # custom status by instance
    trouble: Exception | None = None

    async def start_new(self, orchestrator: str, instance: str, payload: Any) -> str:
        await self._work()
        self.started.append((orchestrator, instance, payload))
        self.known[instance] = {}
        return instance

    async def raise_event(self, instance: str, event: str, data: Any) -> None:
        await self._work()
        self.rung.append((instance, event))

    async def terminate(self, instance: str, why: str) -> None:
        await self._work()
        if instance not in self.known:
            raise Exception(f"No instance with ID {instance} found.")  # as the SDK does
        self.terminated[instance] = why

    async def get_status(self, instance: str) -> DurableOrchestrationStatus:
        await self._work()
        if instance not in self.known:
            return DurableOrchestrationStatus.from_json("")  # what the SDK makes of a 404
        now = "2026-11-23T09:00:00Z"
        runs = "Terminated" if instance in self.terminated else "Running"
        fields = {"instanceId": instance, "createdTime": now, "lastUpdatedTime": now, "runtimeStatus": runs}
        return DurableOrchestrationStatus.from_json({**fields, "customStatus": self.known[instance]})

    async def _work(self) -> None:
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble


@dataclass
class Edge:
    """The approval pages over real blobs, and people in front of them."""

    settings: Settings
    blobs: Blobs
    client: FakeDurable = field(default_factory=FakeDurable)

    def open(
        self,
        environment: str = "prod",
        at: datetime | None = None,
        evidence: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> ApprovalRequest:
        """Ask an environment's approvers, as the release does: anew when `evidence` has changed.

        `fields` change the request.
        """
        opened = at or datetime.now(UTC)
        people = fields.pop("approvers", ("maria", "jonas", "alex"))
        request = ApprovalRequest(
            release=samples.RELEASE,
            environment=environment,
            digest="",
            approvers=people,
            nonces=tuple(secrets.token_urlsafe(32) for _ in people),
            approvals=2,
            excluded=(),
            opened_at=_text(opened),
            remind_at=_text(opened + timedelta(days=1)),
            expires_at=_text(opened + timedelta(days=3)),
            instance=f"{samples.RELEASE}.approve-{environment}",
        )
        rules = Environment.model_validate({"name": environment, "approvers": ["maria"]})
        shown = replace(evidence_of(record(), rules), **(evidence or {}))
        return ask(replace(request, **fields), shown, self.blobs)[0]

    def link(self, asked: ApprovalRequest, login: str) -> str:
        """Return the token of a person's link."""
        return approvals.link_token(asked, asked.approvers.index(login), self.settings.link_secret)

    def look(self, token: str, who: str | None, method: str = "GET", **headers: str) -> Answer:
        """Open a link."""
        return self._run(self.looking(token, who, method, **headers))

    async def looking(self, token: str, who: str | None, method: str = "GET", **headers: str) -> Answer:
        """Open a link, among other things that happen at once."""
        path, show, _ = LINKS["~override~" in token]
        asked = request(f"/api/{path}/{token}", method, who, headers=dashed(headers))
        return Answer(await plain_function(show)(asked))

    def form(
        self, token: str, who: str, decision: str = "approve", comment: str = "", **headers: str
    ) -> dict[str, str]:
        """Return what a browser would send from the page behind a link."""
        return {**self.look(token, who, **headers).fields(), "decision": decision, "comment": comment}

    def send(self, token: str, who: str | None, fields: Mapping[str, str] | bytes, **headers: str) -> Answer:
        """Send a form; headers are those of our own page unless given."""
        return self._run(self.sending(token, who, fields, **headers))

    async def sending(self, token: str, who: str | None, fields: Mapping[str, str] | bytes, **headers: str) -> Answer:
        """Send a form, among other things that happen at once."""
        body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
        sent = {**FORM, **FROM_OUR_PAGE, **dashed(headers)}
        present = {name: value for name, value in sent.items() if value}
        path, _, take = LINKS["~override~" in token]
        asked = request(f"/api/{path}/{token}", "POST", who, body, headers=present)
        return Answer(await plain_function(take)(asked, self.client))

    def post(
        self, function: Any, path: str, who: str | None, fields: Mapping[str, str], script: bool = False, **more: Any
    ) -> Answer:
        """Send a form from our page, or the same as a script's JSON. `more`: route values, and headers."""
        route = {name: more.pop(name) for name in ("id", "repository", "environment") if name in more}
        body = json.dumps(dict(fields)).encode() if script else urlencode(fields).encode()
        sent = SCRIPT if script else {**FORM, **FROM_OUR_PAGE}
        return self.raw(function, path, who, body, {**sent, **dashed(more)}, **route)

    def raw(
        self, function: Any, path: str, who: str | None, body: bytes, headers: Mapping[str, str] = SCRIPT, **route: str
    ) -> Answer:
        """Send bytes to a route that changes something."""
        sent = {name: value for name, value in headers.items() if value}
        asked = request(path, "POST", who, body, headers=sent, route=route)
        clients = [self.client] if "client" in function.__code__.co_varnames else []
        return self._run(self._answer(function(asked, *clients)))

    async def _answer(self, work: Any) -> Answer:
        return Answer(await work)

    def audited(self, what: str) -> list[dict[str, Any]]:
        """Return the records of the audit log about one kind of thing."""
        return audited(self.blobs, what)

    def votes(self, asked: ApprovalRequest) -> dict[str, tuple[str, str]]:
        """Return the stored votes: decision and comment by approver."""
        return {vote.approver: (vote.decision, vote.comment) for vote in records.read_votes(self.blobs, asked)}

    def decide(self, asked: ApprovalRequest, decision: str) -> None:
        """Close the question, as the approval orchestration does."""
        name = blob_names.approval_outcome(asked.release, asked.environment)
        self.blobs.create_json(name, {"decision": decision})

    def everything(self) -> dict[str, bytes | None]:
        """Return all blobs there are."""
        return {name: self.blobs.read(name) for name in self.blobs.names()}

    def _run(self, work: Any) -> Answer:
        answer: Answer = asyncio.run(work)
        return answer


def in_groups(*groups: str) -> str:
    """Return the platform's header for somebody in these Entra groups."""
    claims = [{"typ": "name", "val": "somebody"}, *({"typ": "groups", "val": group} for group in groups)]
    return base64.b64encode(json.dumps({"auth_typ": "aad", "claims": claims}).encode()).decode()


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def record(**fields: Any) -> ReleaseRecord:
    """Return a release of SHA that waits for the approvers of prod."""
    known = timeline.end(samples.record(), timeline.PREPARE, StageState.PASSED, "2026-11-23T09:00:00Z")
    known = timeline.add_evaluation(known, samples.summary("minimal", lowest=(RowChange("r1", "f1", None, 0.1),)))
    known = timeline.add_deployment(known, samples.deployment("dev"))
    return replace(known, image=samples.IMAGE, **fields)


def store_rows(blobs: Blobs, evaluation: str, ids: Sequence[str]) -> None:
    """Store result rows of an evaluation."""
    lines = "".join(json.dumps(row(name, 0.1)) + "\n" for name in ids)
    blobs.write(blob_names.shard(evaluation, 0), lines.encode())


def lines(caplog: Any, event: str) -> list[dict[str, Any]]:
    """Return the structured log lines of an event."""
    found = [entry.getMessage() for entry in caplog.records if entry.name.startswith("drawbridge")]
    parsed = [json.loads(text) for text in found if text.startswith("{")]
    return [line for line in parsed if line["event"] == event]
