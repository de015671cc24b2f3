"""Pages: how long people wait for the list of 500 releases and for an approval page, beside an empty page.

One host process serves all of them, signed in, to a few people who look again and again: the app's pages over a storage
with 500 releases and an open question whose evidence has two evaluations, and a page of the same look with one sentence
on it. A page is made once a second at most; how long somebody waits who comes after that stands in the note.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from adapters import commits, records
from adapters.blobs import Blobs
from benchmarks.local_system import LocalSystem, local_system
from domain import approvals, blob_names, branch_line
from domain.models import ApprovalRequest, EvaluationSummary, Evidence
from scripts import preview_data as data
from triggers.fresh import SECONDS

GOAL = 1.5
RELEASES = 500
PEOPLE = 4  # who look at once
LOOKS = 400  # at each page in each round
SCRIPT = """\
import azure.functions as func
from function_app import app
from triggers.answers import page, page_for_people
from triggers.views import message_page
import logging


@app.route(route="empty", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def empty(req: func.HttpRequest) -> func.HttpResponse:
    async def show():
        return page("message.html", message_page("Empty", "There is nothing here."))

    return await page_for_people(logging.getLogger("empty"), req, show)
"""
WHO = "maria"
SETTINGS = {
    "DRAWBRIDGE_PEOPLE": json.dumps({WHO: f"{WHO}@contoso.example"}),
    "DEVHOST_PEOPLE": json.dumps({WHO: {"name": "Maria", "email": f"{WHO}@contoso.example"}}),
}
SECRET = "link-secret"  # noqa: S105 - of benchmarks.local_system


@dataclass(frozen=True)
class Place:
    """A page to look at."""

    name: str
    path: str
    note: str


@dataclass(frozen=True)
class Round:
    """Seconds: the p95 of the page and of the empty page, and one look at a page that has to be made."""

    ours: float
    empty: float
    anew: float


def main(runs: int) -> list[dict[str, Any]]:
    """Measure each page in turn with the empty one."""
    with (
        tempfile.TemporaryDirectory() as folder,
        local_system(Path(folder), SCRIPT, SETTINGS, ["--sign-in"]) as system,
    ):
        blobs = Blobs(system.blobs, "drawbridge")
        places = _fill(blobs)
        cookie = _sign_in(system.port)
        for place in places:  # once unmeasured: what is imported on first use is there
            _round(system, place, cookie)
        rounds: dict[Place, list[Round]] = {place: [] for place in places}
        for _ in range(runs):
            for place in places:
                rounds[place].append(_round(system, place, cookie))
    return [_row(place, rounds[place]) for place in places]


def _fill(blobs: Blobs) -> list[Place]:
    """Store 500 releases, one of which waits for its approvers."""
    known = [data.released(), data.stopped(), data.rejected(), data.superseded()]
    kept = [
        replace(known[number % 4], id=f"release-contoso.helpdesk-{number:040x}", created_at=data.iso(60 + number * 45))
        for number in range(RELEASES - 1)
    ]
    asked, owing = _ask(blobs), _owe(blobs)
    with ThreadPoolExecutor(16) as writers:
        list(writers.map(lambda one: blobs.write_json(blob_names.record(one.id), asdict(one)), kept[1:]))
    records.save_record(blobs, kept[0])
    links = [f"/api/approvals/{approvals.link_token(one, one.approvers.index(WHO), SECRET)}" for one in (asked, owing)]
    return [
        Place(f"list of {RELEASES} releases", "/api/releases", "50 rows from one blob"),
        Place("50 older releases", "/api/releases?page=7", "50 rows from two blobs"),
        Place("approval page", links[0], "two evaluations, 300 rows, a baseline"),
        Place("approval page with debt", links[1], f"{RELEASES} commits that it may stand on"),
    ]


def _ask(blobs: Blobs) -> ApprovalRequest:
    """Ask about a release, on evidence with rows behind it."""
    full, rows, before = data.evaluations(drift=0.04)
    asked = _put(blobs, data.approval_request(), replace(data.evidence(), release="release-contoso.helpdesk-waiting"))
    vote = replace(data.vote("jonas"), digest=asked.digest)
    blobs.write_json(blob_names.vote(asked.release, "prod", 1, vote.principal), asdict(vote))
    _store_rows(blobs, full, rows)
    _store_rows(blobs, data.minimal(), data.result_rows(30))
    if full.comparison:
        _store_rows(blobs, replace(full, id=full.comparison.baseline), before)
    return asked


def _owe(blobs: Blobs) -> ApprovalRequest:
    """Ask about a release with evaluation debt, above commits of which every other one was evaluated."""
    debt = data.debt(expires_at="2099-01-01T00:00:00Z", position=RELEASES + 1)
    evidence = replace(data.evidence(True, debt), release="release-contoso.helpdesk-owing")
    blobs.write_json(blob_names.debt(debt.repository, evidence.commit.sha), asdict(debt))
    with ThreadPoolExecutor(16) as writers:
        places = [branch_line.Place(f"{number:040x}", number) for number in range(1, RELEASES + 1)]
        list(writers.map(lambda one: commits.note_released(blobs, debt.repository, one), places))
        list(writers.map(lambda one: commits.note_evaluated(blobs, debt.repository, one), places[::2]))
    return _put(blobs, data.approval_request(debt_open=True), evidence)


def _put(blobs: Blobs, request: ApprovalRequest, evidence: Evidence) -> ApprovalRequest:
    """Store a question and its evidence, open for ever."""
    asked = replace(
        request,
        release=evidence.release,
        digest=approvals.digest(evidence),
        expires_at="2099-01-01T00:00:00Z",
        nonces=("n0", "n1", "n2", "n3"),
    )
    blobs.write_json(blob_names.evidence(asked.release, "prod"), asdict(evidence))
    blobs.write_json(blob_names.approval_request(asked.release, "prod"), asdict(asked))
    blobs.write_json(blob_names.record(asked.release), asdict(replace(data.record(), id=asked.release)))
    return asked


def _store_rows(blobs: Blobs, summary: EvaluationSummary, rows: Sequence[dict[str, Any]]) -> None:
    blobs.write(blob_names.shard(summary.id, 0), "".join(json.dumps(row) + "\n" for row in rows).encode())
    blobs.write_json(blob_names.summary(summary.id), asdict(summary))


def _sign_in(port: int) -> str:
    """Sign in as somebody who may decide; return the cookie."""
    origin = f"http://127.0.0.1:{port}"
    request = urllib.request.Request(  # noqa: S310 - our own loopback
        f"{origin}/.auth/login", urllib.parse.urlencode({"login": WHO}).encode(), {"Origin": origin}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())
    with opener.open(request, timeout=30) as answer:
        return str(answer.headers["Set-Cookie"]).partition(";")[0]


class _Stay(urllib.request.HTTPErrorProcessor):
    def http_response(self, request: Any, response: Any) -> Any:  # noqa: ARG002 - urllib calls it so
        return response  # the cookie comes with the redirect


def _round(system: LocalSystem, place: Place, cookie: str) -> Round:
    """Look at the page and the empty one in turn, so that what else the machine does slows both."""
    ours, empty = _request(place.path, cookie), _request("/api/empty", cookie)
    time.sleep(1.1 * SECONDS)
    anew = asyncio.run(_person_looks(system.port, [ours]))
    times = asyncio.run(_people_look(system.port, [ours, empty] * (LOOKS // PEOPLE)))
    return Round(_p95(times[0::2]), _p95(times[1::2]), anew[0])


def _request(path: str, cookie: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\nCookie: {cookie}\r\n\r\n".encode()


async def _people_look(port: int, requests: Sequence[bytes]) -> list[float]:
    many = await asyncio.gather(*(_person_looks(port, requests) for _ in range(PEOPLE)))
    return [seconds for times in many for seconds in times]


async def _person_looks(port: int, requests: Sequence[bytes]) -> list[float]:
    """Return the seconds that each look took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    times = []
    for request in requests:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().splitlines() if line.startswith(b"content-length:"))
        body = await reader.readexactly(int(length.partition(b":")[2]))
        times.append(time.perf_counter() - started)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the host answered {head.splitlines()[0].decode()}: {body.decode()[:300]}")
    writer.close()
    return times


def _p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def _row(place: Place, rounds: Sequence[Round]) -> dict[str, Any]:
    ours, empty, anew = (
        statistics.median(getattr(one, name) for one in rounds) * 1000 for name in ("ours", "empty", "anew")
    )
    return {
        "name": f"page p95, {PEOPLE} people at once: {place.name}",
        "ours": f"{ours:.1f} ms",
        "peer": f"an empty page, same host: {empty:.1f} ms",
        "ratio": statistics.median(one.ours / one.empty for one in rounds),
        "goal": GOAL,
        "note": f"p95 of {LOOKS} looks, the median of {len(rounds)} rounds; {place.note}; {anew:.0f} ms when made anew",
    }
