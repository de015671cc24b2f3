"""What several parts keep in blobs or take from them: records, rows of an evaluation, votes, a snapshot's file."""

from __future__ import annotations

import json
import logging
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from adapters import commits, release_index
from adapters.blobs import Blobs
from domain import blob_names, timeline
from domain.branch_line import Place
from domain.errors import Invalid, NotFound
from domain.models import ApprovalRequest, EvaluationSummary, ReleaseRecord, Verdict, Vote
from domain.schedules import CONTINUOUS, NIGHTLY, ON_DEMAND, EvaluationRecord
from domain.wire import read

NO_RELEASE = "There is no release of this name. A merge to the release branch starts one."
log = logging.getLogger("drawbridge.releases")


def save_record(blobs: Blobs, record: ReleaseRecord) -> ReleaseRecord:
    """Keep a release's record as its story tells it, and its row in the list; return what is kept.

    A release ends once: what a late step would write over an end is not kept.
    """
    kept = _keep(blobs, record.id, lambda found: timeline.following(found, record) if found else record)
    if kept.outcome is not record.outcome:
        late = record.outcome.value
        log.warning("%s stays %s (%s): %s came too late", kept.id, kept.outcome.value, kept.reason, late)
    return kept


def change_record(blobs: Blobs, release: str, step: Callable[[ReleaseRecord], ReleaseRecord]) -> ReleaseRecord:
    """Replace a release's record by what `step` makes of it as it stands, and return that. Raises NotFound."""

    def attempt(found: ReleaseRecord | None) -> ReleaseRecord:
        if found is None:
            raise NotFound(NO_RELEASE)
        return step(found)

    return _keep(blobs, release, attempt)


def _keep(blobs: Blobs, release: str, step: Callable[[ReleaseRecord | None], ReleaseRecord]) -> ReleaseRecord:
    def attempt(found: Any) -> Any:
        before = read(ReleaseRecord, found) if found else None
        after = step(before)
        if timeline.over(after) and not (before and timeline.over(before)):
            blobs.write(blob_names.untold(release), b"")  # first: whoever ends it may not live to tell it
        _note(blobs, before, after)
        return asdict(after)

    kept = read(ReleaseRecord, blobs.change_json(blob_names.record(release), attempt))
    release_index.keep(blobs, kept)
    return kept


def _note(blobs: Blobs, before: ReleaseRecord | None, after: ReleaseRecord) -> None:
    """Note what releases above it ask about the commit: that it has one, that its full evaluation passed."""
    if before is None:
        commits.note_begun(blobs, after.repository, after.commit.sha)
    if _passed(after) and not (before and _passed(before)):
        commits.note_evaluated(blobs, after.repository, Place(after.commit.sha, after.position))


def _passed(record: ReleaseRecord) -> bool:
    full = timeline.full_evaluation(record)
    return full is not None and full.verdict is Verdict.PASSED


def find_record(blobs: Blobs, release: str) -> ReleaseRecord | None:
    """Read a release's record, if there is such a release; `release` may come from outside."""
    kept = blobs.read_json(blob_names.record(release)) if blob_names.is_id(release) else None
    return read(ReleaseRecord, kept) if kept else None


def need_record(blobs: Blobs, release: str) -> ReleaseRecord:
    """Read a release's record. Raises NotFound."""
    record = find_record(blobs, release)
    if record is None:
        raise NotFound(NO_RELEASE)
    return record


def read_evaluations(blobs: Blobs, repository: str, sha: str) -> list[EvaluationRecord]:
    """Read the evaluations of a commit that are no part of a release, in the order they were asked for."""
    prefixes = (blob_names.evaluations_of(source, repository, sha) for source in (CONTINUOUS, ON_DEMAND, NIGHTLY))
    names = [name for prefix in prefixes for name in blobs.names(prefix) if name.endswith("/record.json")]
    found = (blobs.read_json(name) for name in names)
    return sorted((read(EvaluationRecord, one) for one in found if one), key=lambda record: record.started_at)


def read_lines(blobs: Blobs, name: str) -> list[dict[str, Any]]:
    """Read the whole lines of a JSONL blob; none when there is no such blob."""
    # Whole lines only: a worker that was killed leaves half of one. JSON may hold other line breaks inside.
    *lines, _unfinished = (blobs.read(name) or b"").split(b"\n")
    return [json.loads(line) for line in lines if line.strip()]


