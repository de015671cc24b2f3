"""People and scripts ask for an evaluation: who may, of which commit, and where to follow it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime

import azure.durable_functions as df
import azure.functions as func

from adapters import audit, connect
from adapters.blobs import Blobs
from domain import blob_names, schedules
from domain.errors import BadRequest, Forbidden, NotFound
from domain.git_flow import evaluation_id
from domain.models import EvaluationRequest
from domain.schedules import ON_DEMAND, RUNNING
from settings import Settings, current
from triggers.answers import action_of_people, structured
from triggers.forms import read_fields, wants_json
from triggers.identity import Person
from triggers.start import runs, start_once
from triggers.traces import keep_refusal

ACTION = "/api/evaluations"  # what forms post to

bp = df.Blueprint()
log = logging.getLogger("drawbridge.evaluations")


@bp.route(route="evaluations", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@bp.durable_client_input(client_name="client")
async def ask_for_evaluation(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Start {"repository", "kind", and "ref" or "commit"}; asked again while it runs, answer the one that runs."""

    async def act(who: Person) -> func.HttpResponse:
        settings = current()
        fields = read_fields(req, settings, who, ACTION)
        wanted = await asyncio.to_thread(_may_ask, fields, who, settings)
        request, decision = await start(client, connect.blobs(settings), wanted, who)
        name = evaluation_id(request)
        url = f"{settings.public_url}/api/evaluations/{name}"
        structured(log, "evaluation-asked", decision=decision, evaluation=name, principal=who.name)
        if not wants_json(req):
            return func.HttpResponse(status_code=303, headers={"Location": url})
        body = {"evaluation": name, "url": url, "decision": decision}
        return func.HttpResponse(json.dumps(body), status_code=202, mimetype="application/json")

    return await action_of_people(log, req, "evaluation-asked", act)


def read_request(fields: Mapping[str, str], who: Person, settings: Settings) -> EvaluationRequest:
    """Return what is asked for, with the commit that GitHub finds; its key is still open.

    Raises BadRequest, NotFound or Forbidden in words for who asks, Unavailable when GitHub does not answer.
    """
    repository = _configured(fields.get("repository", ""), settings)
    kind = schedules.check_kind(fields.get("kind", ""))
    login = schedules.login_of(who.name, settings.people)
    github = connect.github(settings)
    if not schedules.may_write(github.permission(repository, login)):
        raise Forbidden(
            f"Evaluations of {repository} are started by people who can write to it, and GitHub says that {login} "
            "cannot. If your GitHub login is another one, have it added to the people of this app."
        )
    commit, ref = fields.get("commit") or fields.get("sha", ""), fields.get("ref", "")
    if commit:
        sha = github.commit_on(repository, schedules.check_sha(commit), settings.branches(repository))
    elif ref:
        sha = github.head_of(repository, schedules.check_ref(ref))
    else:
        raise BadRequest("Say what to evaluate: ref, a branch or tag, or commit, a sha.")
    return EvaluationRequest(repository, sha, kind, ON_DEMAND, asked_by=login, key="")


def _may_ask(fields: Mapping[str, str], who: Person, settings: Settings) -> EvaluationRequest:
    """Return what is asked for, and keep who may not have it."""
    try:
        return read_request(fields, who, settings)
    except Forbidden as error:
        repository = _configured(fields.get("repository", ""), settings)
        place = f"{repository}:evaluation"
        keep_refusal(connect.blobs(settings), error, place=place, who=who.name, subject=repository, of="evaluation")
        raise


async def start(
    client: df.DurableOrchestrationClient, blobs: Blobs, wanted: EvaluationRequest, who: Person
) -> tuple[EvaluationRequest, str]:
    """Start an evaluation, or find the one of the same commit and kind that runs. Raises Unavailable."""
    request = await _numbered(client, blobs, wanted)
    await asyncio.to_thread(_keep, blobs, request, who)
    name = evaluation_id(request)
    return request, await start_once(client, blobs, "scheduled_evaluation", name, asdict(request))


async def _numbered(
    client: df.DurableOrchestrationClient, blobs: Blobs, wanted: EvaluationRequest
) -> EvaluationRequest:
    """Give the request its key: the evaluations of a commit are counted, and a new one begins when the last has ended.

    Of several who ask at once, one counts on; the others get the same number.
    """
    name = blob_names.asked(wanted.repository, wanted.sha, wanted.kind)
    found = await asyncio.to_thread(blobs.read_with_etag, name)
    number = int(json.loads(found[0])["number"]) if found else 0
    if number and not await _has_ended(client, blobs, _with(wanted, number)):
        return _with(wanted, number)
    counted = json.dumps({"number": number + 1}).encode()
    if found:
        await asyncio.to_thread(blobs.replace, name, counted, found[1])
    else:
        await asyncio.to_thread(blobs.create, name, counted)
    # Whoever was faster wrote the same.
    return _with(wanted, number + 1)


def _with(wanted: EvaluationRequest, number: int) -> EvaluationRequest:
    return replace(wanted, key=str(number))


async def _has_ended(client: df.DurableOrchestrationClient, blobs: Blobs, request: EvaluationRequest) -> bool:
    """Say whether an evaluation is over; one whose start is still under way is not."""
    name = evaluation_id(request)
    record = await asyncio.to_thread(blobs.read_json, blob_names.evaluation_record(name))
    if record and record["state"] != RUNNING:
        return True
    return await runs(client, name) is False


def _keep(blobs: Blobs, request: EvaluationRequest, who: Person) -> None:
    """Keep who asked first, and the evaluation before it starts, so that the link leads somewhere."""
    record = schedules.opened(request, datetime.now(UTC).isoformat())
    audit.record(
        blobs,
        key=f"evaluation-asked:{record.id}",
        what="evaluation-asked",
        who=who.name,
        subject=record.id,
        details={"repository": record.repository, "commit": record.commit, "kind": record.kind},
    )
    blobs.create_json(blob_names.evaluation_record(record.id), asdict(record))


def _configured(name: str, settings: Settings) -> str:
    for repository in settings.repositories:
        if repository.lower() == name.lower():
            return repository
    raise NotFound(f"Repository {name[:140]!r} is not configured here: expected {', '.join(settings.repositories)}.")
