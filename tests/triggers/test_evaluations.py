"""Asking for an evaluation by form or by script: who may, of what, once while it runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import azure.functions as func
import pytest

from adapters import audit, connect
from adapters.blobs import Blobs
from domain import blob_names
from domain.errors import Forbidden, NotFound, Unavailable
from settings import Settings
from tests.fakes import audited
from tests.triggers.edge import FORM, FROM_OUR_PAGE, ORIGIN, PEOPLE, FakeDurable, lines, plain_function, request
from triggers import evaluations, forms
from triggers.identity import Person

HEAD, OLD = "c0ffee" + "0" * 34, "0dd" + "0" * 37
NAME = f"on-demand-acme.helpdesk-{HEAD}-full-1"
WANTED = {"repository": "acme/helpdesk", "kind": "full", "ref": "main"}
JSON = {"content-type": "application/json"}


class GitHub:
    """What GitHub knows here: maria can write, jonas can read; one branch, one older commit of it."""

    away = False

    def permission(self, repository: str, login: str) -> str:
        if self.away:
            raise Unavailable("GitHub is away", 17)
        assert repository == "acme/helpdesk"
        return {"maria": "write", "jonas": "read"}.get(login, "none")

    def head_of(self, repository: str, ref: str) -> str:
        if ref != "main":
            raise NotFound(f"{repository} has no branch or tag {ref!r}: check the name, or push it first.")
        return HEAD

    def commit_on(self, repository: str, sha: str, branches: Sequence[str]) -> str:
        if not OLD.startswith(sha):
            raise Forbidden(f"{sha} of {repository} is not on {' or '.join(branches)}.")
        return OLD


@pytest.fixture
def github(app: Settings, monkeypatch: pytest.MonkeyPatch) -> GitHub:
    known = GitHub()
    monkeypatch.setattr(connect, "github", lambda _: known)
    return known


@pytest.fixture
def blobs(app: Settings) -> Blobs:
    return connect.blobs(app)


@pytest.fixture
def client(github: GitHub) -> FakeDurable:
    return FakeDurable()


def ask(client: FakeDurable, who: str | None = "maria", body: Any = WANTED, **headers: str) -> func.HttpResponse:
    """Send JSON, as a script does."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    asked = request("/api/evaluations", "POST", who, text, headers=sent)
    return asyncio.run(plain_function(evaluations.ask_for_evaluation)(asked, client))


def send(client: FakeDurable, app: Settings, fields: dict[str, str], who: str | None = "maria", **headers: str) -> Any:
    """Send a form of one of our pages."""
    sealed = {**fields, "csrf": forms.seal(app, Person(PEOPLE["maria"]), "/api/evaluations")}
    body = "&".join(f"{name}={value}" for name, value in sealed.items()).encode()
    sent = {**FORM, **FROM_OUR_PAGE, **{name.replace("_", "-"): value for name, value in headers.items()}}
    asked = request("/api/evaluations", "POST", who, body, headers=sent)
    return asyncio.run(plain_function(evaluations.ask_for_evaluation)(asked, client))


def said(answer: func.HttpResponse) -> dict[str, Any]:
    return dict(json.loads(answer.get_body()))


def test_script_gets_the_evaluation_and_its_page(client: FakeDurable, blobs: Blobs) -> None:
    """It is started with the commit that the branch names now, kept before, and on the record."""
    answer = ask(client)

    assert answer.status_code == 202
    assert said(answer) == {"evaluation": NAME, "url": f"{ORIGIN}/api/evaluations/{NAME}", "decision": "started"}
    ((orchestrator, instance, payload),) = client.started
    assert (orchestrator, instance) == ("scheduled_evaluation", NAME)
    assert (payload["sha"], payload["kind"], payload["source"], payload["asked_by"]) == (
        HEAD,
        "full",
        "on-demand",
        "maria",
    )
    assert blobs.read_json(blob_names.evaluation_record(NAME))["state"] == "running"
    assert audit.verify(blobs).records == 1


def test_form_leads_to_the_page(client: FakeDurable, app: Settings) -> None:
    """By a sha that a page knows; the repository's name in any case."""
    answer = send(client, app, {"repository": "Acme/Helpdesk", "kind": "minimal", "commit": OLD[:12]})

    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{ORIGIN}/api/evaluations/on-demand-acme.helpdesk-{OLD}-minimal-1"


def test_the_same_again_while_it_runs_is_the_same_evaluation(client: FakeDurable) -> None:
    """Another kind is another evaluation."""
    answers = [said(ask(client)) for _ in range(3)]
    other = said(ask(client, body={**WANTED, "kind": "minimal"}))

    assert {one["evaluation"] for one in answers} == {NAME}
    assert [one["decision"] for one in answers] == ["started", "already started", "already started"]
    assert other["decision"] == "started"
    assert len(client.started) == 2


def test_many_who_ask_at_once_get_one_evaluation(client: FakeDurable) -> None:
    """Ten scripts, one commit."""

    async def all_at_once() -> list[func.HttpResponse]:
        asked = request("/api/evaluations", "POST", "maria", json.dumps(WANTED).encode(), headers=JSON)
        run = plain_function(evaluations.ask_for_evaluation)
        return list(await asyncio.gather(*(run(asked, client) for _ in range(10))))

    answers = asyncio.run(all_at_once())

    assert {answer.status_code for answer in answers} == {202}
    assert len(client.started) == 1


