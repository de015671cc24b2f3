"""The things Drawbridge talks about, as frozen dataclasses.

They cross every process boundary as plain dicts: `asdict` on the way out, `domain.wire.read` on the
way in. Times are UTC in ISO 8601 with a trailing `Z`; durations and latencies are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What a gate, or an evaluation as a whole, comes to."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class StageState(StrEnum):
    """Where one stage of a release stands."""

    WAITING = "waiting"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """How a release ended, or that it has not."""

    RUNNING = "running"
    RELEASED = "released"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


class DebtState(StrEnum):
    """Where the debt of an honoured opt-out stands. PAYING: its evaluation runs."""

    OPEN = "open"
    PAYING = "paying"
    PAID = "paid"
    FAILED = "failed"
    WAIVED = "waived"


class JobPhase(StrEnum):
    """Where a job on the evaluation compute stands. LOST: its process vanished without a result."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True)
class ReleaseRequest:
    """A push to the release branch, as the webhook told it."""

    repository: str  # owner/name
    sha: str
    before: str  # the branch's head before the push; forty zeros for a new branch
    branch: str
    pusher: str
    delivery: str  # X-GitHub-Delivery
    forced: bool = False  # the branch was rewritten


@dataclass(frozen=True)
class ChangeRequest:
    """The head of an open change, to be validated."""

    repository: str
    number: int
    sha: str  # the head
    delivery: str
    attempt: int = 1  # more than 1 when somebody asked to run it again
    base: str = ""  # the branch it goes to; "" when whoever asks does not know


@dataclass(frozen=True)
class EvaluationRequest:
    """An evaluation that is no part of a release."""

    repository: str
    sha: str
    kind: str  # "minimal" | "full"
    source: str  # "continuous" | "on-demand" | "nightly"
    asked_by: str  # GitHub login or sign-in name; "" for a schedule
    key: str  # what makes two requests one: a comment's id, a delivery, a date
    change: int | None = None  # where the answer goes, besides the commit


@dataclass(frozen=True)
class Commit:
    repository: str
    sha: str
    author: str  # GitHub login where known, else the name in the commit
    message: str  # first line only
    committed_at: str
    url: str


@dataclass(frozen=True)
class Change:
    """A merged pull request, with its labels as they were when it merged."""

    number: int
    title: str
    author: str
    merged_by: str
    merged_at: str
    labels: tuple[str, ...]
    url: str


@dataclass(frozen=True)
class OptOut:
    """The label that asks to skip the full evaluation, as it stands on a change: honoured, or refused and why."""

    label: str
    change: int
    by: str  # who put the label there
    at: str
    reason: str = ""  # as given in the change's text
    refused: str = ""  # why it is not honoured


@dataclass(frozen=True)
class Debt:
    """What an honoured opt-out leaves behind, until its full evaluation has passed or approvers have waived it."""

    repository: str
    release: str
    commit: str
    opt_outs: tuple[OptOut, ...]
    owed: str  # what was not evaluated, in words
    at: str
    expires_at: str
    state: DebtState = DebtState.OPEN
    evaluation: str = ""  # id of the one that pays it
    settled_at: str = ""
    settled_by: str = ""  # who waived it, or what paid it
    detail: str = ""
    position: int = 0  # of its commit on the branch
    on_top_of: tuple[str, ...] = ()  # commits under it that no full evaluation has passed: as of now, never stored


@dataclass(frozen=True)
class Override:
    """A full evaluation that did not pass, and the person who let the release go on all the same."""

    evaluation: str
    verdict: Verdict
    by: str
    reason: str
    at: str
    digest: str  # of the evidence that was seen


@dataclass(frozen=True)
class Origin:
    """Where a release comes from: its commit and the merged changes it includes (none after a direct push)."""

    commit: Commit
    changes: tuple[Change, ...]
    opt_outs: tuple[OptOut, ...]  # honoured
    authors: tuple[str, ...] = ()  # and committers of every commit that was pushed
    position: int = 0  # on the branch: a newer commit's is greater
    refused: tuple[OptOut, ...] = ()
    unseen: int = 0  # commits of the push whose changes nobody looked for
    direct: int = 0  # commits of the push that came without a change, as far as GitHub says
    unlinked: bool = False  # one of these looks as if GitHub had merged it


@dataclass(frozen=True)
class Snapshot:
    """A repository's files at one commit, stored once as `snapshots/<sha256>.tar.gz`."""

    sha256: str
    size: int  # bytes


@dataclass(frozen=True)
class Metric:
    """An aggregate over the rows that have a score: the mean with its 95 % interval.

    `low` and `high` are None when fewer than two rows were scored.
    """

    name: str
    count: int
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class GateResult:
    """One gate, judged: the rule as configured, what was seen, in words a person reads."""

    rule: str
    verdict: Verdict
    detail: str


@dataclass(frozen=True)
class MetricChange:
    """A metric against the baseline, paired by row id. `difference` is now minus before."""

    name: str
    count: int
    before: float
    after: float
    difference: float
    low: float | None
    high: float | None
    detectable: float | None  # the smallest drop these rows could show, see statistics.detectable_drop
    lost: int = 0  # rows that the baseline scored and this evaluation did not


@dataclass(frozen=True)
class RowChange:
    """One row that scored worse (or, in a first evaluation, lowest). Ids and scores only: text stays in blobs."""

    id: str
    metric: str
    before: float | None
    after: float


@dataclass(frozen=True)
class Comparison:
    """An evaluation against the baseline of the same dataset. `refused` says why there are no deltas."""

    baseline: str  # evaluation id
    commit: str
    refused: str | None
    metrics: tuple[MetricChange, ...] = ()
    worse: tuple[RowChange, ...] = ()


