"""Nothing is lost: look at GitHub, and start what no webhook told of, or what was told and never started.

The one source of events when the app polls, the safety net when GitHub delivers: both end in `dispatch.take`, and
nothing is started twice. What was dealt with is remembered; the first look at a repository only remembers.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import azure.durable_functions as df
import azure.functions as func

from adapters import changes, connect, github_listing, github_seen
from adapters.blobs import Blobs
from adapters.github_listing import RECONCILED
from domain import blob_names, git_flow, github_events, merge_queue, reconcile
from domain.changes import CheckState, together
from domain.errors import DrawbridgeError, Ignored, Invalid, NotFound, Unavailable
from domain.git_flow import CheckPassed, EndChange, Event, GroupEvent, Push
from domain.reconcile import Deliveries, Page, Pass, Seen
from settings import Settings, current
from triggers import dispatch
from triggers.answers import refused, structured
from triggers.lost_starts import finish_starts

if TYPE_CHECKING:
    from adapters.github import GitHub

T = TypeVar("T")
P = ParamSpec("P")


class Later(Exception):
    """What an event asks for could not be started now; the event is not remembered, so the next pass tries again."""


bp = df.Blueprint()
log = logging.getLogger("drawbridge.reconcile")

# One thread: a sign-in as the App is kept per thread, and another one costs two requests.
_asking = ThreadPoolExecutor(1, "reconcile")


@dataclass(frozen=True)
class Place:
    """A repository, and all that is needed to look at it and to act."""

    client: df.DurableOrchestrationClient
    blobs: Blobs
    settings: Settings
    github: GitHub
    repository: str

    def ask(self, path: str, etag: str) -> github_listing.Answer:
        """Ask GitHub for what lies below the repository."""
        return self.github.look(self.repository, path, etag)

    async def tell(self, event: Event) -> None:
        """Let an event that GitHub shows have its effect, as if a webhook had told it. Raises Later."""
        try:
            answers = await dispatch.take(self.client, self.blobs, self.settings, event)
        except Ignored:
            return
        except Unavailable as error:
            refused(log, error, event="reconcile", repository=self.repository)
            raise Later from error
        for answer in answers:
            structured(log, "reconciled", repository=self.repository, **asdict(answer))


@bp.timer_trigger(arg_name="timer", schedule="*/15 * * * * *")
@bp.durable_client_input(client_name="client")
async def reconcile_github(
    timer: func.TimerRequest,  # noqa: ARG001 - the host hands it over by this name
    client: df.DurableOrchestrationClient,
) -> None:
    """Look whether a pass is due, every 15 seconds, and make it."""
    settings = current()
    try:
        await run(client, connect.blobs(settings), settings, lambda: connect.github(settings))
    except Unavailable as error:
        refused(log, error, event="reconcile")


async def run(
    client: df.DurableOrchestrationClient, blobs: Blobs, settings: Settings, github: Callable[[], GitHub]
) -> bool:
    """Make a pass over everything, if one is due and nobody else is at it; says whether. Raises Unavailable."""
    now = datetime.now(UTC)
    holder = await asyncio.to_thread(github_seen.begin_pass, blobs, now, settings.reconcile_seconds)
    if not holder:
        return False
    failed = True
    try:
        places = [Place(client, blobs, settings, await _in_thread(github), name) for name in settings.repositories]
        looked = [await look_at(place, now) for place in places]
        if settings.github_events == "webhook":
            await _redeliver(await _in_thread(github), blobs)
        await finish_starts(client, blobs, settings)
        failed = not all(looked)
    finally:
        await asyncio.to_thread(github_seen.end_pass, blobs, holder, failed)
    return True


def check(settings: Settings) -> str:
    """Say where events come from. Raises Unavailable, saying since when and why GitHub cannot be looked at."""
    blobs, every = connect.blobs(settings), settings.reconcile_seconds
    seen = {name: github_seen.load(blobs, blob_names.seen(name), Seen) for name in settings.repositories}
    if lost := [words for name, one in seen.items() if (words := reconcile.lost_sight(name, one))]:
        raise Unavailable(f"Not everything on GitHub could be looked at. {' '.join(lost)}")
    last = github_seen.load(blobs, blob_names.SEEN_PASS, Pass)
    if reconcile.overdue(last, datetime.now(UTC), every):
        raise Unavailable(f"GitHub was last looked at {last.began}: check that the timer reconcile_github runs.")
    return reconcile.source_of_events(settings.github_events, every, last)


async def look_at(place: Place, now: datetime) -> bool:
    """Look at everything of a repository that may start something, and say whether all went well.

    What was dealt with is remembered, and what could not be looked at, and since when.
    """
    name = blob_names.seen(place.repository)
    seen = await asyncio.to_thread(github_seen.load, place.blobs, name, Seen)
    before, used, later = seen, set[str](), False
    seen = replace(seen, trouble="")
    for look in (_branches, _changes, _queues, _checks, _labels, _comments):
        try:
            seen = await look(place, seen, used)
        except Later:
            later = True
        except DrawbridgeError as error:
            refused(log, error, event="reconcile", repository=place.repository)
            seen = replace(seen, trouble=seen.trouble or str(error))
            if isinstance(error, Unavailable):
                break  # the others would wait in vain as well
        except Exception:  # what nobody thought of in one repository must not hide what happens in the others
            log.exception("looking at %s failed", place.repository)
            seen = replace(seen, trouble=seen.trouble or "It failed in an unexpected way: see this app's log.")
    since = (seen.trouble_since or now.isoformat(timespec="seconds")) if seen.trouble else ""
    pages = seen.pages if seen.trouble or later else reconcile.still_asked(seen.pages, used)
    seen = replace(seen, pages=pages, trouble_since=since)
    if seen != before:
        await asyncio.to_thread(github_seen.save, place.blobs, name, seen)
    return not seen.trouble and not later


async def _branches(place: Place, seen: Seen, used: set[str]) -> Seen:
    """Tell of the moves of the two branches that nobody told of, and note one that is not there."""
    branches = place.settings.branches(place.repository)
    for branch in dict.fromkeys(branches):
        path = github_listing.branch_path(branch)
        used.add(path)
        answer = await _in_thread(github_listing.head, place.ask, place.repository, branch, _etag(seen, path))
        if answer.data is None:
            continue
        before = seen.heads.get(branch)
        if before is not None and answer.data not in ("", before):
            await place.tell(await _in_thread(_push, place, branch, before, answer.data))
        if not answer.data:
            seen = replace(seen, trouble=f"The {git_flow.gone(place.repository, branch, branches[0])}.")
        seen = replace(
            seen,
            heads={**seen.heads, branch: answer.data or before or ""},
            # Without an etag where there is no branch: each pass is to see that anew.
            pages={**seen.pages, path: Page(answer.etag if answer.data else "")},
        )
    return seen


def _push(place: Place, branch: str, before: str, after: str) -> Push:
    move = Push(place.repository, branch, before or git_flow.NO_COMMIT, after, github_events.GHOST, RECONCILED)
    if branch != place.settings.release_branch.of(place.repository):
        return move
    recent, author, forced = github_listing.commits_after(place.ask, before, after)
    if forced or not before:
        recent = recent[:1]  # what else is on it was there before, elsewhere
    claims = {commit: blob_names.claim(git_flow.release_id(place.repository, commit)) for commit in recent}
    released = [commit for commit, claim in claims.items() if place.blobs.exists(claim)]
    return replace(move, before=reconcile.beginning(recent, move.before, released), pusher=author, forced=forced)


async def _changes(place: Place, seen: Seen, used: set[str]) -> Seen:
    """Tell of open changes that were updated since or ended here in error, and of those that are open no more."""
    open_now: dict[int, str] = {}
    pages = dict(seen.pages)
    for number in range(1, github_listing.MOST_PAGES + 1):
        path = f"{github_listing.OPEN_CHANGES}&page={number}"
        used.add(path)
        answer = await _in_thread(place.ask, path, _etag(seen, path))
        if answer.data is None:
            listed = {one: (seen.changes or {}).get(one, "") for one in seen.pages[path].numbers}
        else:
            listed = {pull["number"]: github_listing.version(pull) for pull in answer.data}
            for pull in answer.data:
                if seen.changes is not None:
                    await _moved(place, pull, seen.changes.get(pull["number"], ""), listed[pull["number"]])
            pages[path] = Page(answer.etag, tuple(listed))
        open_now |= listed
        if len(listed) < github_listing.FULL_PAGE:
            break
    before = seen.changes or {}
    as_before = {number: version for number, version in open_now.items() if before.get(number) == version}
    for number in [*(before.keys() - open_now.keys()), *await asyncio.to_thread(_ended_too_late, place, as_before)]:
        await _as_it_is(place, number)
    return replace(seen, changes=open_now, pages=pages)


async def _moved(place: Place, pull: Mapping[str, Any], before: str, version: str) -> None:
    """Tell of an open change that is another one than before, or says something else."""
    if before != version:
        reworded = before and github_listing.reworded(before, version)
        action = github_events.REWORDED if reworded else github_listing.standing(pull)
        await place.tell(github_events.change(pull, action, RECONCILED))


def _ended_too_late(place: Place, open_now: Mapping[int, str]) -> list[int]:
    """Find the changes that are over here although GitHub shows them ready: an old event was told after newer ones."""
    branches = place.settings.branches(place.repository)
    ready = [number for number, version in open_now.items() if github_listing.is_ready(version, branches)]
    records = [changes.find(place.blobs, place.repository, number) for number in ready]
    return [record.number for record in records if record and record.ended]


async def _as_it_is(place: Place, number: int) -> None:
    try:
        await place.tell(await _in_thread(github_listing.change, place.ask, number))
    except NotFound:
        await dispatch.act(place.client, place.blobs, place.settings, EndChange(place.repository, number, "deleted"))


async def _queues(place: Place, seen: Seen, used: set[str]) -> Seen:
    """Tell of what merge queues are about to merge, and of what they are not any more."""
    path = github_listing.QUEUES
    used.add(path)
    answer = await _in_thread(place.ask, path, _etag(seen, path))
    if answer.data is None:
        return seen
    queue = github_listing.heads(answer.data)
    for branch, head in queue.items():
        await place.tell(_group(place, branch, head, git_flow.REQUESTED))
    for branch, head in seen.queue.items() - queue.items():
        await place.tell(_group(place, branch, head, "destroyed"))
    return replace(seen, queue=queue, pages={**seen.pages, path: Page(answer.etag)})


def _group(place: Place, branch: str, head: str, action: str) -> Event:
    return GroupEvent(place.repository, branch, merge_queue.base_of(branch), head, action, RECONCILED)


async def _checks(place: Place, seen: Seen, used: set[str]) -> Seen:
    """Tell of required checks that turned green, on the heads of changes that failed for them."""
    pages = dict(seen.pages)
    for record in await asyncio.to_thread(changes.reds, place.blobs, place.repository):
        news = False
        for path in github_listing.marks_paths(record.head):
            used.add(path)
            answer = await _in_thread(place.ask, path, _etag(seen, path))
            pages[path] = Page(answer.etag)
            news = news or answer.data is not None
        # Asked as the validation asks: read in another way, it might be started again for ever.
        found = await _in_thread(place.github.checks_of, place.repository, record.head, record.red) if news else ()
        for check in together(record.red, found):
            if check.state is CheckState.PASSED:
                await place.tell(CheckPassed(place.repository, record.head, check.name, RECONCILED))
    return replace(seen, pages=pages)


async def _labels(place: Place, seen: Seen, used: set[str]) -> Seen:
    """Tell how labels were moved since, as far as they count: on open changes, and after the merge."""
    path = github_listing.LABEL_EVENTS
    used.add(path)
    if seen.event is None:
        answer = await _in_thread(place.ask, path, "")
        return replace(seen, event=max((one["id"] for one in answer.data), default=0))
    first, events = await _in_thread(github_listing.since, place.ask, path, _etag(seen, path), seen.event)
    if first.data is None:
        return seen
    for event in reconcile.last_toggles(events):
        with contextlib.suppress(NotFound):  # the change is gone: it must not hold up the labels of the others
            await place.tell(await _in_thread(_toggle, place, event))
    newest = events[-1]["id"] if events else seen.event
    return replace(seen, event=newest, pages={**seen.pages, path: Page(first.etag)})


def _toggle(place: Place, event: Mapping[str, Any]) -> Event:
    sender = (event.get("actor") or {}).get("login", github_events.GHOST)
    number, label = event["issue"]["number"], event["label"]["name"]
    return github_listing.change(place.ask, number, event["event"], sender, label, event["created_at"])


async def _comments(place: Place, seen: Seen, used: set[str]) -> Seen:
    """Tell of comments on pull requests that were written since."""
    if seen.comment is None:
        newest = (await _in_thread(place.ask, github_listing.NEWEST_COMMENT, "")).data
        known = (newest[0]["id"], newest[0]["updated_at"]) if newest else (0, "")
        return replace(seen, comment=known[0], commented=known[1])
    path = github_listing.comments_path(seen.commented)
    used.add(path)
    answer = await _in_thread(place.ask, path, _etag(seen, path))
    if answer.data is None:
        return seen
    for said in answer.data:
        number = github_listing.pull_of(said)
        if said["id"] > seen.comment and number is not None:
            await place.tell(github_events.comment(said, place.repository, number, RECONCILED))
    newest = max((said["id"] for said in answer.data), default=0)
    until = answer.data[-1]["updated_at"] if answer.data else seen.commented
    pages = seen.pages if until != seen.commented else {**seen.pages, path: Page(answer.etag)}
    return replace(seen, comment=max(newest, seen.comment), commented=until, pages=pages)


async def _redeliver(github: GitHub, blobs: Blobs) -> None:
    """Let GitHub deliver again, once, what it could not deliver. Only an App may ask for that."""
    if not github.is_app:
        return
    try:
        await _retry_deliveries(github, blobs)
    except DrawbridgeError as error:
        refused(log, error, event="reconcile", what="deliveries")


async def _retry_deliveries(github: GitHub, blobs: Blobs) -> None:
    known = await asyncio.to_thread(github_seen.load, blobs, blob_names.SEEN_DELIVERIES, Deliveries)
    path = github_listing.DELIVERIES
    if known.newest is None:
        kept = (await _in_thread(github.look_as_app, path, "")).data
        first = Deliveries(max((one["id"] for one in kept), default=0))
        await asyncio.to_thread(github_seen.save, blobs, blob_names.SEEN_DELIVERIES, first)
        return
    _, deliveries = await _in_thread(github_listing.since, github.look_as_app, path, "", known.newest)
    for one in reconcile.to_retry(deliveries, known):
        await _retry(github, one)
        known = replace(known, retried={**known.retried, one["guid"]: one["delivered_at"]})
        await asyncio.to_thread(github_seen.save, blobs, blob_names.SEEN_DELIVERIES, known)
    if deliveries:
        known = reconcile.forget(replace(known, newest=deliveries[-1]["id"]), deliveries[-1]["delivered_at"])
        await asyncio.to_thread(github_seen.save, blobs, blob_names.SEEN_DELIVERIES, known)


async def _retry(github: GitHub, delivery: Mapping[str, Any]) -> None:
    try:
        await _in_thread(github.redeliver, delivery["id"])
    except (NotFound, Invalid) as error:  # of this one: those behind it must not wait for it for ever
        refused(log, error, event="reconcile", what="deliveries", delivery=delivery["guid"])
    else:
        structured(log, "redelivered", delivery=delivery["guid"])


async def _in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    call = functools.partial(function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_asking, call)


def _etag(seen: Seen, path: str) -> str:
    return seen.pages[path].etag if path in seen.pages else ""
