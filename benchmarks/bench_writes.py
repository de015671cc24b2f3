"""Writes: how often one release of 4,096 rows writes to GitHub, beside telling each thing as it happens.

The app's own stories run on the real SDK and a virtual clock. What they tell goes through the real activities and the
real outbox, kept in Azurite, to the double of GitHub, which counts.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import azure.durable_functions as df

import settings
from adapters import connect, records
from adapters.outbox import PENDING, Outbox, drain
from benchmarks.simulated_hub import SimulatedHub
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from devhost.system import ACCOUNT, AZURITE
from domain import blob_names
from domain.config import read_config
from domain.git_flow import release_id
from domain.models import (
    Deployment,
    EvaluationSummary,
    GateResult,
    Image,
    Metric,
    Probe,
    ReleaseRequest,
    Verdict,
    Vote,
)
from domain.outbox import PAUSE
from orchestrators import approval, build, deployment, evaluation, jobs, lane, release

MOST = 40  # writes
LARGE = 4096  # rows
ROWS_PER_SECOND = LARGE / (6 * 3600)  # six hours for all of them
ROWS_PER_SHARD = 64
ROWS = {"validate": 1, "minimal": ROWS_PER_SHARD, "full": LARGE}
REPOSITORY = "contoso/helpdesk"
TOKEN = "ghp_of_the_benchmark"  # noqa: S105  nobody else takes it
TICK = 15.0  # seconds between two runs of the timer that delivers
IMAGE = Image("sha256:" + "ab" * 32, "images/abab")
REAL = (
    "announce_deployment",
    "close_approval",
    "end_release",
    "enter_lane",
    "find_origin",
    "keep_baseline",
    "leave_lane",
    "look_around",
    "look_at_approval",
    "open_approval",
    "remind_approvers",
    "save_record",
    "tell_github",
)
STORIES = (approval, build, deployment, evaluation, jobs, lane, release)
CONFIG = """
version: 1
target: {promptflow: flows/chat}
validate: {commands: ["pytest -q"], sample: data/sample.jsonl}
evaluation:
  columns: {question: "${data.question}"}
  evaluators:
    f1:
      use: azure.ai.evaluation.F1ScoreEvaluator
      columns: {response: "${target.answer}", ground_truth: "${data.answer}"}
  minimal: {data: data/minimal.jsonl, gates: ["f1 >= 0.45"]}
  full: {data: data/full.jsonl, shards: 64, gates: ["f1 >= 0.45"]}
environments:
  - {name: dev, watch: 10m}
  - {name: nonprod, approvers: ["@maria", "@jonas"], watch: 10m}
  - {name: prod, approvers: ["@maria", "@jonas"], approvals: 2, watch: 10m}
