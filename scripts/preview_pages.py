"""Render every page in every state with sample data: `python scripts/preview_pages.py [--out preview]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from domain.lanes import Lane
from domain.models import ApprovalRequest, Evidence, ReleaseRecord, Vote
from domain.release_rows import row_of
from scripts import preview_data as data
from triggers.render import CSP, render
from triggers.views import (
    Ask,
    FormLink,
    Surroundings,
    Viewer,
    approval_page,
    change_page,
    debts_page,
    environments_page,
    evaluation_page,
    evaluation_running_page,
    message_page,
    release_list_page,
    release_page,
    replaced_page,
    sign_in_page,
    validation_page,
)

SEALED = FormLink("/api/somewhere", "sample-form-seal")
Page = tuple[str, str, str, Any]  # file name, what it shows, template, view


def pages() -> Iterator[Page]:
    """Yield every page with its view."""
    yield from _release_pages()
    yield from _evaluation_pages()
    yield from _approval_pages()
    yield from _standing_pages()
    yield from _work_pages()
    yield from _message_pages()


def _release_pages() -> Iterator[Page]:
    records = [data.running_release(), data.opted_out(), data.overridden(), data.released(), data.superseded()]
    records += [data.stopped(), data.rejected()]
    listed = [replace(one, id=f"r{index}", created_at=data.iso(64 + index * 190)) for index, one in enumerate(records)]
    rows = [row_of(one) for one in listed]
    yield "releases", "Release list, page 2 of 10", "releases.html", release_list_page(rows, data.NOW, page=2, pages=10)
    yield "releases-empty", "Release list, empty", "releases.html", release_list_page([], data.NOW)
    around = Surroundings(progress=data.progress(), others=data.other_evaluations(), evaluate=SEALED)
    live = release_page(records[0], data.NOW, around)
    yield "release-running", "Release while the full evaluation runs", "release.html", live
    begun = Surroundings(progress=data.progress(0, 0))
    paused = release_page(data.record(stages=data.RUNNING[:1]), data.NOW, begun, refresh=False)
    yield "release-begun", "Release just begun, refresh stopped", "release.html", paused
    held = Surroundings(lanes=data.lanes(), cancel=SEALED, evaluate=SEALED)
    waiting = release_page(replace(data.opted_out(), debt=None, opt_outs=()), data.NOW, held, refresh=False)
    yield "release-waiting", "Release that waits for its turn, refresh stopped", "release.html", waiting
    asked = Surroundings(asks=[Ask("prod", "/api/approvals/mine")], rounds=data.rounds(), cancel=SEALED)
    asking = release_page(data.overridden(), data.NOW, asked)
    yield "release-asking", "Release that asks its reader, second round, overridden", "release.html", asking
    back = Surroundings(rows=_rows(0.3), rollbacks=[replace(SEALED, about="prod")], evaluate=SEALED)
    for record, name, what in (
        (data.released(), "released", "Release that reached production"),
        (data.stopped(), "stopped", "Release stopped by its full evaluation"),
        (data.opted_out(), "opted-out", "Release that skipped the full evaluation"),
        (data.superseded(), "superseded", "Release that a newer one overtook"),
        (data.rejected(), "rejected", "Release rejected by an approver"),
        (data.expired(), "expired", "Release nobody decided about, after a direct push"),
        (data.hostile(), "hostile", "Release whose every text is hostile"),
    ):
        yield f"release-{name}", what, "release.html", release_page(record, data.NOW, back)


def _evaluation_pages() -> Iterator[Page]:
    for drift, count, name in ((0.0, 300, "passed"), (0.3, 300, "failed"), (0.09, 24, "inconclusive")):
        summary, rows, before = data.evaluations(drift, count)
        release = data.record().id
        view = evaluation_page(summary, rows, data.NOW, baseline_rows=before, release=release, page=1)
        yield f"evaluation-{name}", f"Evaluation report: {name}", "evaluation.html", view
    first = evaluation_page(data.minimal(), data.result_rows(30), data.NOW)
    yield "evaluation-first", "First evaluation, no baseline", "evaluation.html", first
    none = data.summary(data.result_rows(5, errored=3), "minimal")
    yield (
        "evaluation-few",
        "Evaluation with few rows, their text gone",
        "evaluation.html",
        evaluation_page(none, [], data.NOW),
    )


def _approval_pages() -> Iterator[Page]:
    yes, no = data.vote("jonas"), data.vote("priya", "reject", "The tone of the refund answers is off.")
    for name, viewer, votes, minutes in (
        ("open", "maria", [yes], 3000),
        ("voted", "jonas", [yes], 3000),
        ("approved", "maria", [yes, data.vote("priya")], 3000),
        ("rejected", "maria", [yes, no], 3000),
        ("expired", "maria", [yes], -90),
        ("excluded", "alex", [yes], 3000),
        ("not-approver", "", [], 3000),
    ):
        view = approval(viewer, votes, minutes)
        yield f"approval-{name}", f"Approval page: {name}", "approval.html", view
    owing = data.approval_request(90, debt_open=True)
    waived = data.vote("jonas", comment="A typo in the opening hours, nothing the model sees.", waives=True)
    for name, what, view in (
        (
            "debt",
            "of a release with evaluation debt",
            show(owing, data.evidence(True), "maria", [waived], data.opted_out()),
        ),
        (
            "debt-expired",
            "of a release whose debt has expired",
            show(owing, data.evidence(True, data.debt(due=-30)), "maria", [], data.opted_out()),
        ),
        (
            "debt-on-top",
            "of a release with evaluation debt, on top of commits that no evaluation has passed",
            show(
                owing,
                data.evidence(True, data.debt(on_top_of=("4be1c07" * 6, "9d20f5a" * 6))),
                "maria",
                [],
                data.opted_out(),
            ),
        ),
        (
            "groups",
            "through an Entra group's link, second round",
            show(data.group_request(), data.evidence(), data.GROUP),
        ),
        (
            "superseded",
            "of a release that a newer one overtook",
            show(data.approval_request(), data.evidence(), "maria", [], data.superseded()),
        ),
        (
            "override",
            "that overrides a failed evaluation",
            show(data.override_request(), data.stopped_evidence(), "maria"),
        ),
    ):
        yield f"approval-{name}", f"Page {what}", "approval.html", view
    news = ("The evaluation debt was paid: the full evaluation passed.", "The full evaluation ran: passed, f1 0.585.")
    again = replaced_page(data.approval_request(), news, yes, "/api/approvals/newest")
    yield "approval-replaced", "Link of an earlier round", "message.html", again


def approval(viewer: str, votes: list[Any], minutes: float) -> Any:
    """Build the approval page for one person at one moment."""
    return show(data.approval_request(minutes), data.evidence(), viewer, votes)


def show(
    request: ApprovalRequest,
    evidence: Evidence,
    viewer: str,
    votes: Sequence[Vote] = (),
    record: ReleaseRecord | None = None,
) -> Any:
    """Build the page that asks a question on some evidence."""
    return approval_page(
        evidence,
        request,
        votes,
        data.NOW,
        viewer=Viewer(viewer, f"{'eve' if ':' in viewer else viewer}@contoso.example", viewer in request.excluded),
        action="/api/approvals/sample",
        csrf="sample-form-seal",
        rows=_rows(0.04),
        record=record,
    )


def _rows(drift: float) -> dict[str, list[dict[str, Any]]]:
    """Return the result rows of the sample evaluations by evaluation id."""
    summary, rows, before = data.evaluations(drift)
    known = {summary.id: rows, data.minimal().id: data.result_rows(30)}
    return known | ({summary.comparison.baseline: before} if summary.comparison else {})


def _standing_pages() -> Iterator[Page]:
    def lift(lane: Lane) -> tuple[str, str]:
        return f"/api/environments/contoso.helpdesk/{lane.environment}/lift", "sample-form-seal"

    held = environments_page(data.lanes(), data.NOW, lift=lift)
    yield "environments", "Environments: a queue, a hold that the reader may lift", "environments.html", held
    yield (
        "environments-empty",
        "Environments, before the first release",
        "environments.html",
        environments_page([], data.NOW),
    )
    yield "debts", "Evaluation debts in every state", "debts.html", debts_page(data.debts(), data.NOW)
    yield "debts-none", "Evaluation debts: none", "debts.html", debts_page([], data.NOW)


def _work_pages() -> Iterator[Page]:
    lines = data.validation_lines()
    for name, what, view in (
        ("failed", "Change whose validation failed", change_page(data.change_record(), data.NOW, lines=lines)),
        ("running", "Change that is being validated", change_page(data.running_change(), data.NOW)),
        (
            "merged",
            "Change that was merged and has a release",
            change_page(data.merged_change(), data.NOW, lines=lines[:2], release=data.record().id),
        ),
    ):
        yield f"change-{name}", what, "change.html", view
    validation = validation_page(data.record().id, data.REPOSITORY, lines)
    yield "validation", "What a release's validation printed", "validation.html", validation
    running, ended = data.other_evaluations()
    live = evaluation_running_page(running, data.NOW, data.progress())
    yield "evaluation-running", "Evaluation on demand, while it runs", "evaluation_running.html", live
    error = evaluation_running_page(replace(ended, state="error", reason="The model did not answer."), data.NOW)
    yield "evaluation-error", "Evaluation that came to no result", "evaluation_running.html", error


def _message_pages() -> Iterator[Page]:
    yield (
        "sign-in",
        "Sign in needed",
        "sign_in_needed.html",
        sign_in_page("/api/approvals/sample", "decide about a release"),
    )
    recorded = message_page("Your vote is recorded", "You approved 4f2a91c0 for prod.", "1 more approval is needed.")
    yield "message-recorded", "Vote recorded", "message.html", recorded
    for status, title, sentence in (
        (403, "Not for you", "You are signed in as sam, and this link is for maria. Use your own link."),
        (404, "Nothing here", "There is no such release."),
        (409, "The evidence changed", "Open the link again and look at it once more."),
        (410, "Too late", "The time to decide about prod ended at 22 Nov 2026, 14:03 UTC."),
    ):
        yield f"message-{status}", title, "message.html", message_page(title, sentence, status=status)


def main(out: Path) -> int:
    """Write all pages and an index to `out`; return how many."""
    out.mkdir(parents=True, exist_ok=True)
    listed = []
    for name, what, template, view in pages():
        html = render(template, view).replace('/api/releases"', 'releases.html"')
        (out / f"{name}.html").write_text(html.replace("<title>", _policy() + "<title>", 1), encoding="utf-8")
        listed.append((f"{name}.html", what))
    links = "".join(f'<li><a href="{file}">{what}</a></li>' for file, what in listed)
    index = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Pages</title><h1>Pages</h1><ul>{links}</ul>'
    (out / "index.html").write_text(index, encoding="utf-8")
    return len(listed)


def _policy() -> str:
    """Return the content security policy as a tag, since files have no headers."""
    policy = CSP.replace("; frame-ancestors 'none'", "")  # is ignored, with a complaint, in a tag
    return f'<meta http-equiv="Content-Security-Policy" content="{policy}">'


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("preview"))
    arguments = parser.parse_args()
    print(f"{main(arguments.out)} pages in {arguments.out}/index.html")
