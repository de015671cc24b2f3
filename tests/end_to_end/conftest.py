"""The whole system in real processes: Azurite, the GitHub double, the Functions host, workers and web apps.

Only GitHub is a double. The repository under release is small and needs no language model, so that these tests are
about the release; the demo runs the same story with a real model.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from adapters import debts, processes
from adapters.blobs import Blobs
from devhost.github.client import Client
from devhost.person import Person, approval_link
from domain import blob_names
from domain.git_flow import release_id
from domain.models import Debt, ReleaseRecord
from domain.wire import read
from tests.adapters.apps import APP, key_pair
from tests.devhost.harness import RunningHost, start_host

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "acme/echo"
SECRET = "webhook-secret"
LONG = 600  # seconds a whole story may take on a busy machine; a minute is usual
PATIENCE = 240.0  # seconds until a test gives up on something the system should have done
PEOPLE = {name: {"name": name.capitalize(), "email": f"{name}@acme.example"} for name in ("alex", "maria", "jonas")}

CONFIG = """
version: 1
target: {promptflow: flows/echo}
validate:
  commands: ["python -m compileall -q flows"]
  sample: data/sample.jsonl
evaluation:
  columns: {question: "${data.question}"}
  evaluators:
    exact: {use: "scores:exact", columns: {answer: "${target.answer}", expected: "${data.answer}"}}
  minimal: {data: data/minimal.jsonl, gates: ["exact >= 0.5", "exact drop <= 0.2", "errors <= 0"]}
  full: {data: data/full.jsonl, shards: 2, gates: ["exact >= 0.5"]}
environments:
  - {name: dev, watch: 1s}
  - {name: prod, approvers: ["@maria", "@jonas"], approvals: 2, prevent_self_approval: true, watch: 1s}
"""
FLOW = """
inputs:
  question: {type: string}
outputs:
  answer: {type: string, reference: "${echo.output}"}
nodes:
- name: echo
  type: python
  source: {type: code, path: echo.py}
  inputs: {question: "${inputs.question}"}
"""
GOOD = "from promptflow.core import tool\n\n\n@tool\ndef echo(question: str) -> str:\n    return question.upper()\n"
BAD = GOOD.replace(
    "question.upper()", "question.upper() if question < 'question 4' or len(question) > 10 else question"
)
SCORES = "def exact(answer, expected):\n    return float(answer == expected)\n"


def dataset(count: int) -> str:
    """Return rows whose right answer is the question in capitals."""
    rows = [{"id": f"r{n}", "question": f"question {n}", "answer": f"QUESTION {n}"} for n in range(count)]
    return "".join(json.dumps(row) + "\n" for row in rows)


FILES = {
    "drawbridge.yaml": CONFIG,
    "flows/echo/flow.dag.yaml": FLOW,
    "flows/echo/echo.py": GOOD,
    "scores.py": SCORES,
    "data/sample.jsonl": dataset(2),
    "data/minimal.jsonl": dataset(8),
    "data/full.jsonl": dataset(20),
}


OPT_OUT_LABEL = "skip-e2e-evaluation"
OPT_OUT = """<!-- drawbridge:opt-out -->
- [x] Answers cannot change: only documentation, tests or tooling are touched.
- [x] I know that the skip is shown with my name, and that the evaluation is owed before production.