def read_rows(blobs: Blobs, evaluation: str) -> list[dict[str, Any]]:
    """Read the rows of all shards, in no particular order."""
    return [row for name in blobs.names(blob_names.shards(evaluation)) for row in read_lines(blobs, name)]


def rows_behind(blobs: Blobs, evaluations: Iterable[EvaluationSummary]) -> dict[str, tuple[dict[str, Any], ...]]:
    """Read the rows that the cards of evaluations show, and the baseline's of the same ids, by evaluation id."""
    found: dict[str, tuple[dict[str, Any], ...]] = {}
    for summary in evaluations:
        worse = summary.comparison.worse if summary.comparison else ()
        ids = frozenset(change.id for change in (*worse, *summary.lowest))
        for evaluation in [summary.id, *([summary.comparison.baseline] if summary.comparison and worse else [])]:
            found[evaluation] = _rows_of(blobs, evaluation, ids) if ids else ()
    return found


@lru_cache(maxsize=128)  # evaluations that are over, whose rows never change; pages show them every few seconds
def _rows_of(blobs: Blobs, evaluation: str, ids: frozenset[str]) -> tuple[dict[str, Any], ...]:
    return tuple(row for row in read_rows(blobs, evaluation) if row["id"] in ids)


def read_votes(blobs: Blobs, request: ApprovalRequest, number: int | None = None) -> list[Vote]:
    """Read the votes of a request's round, or of an earlier one, in the order they were given."""
    names = blobs.names(blob_names.votes(request.release, request.environment, number or request.round))
    found = [blobs.read_json(name) for name in names]
    return sorted((read(Vote, vote) for vote in found if vote), key=lambda vote: vote.at)


@dataclass(frozen=True)
class Question:
    """A question to approvers as it stands now, with the votes of all its rounds."""

    request: ApprovalRequest
    rounds: dict[int, tuple[Vote, ...]]


def read_questions(blobs: Blobs, release: str) -> list[Question]:
    """Read all questions that were ever asked about a release, in the order they were asked."""
    prefix = blob_names.questions(release)
    names = [name.removeprefix(prefix) for name in blobs.names(prefix)]
    environments = [name.partition("/")[0] for name in names if name.endswith("/request.json")]
    found = []
    for environment in environments:
        request = need_request(blobs, release, environment)
        rounds = {number: tuple(read_votes(blobs, request, number)) for number in range(1, request.round + 1)}
        found.append(Question(request, rounds))
    return sorted(found, key=lambda question: question.request.opened_at)


def read_vote(blobs: Blobs, request: ApprovalRequest, principal: str, rounds: Iterable[int]) -> Vote | None:
    """Read the first vote that a person gave in one of these rounds, if any."""
    for number in rounds:
        kept = blobs.read_json(blob_names.vote(request.release, request.environment, number, principal))
        if kept:
            return read(Vote, kept)
    return None


def read_request(blobs: Blobs, release: str, environment: str) -> ApprovalRequest | None:
    """Read the question to an environment's approvers, if it was asked."""
    stored = blobs.read_json(blob_names.approval_request(release, environment))
    return read(ApprovalRequest, stored) if stored else None


def need_request(blobs: Blobs, release: str, environment: str) -> ApprovalRequest:
    """Read the question to an environment's approvers. Raises NotFound."""
    request = read_request(blobs, release, environment)
    if request is None:
        raise NotFound(f"nobody was asked about {environment} of {release}")
    return request


def read_snapshot_rows(blobs: Blobs, sha256: str, path: str) -> list[dict[str, Any]]:
    """Read the rows of a JSONL file of a snapshot. Raises Invalid when there is no such file."""
    content = read_snapshot_file(blobs, sha256, path)
    if content is None:
        raise Invalid(f"{path} is not in the repository: commit it with the flow")
    return [json.loads(line) for line in content.split(b"\n") if line.strip()]


@lru_cache(maxsize=16)  # named by its content, so it never changes
def read_snapshot_file(blobs: Blobs, sha256: str, path: str) -> bytes | None:
    """Read one file of a snapshot without unpacking the rest; None when the repository has no such file.

    Raises NotFound when there is no such snapshot.
    """
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "snapshot.tar.gz")
        blobs.download_file(blob_names.snapshot(sha256), archive)
        with tarfile.open(archive, "r:gz") as files:
            try:
                member = files.extractfile(path)
            except KeyError:
                return None
            return member.read() if member else None