def test_after_it_has_ended_another_one_begins(client: FakeDurable, blobs: Blobs) -> None:
    """The model behind it may be another one by then."""
    ask(client)
    record = blob_names.evaluation_record(NAME)
    blobs.write_json(record, {**blobs.read_json(record), "state": "passed"})

    answer = said(ask(client))

    assert answer["evaluation"] == NAME.removesuffix("1") + "2"
    assert answer["decision"] == "started"


@pytest.mark.parametrize(
    ("who", "body", "status", "reason"),
    [
        (None, WANTED, 401, "Sign in first: nobody is signed in."),
        ("jonas", WANTED, 403, "started by people who can write to it, and GitHub says that jonas cannot"),
        ("stranger@else.example", WANTED, 403, "have it added to the people of this app"),
        ("maria", {**WANTED, "repository": "acme/other"}, 404, "Repository 'acme/other' is not configured here"),
        (
            "maria",
            {**WANTED, "kind": "nightly"},
            400,
            "There is no evaluation 'nightly': ask for kind minimal or full.",
        ),
        ("maria", {"repository": "acme/helpdesk", "ref": "main"}, 400, "There is no evaluation ''"),
        ("maria", {**WANTED, "ref": "gone"}, 404, "acme/helpdesk has no branch or tag 'gone'"),
        ("maria", {**WANTED, "ref": "../../user"}, 400, "cannot be the name of a branch or tag"),
        ("maria", {**WANTED, "ref": ""}, 400, "Say what to evaluate: ref, a branch or tag, or commit, a sha."),
        ("maria", {**WANTED, "sha": "f" * 40}, 403, "is not on main or develop"),
        ("maria", {**WANTED, "commit": "main"}, 400, "'main' is not a commit"),
        ("maria", ["full"], 400, "The body is JSON of another kind: send one object whose values are texts."),
        ("maria", b"{", 400, "The body is not JSON: send one object whose values are texts."),
        ("maria", b"x" * 70_000, 413, "too large"),
    ],
)
def test_what_cannot_be_started_is_refused_in_words(
    client: FakeDurable, blobs: Blobs, who: str | None, body: Any, status: int, reason: str
) -> None:
    """Nothing is started, the reason says what to do, and who lacked the right is kept."""
    answer = ask(client, who, body)

    assert answer.status_code == status
    assert reason in said(answer)["reason"]
    assert client.started == []
    kept = [(trace["subject"], trace["details"]["reason"]) for trace in audited(blobs, "refusal")]
    assert kept == ([("acme/helpdesk", said(answer)["reason"])] if status == 403 else [])


def test_login_of_somebody_else_is_nobodys_sign_in_name(client: FakeDurable) -> None:
    """Maria signs in as maria@acme.example; whoever signs in as maria is not she."""
    asked = request(
        "/api/evaluations",
        "POST",
        None,
        json.dumps(WANTED).encode(),
        headers={**JSON, "x-ms-client-principal-name": "Maria"},
    )
    answer = asyncio.run(plain_function(evaluations.ask_for_evaluation)(asked, client))

    assert answer.status_code == 403
    assert "the GitHub login of somebody else" in said(answer)["reason"]


def test_form_of_another_site_is_refused(client: FakeDurable, app: Settings, blobs: Blobs) -> None:
    """With a page that says so; a script's JSON from another site too. In whose name they came is kept, once."""
    form = send(client, app, WANTED, origin="https://evil.example", sec_fetch_site="cross-site")
    script = ask(client, origin="https://evil.example")
    unsealed = send(client, app, {**WANTED, "repository": "acme/helpdesk"}, who="jonas")
    nobody = send(client, app, WANTED, who=None, origin="https://evil.example", sec_fetch_site="cross-site")

    assert [answer.status_code for answer in (form, script, unsealed, nobody)] == [403, 403, 403, 401]
    assert "from another site" in form.get_body().decode()
    assert "not valid any more" in unsealed.get_body().decode()
    assert client.started == []
    (trace,) = audited(blobs, "refusal")
    assert (trace["who"], trace["details"]["of"]) == (PEOPLE["maria"], "evaluation-asked")


def test_form_of_somebody_who_is_not_signed_in_leads_to_the_sign_in(client: FakeDurable, app: Settings) -> None:
    """And back to where the button is."""
    answer = send(client, app, WANTED, who=None)

    assert answer.status_code == 401
    assert "/.auth/login/" in answer.get_body().decode()


def test_outage_of_github_or_durable_is_told(client: FakeDurable, github: GitHub) -> None:
    """Try again, after as long as GitHub says."""
    github.away = True
    away = ask(client)
    github.away = False
    client.trouble = ConnectionError("no task hub")
    broken = ask(client)
    again = ask(client)

    assert (away.status_code, away.headers["Retry-After"]) == (503, "17")
    assert (broken.status_code, again.status_code) == (503, 503)
    assert f"Nobody can say now whether {NAME} is under way" in said(again)["reason"]


def test_log_says_who_asked_for_what(client: FakeDurable, caplog: pytest.LogCaptureFixture) -> None:
    """One line, also for a refusal."""
    caplog.set_level("INFO", "drawbridge")
    ask(client)
    ask(client, "jonas")

    started, refused = lines(caplog, "evaluation-asked")
    assert (started["decision"], started["principal"], started["evaluation"]) == ("started", PEOPLE["maria"], NAME)
    assert (refused["decision"], refused["principal"]) == ("refused", PEOPLE["jonas"])