Reason for skipping: documentation only
"""


def newest(statuses: list[dict[str, Any]]) -> dict[str, str]:
    """Return the newest state of each context, as GitHub shows them."""
    return {status["context"]: status["state"] for status in sorted(statuses, key=lambda status: int(status["id"]))}


@dataclass
class System:
    """Everything that runs, with the words tests use for what people do."""

    folder: Path
    connection: str
    container: str
    github: Client
    port: int
    environment: dict[str, str]
    hosts: list[RunningHost] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def blobs(self) -> Blobs:
        return Blobs(self.connection, self.container)

    @property
    def host(self) -> RunningHost:
        return self.hosts[-1]

    def start_host(self) -> None:
        """Start the Functions host, or start it again over the same hub."""
        arguments = ["--port", str(self.port), "--sign-in"]
        self.hosts.append(start_host(ROOT, self.folder / "hub.sqlite", self.environment, arguments))

    def merge(self, files: dict[str, str | None], title: str, labels: tuple[str, ...] = (), body: str = "") -> int:
        """Let alex bring a change and sam merge it. Returns the pull request's number."""
        branch = f"alex/{uuid.uuid4().hex[:8]}"
        self.github.push(REPOSITORY, branch, files, title, author="alex")
        number = int(self.github.open_pull_request(REPOSITORY, branch, title, body, author="alex")["number"])
        for label in labels:
            self.github.add_label(REPOSITORY, number, label, by="alex")
        self.github.merge(REPOSITORY, number, by="sam")
        return number

    def merge_without_full_evaluation(self, files: dict[str, str | None], title: str) -> int:
        """Let alex bring a change that opts out of the full evaluation, checklist and reason included."""
        return self.merge(files, title, labels=(OPT_OUT_LABEL,), body=OPT_OUT)

    def release_of(self, number: int) -> str:
        """Return the id of the release that a merged pull request has."""
        return release_id(REPOSITORY, self.github.pull(REPOSITORY, number)["merge_commit_sha"])

    def record(self, release: str) -> ReleaseRecord | None:
        """Return the release's record, once there is one."""
        stored = self.blobs.read_json(f"releases/{release}/record.json")
        return read(ReleaseRecord, stored) if stored else None

    def debt(self, release: str) -> Debt | None:
        """Return what a release owes or owed for a skipped full evaluation."""
        return debts.find(self.blobs, REPOSITORY, release.rpartition("-")[2])

    def call_night(self) -> None:
        """Let the timer that looks for due nights come round, with a night due."""
        self.blobs.write_json(blob_names.night_started(REPOSITORY), {"date": "2020-01-01", "instance": ""})
        requests.post(f"{self.url}/admin/functions/nights", json={}, timeout=30).raise_for_status()

    def deliver(self) -> None:
        """Let the timer come round that tells GitHub what is still to be told."""
        requests.post(f"{self.url}/admin/functions/deliver", json={}, timeout=30).raise_for_status()

    def sign_in(self, login: str) -> Person:
        """Return a person with a browser, signed in."""
        person = Person(login, self.url)
        person.sign_in()
        return person

    def wait(self, what: str, look: Callable[[], Any]) -> Any:
        """Look again and again until `look` returns something; fail with the host's log when it never does."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            time.sleep(0.2)
        pytest.fail(f"waited {PATIENCE:.0f} s for {what}\n{self.host.log[-6000:]}")

    def wait_for_end(self, release: str) -> ReleaseRecord:
        """Wait until a release is over and return its record."""

        def ended() -> ReleaseRecord | None:
            record = self.record(release)
            return record if record and record.outcome != "running" else None

        record: ReleaseRecord = self.wait(f"the end of {release}", ended)
        return record

    def wait_for_completion(self, release: str) -> None:
        """Wait until a release's orchestration has nothing left to do, which comes a little after its end is told."""
        instance = f"{self.url}/runtime/webhooks/durabletask/instances/{release}"
        self.wait(
            f"the completion of {release}",
            lambda: requests.get(instance, timeout=30).json()["runtimeStatus"] == "Completed",
        )

    def wait_for_verdict(self, number: int, outcome: str) -> dict[str, Any]:
        """Wait until the comment on a pull request says how its release ended; return the pull request then."""

        def told() -> dict[str, Any] | None:
            pull = self.github.pull(REPOSITORY, number)
            headlines = [comment["body"].splitlines()[1] for comment in pull["comments"]]
            return pull if any(headline.endswith(f"– {outcome}") for headline in headlines) else None

        return dict(self.wait(f"the verdict {outcome} on #{number}", told))

    def wait_for_statuses(self, number: int, wanted: Mapping[str, str]) -> None:
        """Wait until a pull request's commit has these statuses, which the outbox delivers at its own pace."""

        def told() -> bool:
            return wanted.items() <= newest(self.github.pull(REPOSITORY, number)["statuses"]).items()

        self.wait(f"the statuses {dict(wanted)} on #{number}", told)

    def wait_for_deployments(self, number: int, environments: Iterable[str]) -> None:
        """Wait until GitHub shows exactly one deployment to each environment, which succeeded, and no other.

        GitHub calls it inactive as soon as a newer one has succeeded.
        """

        def shown() -> bool:
            deployments = self.github.pull(REPOSITORY, number)["deployments"]
            ends = sorted(
                (
                    one["environment"],
                    [kept for status in one["statuses"] if (kept := status["state"]) != "inactive"][-1:],
                )
                for one in deployments
            )
            return ends == [(name, ["success"]) for name in sorted(environments)]

        self.wait(f"the deployments of #{number}", shown)

    def wait_for_link(self, number: int, person: str, environment: str) -> str:
        """Wait for a person's approval link in the pull request's comment."""

        def link() -> str | None:
            comments = [comment["body"] for comment in self.github.pull(REPOSITORY, number)["comments"]]
            return next((found for body in comments if (found := approval_link(body, person, environment))), None)

        return str(self.wait(f"{person}'s link for {environment}", link))

    def vote(self, number: int, person: str, environment: str, decision: str, comment: str = "") -> str:
        """Let a person decide, through their link, like a browser."""
        link = self.wait_for_link(number, person, environment)
        return self.sign_in(person).vote(link, decision, comment)

    def approve(self, number: int) -> None:
        """Let both approvers let a release into production."""
        for person in ("maria", "jonas"):
            assert self.vote(number, person, "prod", "approve") == "Recorded"


