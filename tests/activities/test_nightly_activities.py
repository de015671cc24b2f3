"""What a night reads and keeps, over real blobs and the double."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from activities import compare_evaluations, find_deployed, find_head, keep_night, list_debts, tell_payment
from activities import read_last_night as last_night
from adapters import debts
from adapters.blobs import Blobs
from adapters.outbox import Outbox
from domain import blob_names
from domain.lanes import Lane, Occupant
from domain.models import Debt, DebtState, OptOut, Verdict
from domain.nightly import HEAD, Night, Payment, Seen
from domain.outbox import unwire
from tests import samples
from tests.activities.conftest import World, run
from tests.fakes import row

SITE = "https://drawbridge.example/api"
AT = "2026-11-23T05:00:00+00:00"
DEBT = Debt(
    samples.REPOSITORY,
    samples.RELEASE,
    samples.SHA,
    (OptOut("skip-e2e-evaluation", 7, "alex", ""),),
    "the full evaluation",
    "2026-11-20T09:00:00Z",
    "2026-11-27T09:00:00Z",
)


def posted(blobs: Blobs) -> list[Any]:
    return [unwire(blobs.read_json(name)) for name in blobs.names("outbox/pending/")]


@pytest.fixture
def outbox(blobs: Blobs) -> Outbox:
    return Outbox(blobs, lambda: pytest.fail("GitHub is only told by the outbox's timer"))


def store(blobs: Blobs, evaluation: str, scores: list[float], **fields: Any) -> None:
    """Store an evaluation with one row for each score."""
    summary = samples.summary("full", id=evaluation, **fields)
    blobs.write_json(blob_names.summary(evaluation), asdict(summary))
    lines = "".join(json.dumps(row(f"r{number}", score)) + "\n" for number, score in enumerate(scores))
    blobs.write(blob_names.shard(evaluation, 0), lines.encode())


def test_evaluations_are_compared_row_by_row(blobs: Blobs) -> None:
    """A drop in every row is a drop for certain."""
    store(blobs, "now", [0.5 + number / 100 for number in range(20)])
    store(blobs, "before", [0.7 + number / 90 for number in range(20)])

    comparison = compare_evaluations.compare(samples.summary("full", id="now"), "before", blobs)

    assert comparison is not None
    (change,) = comparison.metrics
    assert (change.name, change.count) == ("f1", 20)
    assert (change.high or 0.0) < 0


@pytest.mark.parametrize("before", ["", "now", "gone"])
def test_evaluation_without_an_earlier_one_is_not_compared(blobs: Blobs, before: str) -> None:
    """The first night, the same evaluation, one that is no longer stored."""
    store(blobs, "now", [0.5] * 20)

    assert compare_evaluations.compare(samples.summary("full", id="now"), before, blobs) is None


def test_night_is_kept_while_it_runs_and_counts_when_it_is_over(blobs: Blobs, outbox: Outbox) -> None:
    """The next one starts from the last that is over; what it found is told by then."""
    bad = Seen(HEAD, samples.SHA, "print", "e", "2026-11-23", Verdict.FAILED, worse=("f1 fell",), since="2026-11-23")
    running = Night(samples.REPOSITORY, "2026-11-23", "n", AT)
    over = replace(running, ended_at=AT, targets=(bad,))

    keep_night.keep({"night": asdict(running), "at": AT, "final": False}, SITE, outbox)
    before = blobs.read_json(blob_names.nightly(samples.REPOSITORY)), posted(blobs)
    for _ in range(2):
        keep_night.keep({"night": asdict(over), "at": AT, "final": True}, SITE, outbox)

    assert before == (None, [])
    assert blobs.read_json(blob_names.nightly(samples.REPOSITORY))["targets"][0]["worse"] == ["f1 fell"]
    assert blobs.names(blob_names.nights(samples.REPOSITORY)) == [blob_names.night(samples.REPOSITORY, "2026-11-23")]
    assert sorted(message.kind for message in posted(blobs)) == ["issue", "status"]


def test_payment_is_kept_and_told(blobs: Blobs, outbox: Outbox) -> None:
    """While it runs there is only a page to follow."""
    payment = Payment(DEBT.release, DEBT.commit, f"{DEBT.release}.full-2026-11-23", DebtState.PAYING, "")
    news = {"debt": asdict(DEBT), "began": AT, "at": AT}

    tell_payment.tell({**news, "payment": asdict(payment)}, SITE, outbox)
    quiet = posted(blobs)
    failed = replace(payment, state=DebtState.FAILED, detail="failed: f1 >= 0.45")
    tell_payment.tell({**news, "payment": asdict(failed)}, SITE, outbox)

    assert quiet == []
    assert blobs.read_json(blob_names.evaluation_record(payment.evaluation))["state"] == "failed"
    (comment,) = posted(blobs)
    assert (comment.change, comment.marker) == (7, f"debt-{DEBT.release}")


def test_payment_by_an_evaluation_that_pages_know_is_told_only(blobs: Blobs, outbox: Outbox) -> None:
    """Its record says who asked for it, and that stays."""
    payment = Payment(DEBT.release, DEBT.commit, "on-demand-full", DebtState.PAID, "")

    tell_payment.tell({"debt": asdict(DEBT), "payment": asdict(payment), "began": "", "at": AT}, SITE, outbox)

    assert blobs.read_json(blob_names.evaluation_record("on-demand-full")) is None
    (comment,) = posted(blobs)
    assert "has been made up for, and passed" in comment.body


def test_debts_are_listed_oldest_first_and_only_unsettled_ones(world: World) -> None:
    """Of this repository."""
    for number, state in enumerate((DebtState.OPEN, DebtState.PAID, DebtState.PAYING)):
        at = f"2026-11-2{9 - number}T09:00:00Z"
        debts.record(world.blobs, replace(DEBT, commit=f"{number:040x}", release=f"r{number}", at=at, state=state))
    debts.record(world.blobs, replace(DEBT, repository="contoso/helpdesk"))

    listed = run(list_debts.list_debts, {"repository": samples.REPOSITORY})["debts"]

    assert [debt["release"] for debt in listed] == ["r2", "r0"]


def test_deployed_commits_are_those_of_the_lanes(world: World) -> None:
    """Where nothing ever ran there is nothing to look at."""
    occupant = Occupant("r", samples.SHA, 1, samples.IMAGE, AT)
    for environment, current in (("dev", occupant), ("prod", None)):
        lane = asdict(Lane(samples.REPOSITORY, environment, current))
        world.blobs.write_json(blob_names.lane(samples.REPOSITORY, environment), lane)

    found = run(find_deployed.find_deployed, {"repository": samples.REPOSITORY})

    assert found == {"deployed": {"dev": samples.SHA}}


def test_head_of_a_branch_is_found_and_a_deleted_one_told(world: World) -> None:
    """As an answer, so that the night goes on."""
    found = run(find_head.find_head, {"repository": world.repository, "branch": "main"})
    gone = run(find_head.find_head, {"repository": world.repository, "branch": "deleted"})

    assert found == {"sha": world.double.repository(world.repository)["heads"]["main"]}
    assert gone["error"].startswith(f"{world.repository} has no branch or tag 'deleted'")


def test_first_night_has_none_before(world: World) -> None:
    """Nothing is stored yet."""
    assert run(last_night.read_last_night, {"repository": samples.REPOSITORY}) == {"night": None}