"""


def main(runs: int) -> list[dict[str, Any]]:  # noqa: ARG001  each run would count the same
    """Count the writes of one release with a token and as an App, and of one that brings three changes."""
    with tempfile.TemporaryDirectory() as folder, _azurite() as blobs:
        eager = _released(Path(folder), blobs, eager=True).total()
        return [
            _row("commit statuses", _released(Path(folder), blobs), eager),
            _row("check runs", _released(Path(folder), blobs, as_app=True), eager),
            _row("three changes in one push", _released(Path(folder), blobs, changes=3), None),
        ]


def _row(name: str, ours: Counter[str], eager: int | None) -> dict[str, Any]:
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(ours.items()))
    return {
        "name": f"writes to GitHub for one release of {LARGE:,} rows: {name}",
        "ours": str(ours.total()),
        "peer": f"each thing as it happens: {eager}" if eager else "",
        "ratio": ours.total() / MOST,
        "goal": 1.0,
        "note": f"against {MOST}; three environments, two approvals; {kinds}",
    }


def _released(folder: Path, blobs: str, *, as_app: bool = False, changes: int = 1, eager: bool = False) -> Counter[str]:
    """Carry one commit to production, and return what GitHub was asked to write, by kind."""
    name = f"{'app' if as_app else 'token'}-{changes}-{'eager' if eager else 'outbox'}"
    with _github(folder / name, as_app) as (double, credentials), _settings(folder, blobs, double, name, credentials):
        request = _merge(double, changes)
        world = World(eager)
        with mock.patch.object(connect, "outbox", world.outbox):
            ended = world.hub.run("release", asdict(request), release_id(REPOSITORY, request.sha))
            world.tick(3 * TICK)
        if ended["outcome"] != "released":
            raise RuntimeError(f"the release ended as {ended}")
        return Counter(_kind(one["path"]) for one in double.requests() if _writes(one))


def _writes(request: dict[str, Any]) -> bool:
    return request["method"] != "GET" and str(request["path"]).startswith("/repos/")


def _kind(path: str) -> str:
    return next(kind for kind in ("comments", "deployments", "check-runs", "statuses") if f"/{kind}" in path)


@dataclass
class Compute:
    """Jobs that progress with the virtual clock."""

    now: Callable[[], float]
    begun: dict[str, float] = field(default_factory=dict)

    def advance(self, look: dict[str, Any]) -> dict[str, Any]:
        """Say how far the jobs of a plan are."""
        rows = ROWS[look["plan"]]
        elapsed = self.now() - self.begun.setdefault(look["plan"], self.now())
        done = min(rows, int(elapsed * ROWS_PER_SECOND))
        jobs = -(-rows // ROWS_PER_SHARD)
        over = range(jobs if done == rows else done // ROWS_PER_SHARD)
        new = [str(number) for number in over if str(number) not in look["finished"]]
        return {
            "finished": {number: {"ok": True, "error": "", "metrics": {}} for number in new},
            "lost": {},
            "jobs": jobs,
            "rows": {"done": done, "total": rows},
        }


@dataclass
class World:
    """The app's functions on a virtual clock: those that tell GitHub are real, the work they tell of is not."""

    eager: bool
    hub: SimulatedHub = field(init=False)
    told_until: float = 0.0
    waiting: bool = False  # something may wait in the outbox
    looks: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Lay out the functions by name."""
        stories = {story: _replayed(getattr(module, story)) for module in STORIES for story in _stories(module)}
        compute = Compute(self.now)
        work: dict[str, Callable[[Any], Any]] = {
            "fetch_snapshot": lambda _: {"snapshot": {"sha256": "5" * 64, "size": 1}},
            "read_config": lambda _: {"config": read_config(CONFIG).model_dump(mode="json", by_alias=True)},
            "plan_validation": lambda _: {"plan": "validate", "part": "", "poll": 30.0, "stage": "validate"},
            "plan_evaluation": lambda asked: {"blob": asked["kind"], "parts": ["shards"], "poll": 30.0, "stage": ""},
            "advance_jobs": compute.advance,
            "conclude_evaluation": lambda asked: {"summary": asdict(_summary(asked["id"]))},
            "build_image": lambda _: {"image": asdict(IMAGE)},
            "deploy_image": lambda asked: {"deployment": asdict(self._deployment(asked))},
            "probe_deployment": lambda _: asdict(Probe(True, 5, 0, (0.2,), "")),
        }
        real = {name: _plain(getattr(import_module(f"activities.{name}"), name)) for name in REAL}
        acts = {name: self._timed(name, act) for name, act in (work | real).items()}
        self.hub = SimulatedHub(stories, acts)
        self.told_until = self.now()

    def now(self) -> float:
        """The time of the virtual clock."""
        return self.hub.now.timestamp()

    def outbox(self, known: settings.Settings) -> Outbox:
        """The outbox on the virtual clock."""
        return Outbox(connect.blobs(known), lambda: connect.github(known), self.now)

    def tick(self, ahead: float = 0.0) -> None:
        """Let the timer come as often as it would have by now."""
        box = self.outbox(settings.current())
        while self.waiting and self.told_until + TICK <= self.now() + ahead:
            self.told_until += TICK
            drain(box.blobs, box.github(), lambda: self.told_until)
            self.waiting = bool(box.blobs.names(PENDING))
        self.told_until = max(self.told_until, self.now() // TICK * TICK)

    def _timed(self, name: str, act: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def run(payload: Any) -> Any:
            self.tick()
            answer = act(payload)
            if name == "look_at_approval":
                self._decide(payload)
            news = name in ("tell_github", "announce_deployment", "remind_approvers")
            self.waiting = self.waiting or news
            if self.eager and news:
                box = self.outbox(settings.current())
                drain(box.blobs, box.github(), lambda: self.now() + PAUSE)
            return answer

        return run

    def _decide(self, asked: dict[str, Any]) -> None:
        """Let everybody approve after the approvers were looked for a few times."""
        self.looks[asked["environment"]] += 1
        blobs = connect.blobs(settings.current())
        request = records.need_request(blobs, asked["release"], asked["environment"])
        for login in request.approvers if self.looks[asked["environment"]] == 6 else ():
            vote = Vote(login, f"{login}@contoso.com", "approve", "", request.digest, self._at())
            name = blob_names.vote(request.release, request.environment, request.round, vote.principal)
            blobs.create_json(name, asdict(vote))

    def _deployment(self, asked: dict[str, Any]) -> Deployment:
        url = f"https://{asked['environment']}.contoso.example"
        return Deployment(asked["environment"], asked["release"], IMAGE, url, self._at(), None)

    def _at(self) -> str:
        return self.hub.now.strftime("%Y-%m-%dT%H:%M:%SZ")


def _stories(module: Any) -> list[str]:
    return [name for name in ("run_jobs", module.__name__.split(".")[-1]) if hasattr(module, name)]


def _replayed(handle: Any) -> Callable[[str], str]:
    replayed: Callable[[str], str] = df.Orchestrator.create(_plain(handle).orchestrator_function)
    return replayed


def _plain(handle: Any) -> Any:
    return handle.build().get_user_function()


def _summary(evaluation: str) -> EvaluationSummary:
    kind = evaluation.rpartition(".")[2]
    sha = evaluation.rpartition(".")[0].rpartition("-")[2]
    return EvaluationSummary(
        id=evaluation,
        kind=kind,
        repository=REPOSITORY,
        commit=sha,
        dataset=f"data/{kind}.jsonl",
        fingerprint="f" * 64,
        rows=LARGE,
        scored=LARGE,
        errored=0,
        metrics=(Metric("f1", LARGE, 0.61, 0.6, 0.62),),
        gates=(GateResult("f1 >= 0.45", Verdict.PASSED, "0.61"),),
        verdict=Verdict.PASSED,
        latency_p50=0.4,
        latency_p95=0.9,
        tokens=1,
        seconds=21_600.0,
    )


def _merge(double: Client, changes: int) -> ReleaseRequest:
    """Bring as many changes to main in one push."""
    before = str(double.create_repository(REPOSITORY)["heads"]["main"])
    sha = before
    for number in range(1, changes + 1):
        branch = f"alex/{number}-answer"
        double.push(REPOSITORY, branch, {f"{number}.txt": "x"}, "Change", author="alex")
        double.open_pull_request(REPOSITORY, branch, f"Answer better ({number})", author="alex")
        sha = str(double.merge(REPOSITORY, number, by="sam")["merge_commit_sha"])
    return ReleaseRequest(REPOSITORY, sha, before, "main", "sam", "delivery")


@contextmanager
def _github(folder: Path, as_app: bool) -> Iterator[tuple[Client, dict[str, str]]]:
    private, public = _key_pair() if as_app else ("", "")
    credentials = (
        {"DRAWBRIDGE_GITHUB_APP_ID": "4711", "DRAWBRIDGE_GITHUB_APP_KEY": private}
        if as_app
        else {"DRAWBRIDGE_GITHUB_TOKEN": TOKEN}
    )
    access = Access(app_id="4711", app_public_key=public) if as_app else Access(token=TOKEN)
    with running(Options(folder, access=access)) as origin:
        yield Client(origin), credentials


@contextmanager
def _azurite() -> Iterator[str]:
    """Run blob storage in memory."""
    command = [str(AZURITE), "--blobPort", "0", "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]
    with subprocess.Popen([*command, "--silent"], stdout=subprocess.PIPE, text=True) as process:
        try:
            said = next(line for line in process.stdout or () if "successfully listens on" in line)
            yield f"DefaultEndpointsProtocol=http;{ACCOUNT};BlobEndpoint={said.split()[-1]}/devstoreaccount1;"
        finally:
            process.kill()


def _key_pair() -> tuple[str, str]:
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 - only where there is an App
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption())
    public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@contextmanager
def _settings(folder: Path, blobs: str, double: Client, name: str, credentials: dict[str, str]) -> Iterator[None]:
    """Let the activities of this process find everything."""
    environment = {
        "AzureWebJobsStorage": blobs,
        "DRAWBRIDGE_REPOSITORIES": REPOSITORY,
        "DRAWBRIDGE_PUBLIC_URL": "https://drawbridge.contoso.example",
        "DRAWBRIDGE_CONTAINER": name,
        "DRAWBRIDGE_WEBHOOK_SECRET": "webhook-secret",
        "DRAWBRIDGE_LINK_SECRET": "link-secret",
        "DRAWBRIDGE_GITHUB_URL": double.origin,
        "DRAWBRIDGE_STATE": str(folder / "state"),
        **credentials,
    }
    with ExitStack() as after, mock.patch.dict(os.environ, environment):
        settings.current.cache_clear()
        after.callback(settings.current.cache_clear)
        yield