@dataclass(frozen=True)
class EvaluationSummary:
    """What an evaluation came to. Small enough for history; the rows stay in `evaluations/<id>/shards/`."""

    id: str
    kind: str
    repository: str
    commit: str
    dataset: str  # path in the repository
    fingerprint: str  # of everything a comparison depends on, see domain.gates
    rows: int
    scored: int
    errored: int
    metrics: tuple[Metric, ...]
    gates: tuple[GateResult, ...]
    verdict: Verdict
    latency_p50: float | None
    latency_p95: float | None
    tokens: int
    seconds: float  # wall clock
    lowest: tuple[RowChange, ...] = ()
    failed_rows: tuple[str, ...] = ()  # ids of errored rows, at most 20
    comparison: Comparison | None = None
    finished_at: str = ""


@dataclass(frozen=True)
class Job:
    """Work for the evaluation compute. `name` is its idempotency key: submitting it twice runs it once."""

    name: str
    kind: str  # "validate" | "rows" | "aggregate"
    snapshot: str  # sha256
    spec: Mapping[str, Any]
    timeout: int  # seconds
    inputs: dict[str, str] = field(default_factory=dict)  # path in the job directory -> blob to put there
    sealed: bool = False  # a stranger's code: it gets no variables, so no secret and no model
    short: bool = False  # minutes, and people wait for it: it must not stand in line behind hours of others


@dataclass(frozen=True)
class JobStatus:
    name: str
    phase: JobPhase
    done: int = 0
    total: int = 0
    error: str = ""


@dataclass(frozen=True)
class Image:
    """What is deployed: named by the digest of its content, built once, promoted unchanged."""

    digest: str  # "sha256:<hex>"
    reference: str  # where the web app pulls it from


@dataclass(frozen=True)
class Deployment:
    """An image running in an environment on behalf of a release."""

    environment: str
    release: str
    image: Image
    url: str
    deployed_at: str
    previous: Image | None  # what a rollback returns to


@dataclass(frozen=True)
class Probe:
    """What real requests to a deployment showed."""

    healthy: bool
    requests: int
    errors: int
    latencies: tuple[float, ...]  # of the requests that were answered
    detail: str


@dataclass(frozen=True)
class Vote:
    """One approver's decision, bound to the evidence digest the person saw."""

    approver: str  # as configured, a GitHub login
    principal: str  # who signed in
    decision: str  # "approve" | "reject"
    comment: str
    digest: str
    at: str
    waives: bool = False  # approves although evaluation debt is open


@dataclass(frozen=True)
class Evidence:
    """What an approver sees. Its digest (domain.approvals.digest) binds every vote to it."""

    release: str
    repository: str
    environment: str
    commit: Commit
    changes: tuple[Change, ...]
    image: Image
    evaluations: tuple[EvaluationSummary, ...]
    opt_outs: tuple[OptOut, ...]
    deployments: tuple[Deployment, ...]  # the environments it is already in
    approvers: tuple[str, ...]
    approvals: int
    prevent_self_approval: bool
    exclude_merger: bool = False
    debt: Debt | None = None
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True)
class ApprovalRequest:
    """An open question to the approvers of one environment, or (environment `override`) to those who may override.

    New evidence asks again: `round` counts, and links and votes of an earlier round are void.

    `nonces` are random, one per approver in the same order; links derive from them and a secret
    that is not stored here, so that reading the blob does not give anyone a link.
    """

    release: str
    environment: str
    digest: str
    approvers: tuple[str, ...]
    nonces: tuple[str, ...]
    approvals: int
    excluded: tuple[str, ...]  # who may not vote: authors, when self-approval is prevented
    opened_at: str
    remind_at: str
    expires_at: str
    instance: str  # the orchestration that waits
    round: int = 1
    debt_open: bool = False  # an approval is only taken together with a waiver
    groups: dict[str, str] = field(default_factory=dict)  # resolved login -> the team that was configured
    look: float = 300.0  # seconds between two looks at the votes, when nobody rings


@dataclass(frozen=True)
class Stage:
    """One line of the release's timeline."""

    name: str  # "validate", "evaluate-minimal", "build", "deploy-dev", "evaluate-full", "approve-nonprod", …
    state: StageState = StageState.WAITING
    started_at: str | None = None
    ended_at: str | None = None
    detail: str = ""
    url: str = ""
    instance: str = ""  # the orchestration whose custom status has the live progress


@dataclass(frozen=True)
class ReleaseRecord:
    """The read model of a release: what pages, GitHub messages and evidence are made from."""

    id: str
    repository: str
    branch: str
    commit: Commit
    changes: tuple[Change, ...]
    opt_outs: tuple[OptOut, ...]
    created_at: str
    updated_at: str
    outcome: Outcome = Outcome.RUNNING
    reason: str = ""
    stages: tuple[Stage, ...] = ()
    evaluations: tuple[EvaluationSummary, ...] = ()
    image: Image | None = None
    deployments: tuple[Deployment, ...] = ()
    votes: dict[str, tuple[Vote, ...]] = field(default_factory=dict)  # by environment
    authors: tuple[str, ...] = ()  # everybody who wrote something in this release
    notes: tuple[str, ...] = ()  # what a person should know, e.g. a message GitHub never took
    position: int = 0  # on the branch: a newer commit's is greater
    debt: Debt | None = None
    overrides: tuple[Override, ...] = ()
    refused_opt_outs: tuple[OptOut, ...] = ()
    superseded_by: str = ""  # the newer release
    direct: int = 0  # commits that came without a change, or of whose change nobody knows
