"""One release: how it stands, what its reader may do about it, and what its validation printed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from adapters import connect, lanes, records
from adapters.blobs import Blobs
from adapters.records import Question
from domain import approvals, blob_names, timeline
from domain.lanes import Lane
from domain.models import ReleaseRecord
from settings import Settings, current
from triggers import evaluations, forms, releases_api, rights
from triggers.answers import page, page_for_people, refreshes
from triggers.identity import Person, person
from triggers.views import Ask, FormLink, Round, Surroundings, release_page, validation_page
from triggers.voting import own_number

bp = df.Blueprint()
log = logging.getLogger("drawbridge.pages")


@bp.route(route="releases/{id}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@bp.durable_client_input(client_name="client")
async def release_details(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Show one release: its timeline, live progress, evaluations, deployments, votes, and what the reader may do."""

    async def show() -> func.HttpResponse:
        settings = current()
        blobs, who = connect.blobs(settings), person(req.headers, settings.authentication)
        assert who is not None  # noqa: S101 - page_for_people lets nobody else through
        record = await asyncio.to_thread(records.need_record, blobs, req.route_params["id"])
        progress, around = await asyncio.gather(
            live_progress(client, running_instances(record)),
            asyncio.to_thread(_surroundings, blobs, settings, record, who),
        )
        view = release_page(record, datetime.now(UTC), replace(around, progress=progress), refresh=refreshes(req))
        return page("release.html", view)

    return await page_for_people(log, req, show)


@bp.route(route="releases/{id}/validation", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def validation_log(req: func.HttpRequest) -> func.HttpResponse:
    """Show what each step of a release's validation printed; it may quote rows, so it never leaves this place."""

    async def show() -> func.HttpResponse:
        return await asyncio.to_thread(_validation, connect.blobs(current()), req.route_params["id"])

    return await page_for_people(log, req, show)


async def live_progress(client: df.DurableOrchestrationClient, instances: Sequence[str]) -> list[Mapping[str, Any]]:
    """Ask orchestrations how far they are; what cannot be asked shows no progress."""
    statuses = await asyncio.gather(*(client.get_status(instance) for instance in instances), return_exceptions=True)
    found = [getattr(status, "custom_status", None) for status in statuses]
    return [status for status in found if isinstance(status, dict) and status.get("since")]


def running_instances(record: ReleaseRecord) -> list[str]:
    """Return the orchestrations that know how far the running stages are."""
    return [stage.instance for stage in timeline.current_stages(record) if stage.instance]


def _validation(blobs: Blobs, release: str) -> func.HttpResponse:
    record = records.need_record(blobs, release)
    lines = records.read_lines(blobs, blob_names.validation_results(record.id))
    return page("validation.html", validation_page(record.id, record.repository, lines))


def _surroundings(blobs: Blobs, settings: Settings, record: ReleaseRecord, who: Person) -> Surroundings:
    """Gather what the page shows besides the record."""
    questions = records.read_questions(blobs, record.id)
    known = lanes.all_lanes(blobs, record.repository)
    return Surroundings(
        rows=records.rows_behind(blobs, record.evaluations),
        asks=_asks(record, questions, who, settings),
        rounds=_rounds(questions),
        lanes=known,
        others=records.read_evaluations(blobs, record.repository, record.commit.sha),
        cancel=_cancel(record, known, who, settings),
        rollbacks=_rollbacks(record, known, who, settings),
        evaluate=_form(settings, who, evaluations.ACTION),
    )


def _asks(record: ReleaseRecord, questions: Sequence[Question], who: Person, settings: Settings) -> list[Ask]:
    """Return the links of the person to what is asked now, so that nobody needs GitHub to find them."""
    asked_now = {timeline.asks_about(stage.name) for stage in timeline.current_stages(record)}
    return [
        Ask(question.request.environment, approvals.link_path(question.request, number, settings.link_secret))
        for question in questions
        if question.request.environment in asked_now
        and not approvals.is_excluded(who.name, question.request, settings.people)
        and not _voted(question, who)
        and (number := own_number(question.request, who, settings)) is not None
    ]


def _voted(question: Question, who: Person) -> bool:
    votes = question.rounds.get(question.request.round, ())
    return who.name.casefold() in {vote.principal.casefold() for vote in votes}


def _rounds(questions: Sequence[Question]) -> list[Round]:
    return [
        Round(question.request.environment, number, number < question.request.round, votes)
        for question in questions
        for number, votes in sorted(question.rounds.items())
        if votes
    ]


def _cancel(record: ReleaseRecord, known: Sequence[Lane], who: Person, settings: Settings) -> FormLink | None:
    approvers = [name for lane in known for name in lane.approvers]
    if not releases_api.may_cancel(who, record, approvers, settings):
        return None
    return _form(settings, who, releases_api.cancel_action(record.id))


def _rollbacks(record: ReleaseRecord, known: Sequence[Lane], who: Person, settings: Settings) -> list[FormLink]:
    """Return a form for each environment in which this release ran, another runs now, and the person may decide."""
    here = {deployment.environment for deployment in record.deployments}
    left = [lane for lane in known if lane.current and lane.current.release != record.id and lane.environment in here]
    action = releases_api.rollback_action(record.id)
    return [
        replace(_form(settings, who, action), about=lane.environment)
        for lane in left
        if rights.perhaps(who, lane.approvers, settings)
    ]


def _form(settings: Settings, who: Person, action: str) -> FormLink:
    return FormLink(action, forms.seal(settings, who, action))