@pytest.fixture
def system(tmp_path: Path, azurite: str) -> Iterator[System]:
    """A running system with one repository and no release yet, signed in with a token."""
    with running(tmp_path, azurite, ["--token", "t0ken"], {"DRAWBRIDGE_GITHUB_TOKEN": "t0ken"}) as started:
        yield started


@pytest.fixture
def app_system(tmp_path: Path, azurite: str) -> Iterator[System]:
    """The same, signed in as a GitHub App; no token is taken."""
    private, public = key_pair()
    key = tmp_path / "app.pem"
    key.write_text(public)
    settings = {"DRAWBRIDGE_GITHUB_APP_ID": APP, "DRAWBRIDGE_GITHUB_APP_KEY": private}
    with running(tmp_path, azurite, ["--app-id", APP, "--app-public-key", str(key)], settings) as started:
        yield started


@contextmanager
def running(tmp_path: Path, azurite: str, taken: Sequence[str], sign_in: Mapping[str, str]) -> Iterator[System]:
    """Run everything: `taken` tells the double which sign-in it takes, `sign_in` are the app's settings for it."""
    port, github_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    double = subprocess.Popen(
        [
            *(sys.executable, "-m", "devhost.github", "--root", str(tmp_path / "github"), "--port", str(github_port)),
            *("--webhook", f"{url}/api/github/webhook", "--secret", SECRET, "--check", *taken),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    container = f"system-{uuid.uuid4().hex}"
    environment = {
        "DRAWBRIDGE_REPOSITORIES": REPOSITORY,
        "DRAWBRIDGE_PUBLIC_URL": url,
        "DRAWBRIDGE_CONTAINER": container,
        "DRAWBRIDGE_WEBHOOK_SECRET": SECRET,
        "DRAWBRIDGE_LINK_SECRET": "link-secret",
        "DRAWBRIDGE_GITHUB_URL": f"http://127.0.0.1:{github_port}",
        "DRAWBRIDGE_PEOPLE": json.dumps({login: person["email"] for login, person in PEOPLE.items()}),
        "DRAWBRIDGE_STATE": str(tmp_path / "state"),
        "DRAWBRIDGE_POLL_SECONDS": "0.5",
        "DRAWBRIDGE_LOOK_SECONDS": "1",
        "AzureWebJobsStorage": azurite,
        "DEVHOST_PEOPLE": json.dumps(PEOPLE),
        **sign_in,
    }
    started = System(tmp_path, azurite, container, Client(f"http://127.0.0.1:{github_port}"), port, environment)
    try:
        started.start_host()
        started.wait("the GitHub double", started.github.healthy)
        source = tmp_path / "source"
        for name, text in FILES.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_text(text)
        started.github.create_repository(REPOSITORY, source)
        yield started
        assert started.github.findings() == [], "not as GitHub publishes it"
    finally:
        for host in started.hosts:
            host.kill()
        double.kill()
        double.wait()
        processes.stop_all(tmp_path / "state")


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
