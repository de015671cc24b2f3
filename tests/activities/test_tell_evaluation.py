"""What is kept and told of an evaluation outside of releases."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from activities.tell_evaluation import tell
from adapters.blobs import Blobs
from adapters.outbox import Outbox
from domain import blob_names
from domain.git_flow import evaluation_id
from domain.models import EvaluationRequest, Verdict
from domain.outbox import unwire
from tests import samples

SITE = "https://drawbridge.example/api"
REQUEST = EvaluationRequest(samples.REPOSITORY, samples.SHA, "full", "on-demand", "maria", "comment1", change=7)
NAME = evaluation_id(REQUEST)
AT = "2026-11-23T09:00:00+00:00"


def no_github() -> Any:
    raise AssertionError("GitHub is only told by the outbox")


def news(state: str = "passed", **fields: Any) -> dict[str, Any]:
    return {"request": asdict(REQUEST), "state": state, "at": AT, **fields}


def waiting(blobs: Blobs) -> list[Any]:
    """Return the messages that wait for GitHub."""
    return [unwire(blobs.read_json(name)) for name in blobs.names("outbox/pending/")]


@pytest.fixture
def outbox(blobs: Blobs) -> Outbox:
    return Outbox(blobs, no_github)


def test_running_evaluation_is_kept_and_shown_on_the_commit(blobs: Blobs, outbox: Outbox) -> None:
    """Pages follow it by the record; nobody is written to yet."""
    tell(news("running"), SITE, blobs, outbox)

    record = blobs.read_json(blob_names.evaluation_record(NAME))
    assert (record["state"], record["asked_by"], record["instance"]) == ("running", "maria", f"{NAME}.run")
    (status,) = waiting(blobs)
    assert (status.context, status.state, status.url) == (
        "drawbridge/evaluate-full",
        "running",
        f"{SITE}/evaluations/{NAME}",
    )


def test_verdict_reaches_the_commit_and_who_asked(blobs: Blobs, outbox: Outbox) -> None:
    """However often it is told, there is one status and one reply; the record keeps when it began."""
    summary = asdict(samples.summary("full", Verdict.FAILED, id=NAME))
    tell({**news("running"), "at": "2026-11-23T08:00:00+00:00"}, SITE, blobs, outbox)
    for _ in range(2):
        tell(news("failed", summary=summary), SITE, blobs, outbox)

    record = blobs.read_json(blob_names.evaluation_record(NAME))
    assert (record["state"], record["started_at"]) == ("failed", "2026-11-23T08:00:00+00:00")
    reply, status = sorted(waiting(blobs), key=lambda one: one.kind)
    assert (reply.change, reply.marker) == (7, NAME)
    assert "**Full evaluation: failed**" in reply.body
    assert f"[report]({SITE}/evaluations/{NAME})" in reply.body
    assert status.state == "failed"


def test_what_could_not_run_is_a_failed_status_with_the_reason(blobs: Blobs, outbox: Outbox) -> None:
    """Never a green one; words from outside are no markup."""
    tell(news("error", reason="<b>drawbridge.yaml</b> is broken"), SITE, blobs, outbox)

    reply, status = sorted(waiting(blobs), key=lambda one: one.kind)
    assert (status.state, status.description) == ("failed", "could not run: <b>drawbridge.yaml</b> is broken")
    assert "could not run: \\<b\\>drawbridge.yaml" in reply.body


def test_status_of_a_release_is_never_written_over(blobs: Blobs, outbox: Outbox) -> None:
    """A full evaluation that was skipped there must not turn green because somebody asked for one elsewhere."""
    blobs.write_json(blob_names.record(samples.RELEASE), {})

    tell(news("running"), SITE, blobs, outbox)

    (status,) = waiting(blobs)
    assert status.context == "drawbridge/evaluate-full-on-demand"
