"""What must be true of every world, whatever happens in it.

Judged from outside: by the truth about each commit, by what people were shown and did, and by what the platform was
made to do; never by what the app says it decided.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from domain import approvals, blob_names
from domain.config import Config, Environment, read_config
from domain.models import ReleaseRecord, StageState, Verdict
from domain.release_news import CHANGE
from domain.windows import next_open, parse_window
from domain.wire import read
from tests.model.hosting import commit_of
from tests.model.world import REPOSITORY, World

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True)
class Ballot:
    """A form that a person sent and the app did not refuse: what it decided, and the evidence the person had seen."""

    release: str
    environment: str
    person: str
    decision: str
    digest: str
    waives: bool = False
    sure: bool = True  # the app said that it is recorded; else it may be


@dataclass(frozen=True)
class Deployed:
    """A deployment that began. `back`: it was an approver who wanted to go back."""

    release: str
    at: datetime
    back: str = ""  # the rollback's instance


class Violation(AssertionError):
    """Something that must never happen has happened."""


@lru_cache(maxsize=32)
def config_of(text: str) -> Config:
    """Read a commit's config."""
    return read_config(text)


class Watch:
    """Sees each deployment before it happens and the whole world whenever it is asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ballots: list[Ballot] = []
        self.broken = False  # a rule: what comes after that means nothing
        self.deployed: dict[str, list[Deployed]] = {}
        self.lifted: list[tuple[str, datetime]] = []  # environment, and when somebody lifted its hold
        self._seen: dict[str, str] = {}  # etag by record
        self._outcomes: dict[str, str] = {}
        self._fell_short: dict[
            str, datetime
        ] = {}  # commits whose full evaluation did not pass, and when that was known
        self._judged: set[str] = set()
        world.watchers.append(self.before_deployment)

    def adopt(self, other: Watch) -> None:
        """Remember what another watch has seen."""
        self.ballots += other.ballots
        self.deployed = {name: list(seen) for name, seen in other.deployed.items()}
        self.lifted += other.lifted

    # One deployment.

    def before_deployment(self, name: str, release: str) -> None:
        """Hold a deployment to every rule. Raises Violation."""
        back = self._rollback(name, release)
        config, record = self.config(release), self.record(release)
        environment = next(one for one in config.environments if one.name == name)
        if back:
            self._require(
                any(one.release == release for one in self.deployed[name]), "goes back to what never ran there"
            )
        else:
            self._check_alone(name, release)
            self._check_hold(name)
            self._check_order(name, release)
            self._check_time(environment, config, release)
            self._check_gates(environment, config, record)
            self._check_approvals(environment, record)
        self.deployed.setdefault(name, []).append(Deployed(release, self.world.now(), back))

    def _check_gates(self, environment: Environment, config: Config, record: ReleaseRecord) -> None:
        """No deployment without a passed gate or a recorded override; no unpaid, unwaived debt in production."""
        sha, truth = record.commit.sha, self.world.truths[record.commit.sha]
        self._require(truth.validates and truth.builds, f"{sha[:7]} does not even validate or build")
        self._require(truth.minimal is Verdict.PASSED, f"the minimal evaluation of {sha[:7]} did not pass")
        if environment.name == config.environments[0].name or self.proven(sha):
            return
        # What was let in before anybody knew has a while to begin.
        if self._fell_short.get(sha, self.world.now()) < self.world.now() - HOUR:
            self._require(self.overridden(record), f"{sha[:7]} goes on although its full evaluation did not pass")
        if environment.name == config.environments[-1].name:
            overridden = self.overridden(record)
            settled = overridden or self.waived(record, environment)
            self._require(settled, f"{sha[:7]} goes to production unproven: neither overridden nor waived")
            if not overridden:
                self._check_carried(environment, record)
        else:
            skipped = self.world.stored.exists(blob_names.debt(REPOSITORY, sha))
            self._require(self.overridden(record) or skipped, f"{sha[:7]} goes on without a full evaluation")

    def _check_carried(self, environment: Environment, record: ReleaseRecord) -> None:
        """What approvers let through unproven carries nothing unproven that they were not shown."""
        ancestors, there = self.world.forge.ancestors, self.current(environment.name)
        below = ancestors(record.commit.sha) - (ancestors(commit_of(there.release)) if there else set())
        releases = [_release(sha) for sha in below - {record.commit.sha}]
        others = [self.record(one) for one in releases if self.world.stored.exists(blob_names.record(one))]
        voted = max(vote.at for vote in record.votes[environment.name])
        known = {one.commit.sha: one for one in others if _moment(one.created_at) < _moment(voted)}
        waived = {sha for sha, one in known.items() if self.waived(one, environment)}
        covered = waived.union(*(ancestors(sha) for sha in known if self.proven(sha)))
        carried = [sha[:7] for sha in known if sha not in covered]
        self._require(not carried, f"{record.commit.sha[:7]} carries {carried} to production, unproven")

    def proven(self, sha: str) -> bool:
        """Say whether a full evaluation of the commit ran to its end and passed."""
        compute = self.world.compute
        names = [
            name for name, kind in compute.kinds.items() if kind == "rows" and sha in name and "minimal" not in name
        ]
        runs: dict[str, list[str]] = {}
        for name in names:
            runs.setdefault(name.rpartition(".")[0], []).append(name)
        done = [
            all(compute.due[name] <= self.world.now() and name not in compute.cancelled for name in jobs)
            for jobs in runs.values()
        ]
        return any(done) and self.world.truths[sha].full is Verdict.PASSED

    def overridden(self, record: ReleaseRecord) -> bool:
        """Say whether one of the named people overrode the verdict, having seen it."""
        people = self.config(record.id).override.people
        given = [one for one in self.ballots if (one.release, one.environment) == (record.id, approvals.OVERRIDE)]
        seen = {one.digest for one in record.overrides}
        return any(one.person in people and one.decision == approvals.APPROVE and one.digest in seen for one in given)

    def waived(self, record: ReleaseRecord, environment: Environment) -> bool:
        """Say whether enough approvers of production let the debt stand."""
        votes = self._counted(record.id, environment.name)
        waiving = {one.person for one in votes if one.decision == approvals.APPROVE and one.waives}
        return len(waiving) >= environment.approvals

    def _check_approvals(self, environment: Environment, record: ReleaseRecord) -> None:
        """No vote counts for evidence it was not given on, and nobody's twice."""
        if not environment.approvers:
            return
        votes = self._counted(record.id, environment.name)
        approving = {one.person for one in votes if one.decision == approvals.APPROVE}
        barred = set(record.authors) if environment.prevent_self_approval else set()
        barred |= {one.merged_by for one in record.changes} if environment.exclude_merger else set()
        self._require(len(approving - barred) >= environment.approvals, f"only {approving - barred} approved")
        self._require(not any(one.decision == approvals.REJECT and one.sure for one in votes), "somebody rejected it")

    def _counted(self, release: str, environment: str) -> list[Ballot]:
        """Return the ballots that were cast on the evidence as it stands."""
        request = self.world.stored.read_json(blob_names.approval_request(release, environment))
        if request is None:
            return []
        evidence = self.world.stored.read_json(blob_names.evidence(release, environment, request["round"]))
        canonical = json.dumps(evidence, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        self._require(digest == request["digest"], "the evidence is not what was asked about")
        return [
            one for one in self.ballots if (one.release, one.environment, one.digest) == (release, environment, digest)
        ]

    def _check_alone(self, name: str, release: str) -> None:
        """One deployment at a time in each environment."""
        engine = self.world.engine
        busy = [
            one.id
            for one in engine.instances.values()
            if one.status == "Running" and one.name == "deployment" and one.id.endswith(f"deploy-{name}")
        ]
        others = [one for one in busy if not one.startswith(release)]
        self._require(not others, f"{others} deploy there as well")

    def _check_order(self, name: str, release: str) -> None:
        """An older commit never replaces a newer one, nor what main has lost what it has."""
        there = self.current(name)
        if there is None or there.release == release:
            return
        mine, theirs = commit_of(release), commit_of(there.release)
        forge = self.world.forge
        main = forge.ancestors(forge.branches["main"])
        if mine in forge.ancestors(theirs):
            # Only where main was forced back behind what runs there.
            self._require(mine in main and theirs not in main, f"{theirs[:7]} is newer and runs there")
        elif theirs not in forge.ancestors(mine):
            self._require(mine in main or theirs not in main, f"main has {theirs[:7]}, which runs there, and not this")

    def _check_hold(self, name: str) -> None:
        """After a rollback nobody is promoted until somebody lifts the hold."""
        for one in self.deployed.get(name, ()):
            if one.back:
                asked = datetime.fromisoformat(json.loads(self.world.engine.instances[one.back].text)["at"])
                self._require(any(at >= asked for where, at in self.lifted if where == name), "promotion is held")

    def current(self, name: str) -> Deployed | None:
        """Return the last deployment to an environment that held."""
        return next((one for one in reversed(self.deployed.get(name, ())) if self._held_up(name, one)), None)

    def earlier(self) -> list[tuple[str, str]]:
        """Return what has held where people approve and does not run there now: environment and release."""
        asked = {name: seen for name, seen in self.deployed.items() if name != "dev"}
        found = {(name, one.release) for name, seen in asked.items() for one in seen if self._held_up(name, one)}
        now = {(name, there.release) for name in self.deployed if (there := self.current(name))}
        return sorted(found - now)

    def holds(self) -> list[str]:
        """Return the environments to which nobody is promoted."""
        return [
            name
            for name in self.deployed
            if (self.world.stored.read_json(blob_names.lane(REPOSITORY, name)) or {})["hold"]
        ]

    def _held_up(self, name: str, one: Deployed) -> bool:
        if one.back:
            return self.world.engine.instances[one.back].status == "Completed"
        return any(deployment.environment == name for deployment in self.record(one.release).deployments)

    def _check_time(self, environment: Environment, config: Config, release: str) -> None:
        """Within the window, and after the soak in the environment before."""
        now = self.world.now()
        if environment.window:
            # Retries may take their time; what was let in has a while to begin.
            opened = next_open(parse_window(environment.window), now - 30 * MINUTE)
            self._require(opened <= now, f"the window {environment.window} is closed")
        if environment.soak:
            names = [one.name for one in config.environments]
            before = names[names.index(environment.name) - 1]
            since = min(one.at for one in self.deployed[before] if one.release == release)
            self._require(now - since >= timedelta(seconds=environment.soak), "it has not soaked")

    def _rollback(self, name: str, release: str) -> str:
        for one in self.world.engine.instances.values():
            if one.name == "rollback" and one.status == "Running" and f'"environment": "{name}"' in one.text:
                return one.id
        return ""

    def _by_approver(self, rollback: str, environment: Environment) -> bool:
        by = json.loads(self.world.engine.instances[rollback].text)["by"].partition("@")[0]
        return any(by == one or by in self.world.forge.teams.get(one, ()) for one in environment.approvers)

    # The whole world.

    def check(self) -> None:
        """Look at what must hold after every step. Raises Violation."""
        begun = Counter(instance for name, instance in self.world.engine.starts if name == "release")
        twice = [instance for instance, times in begun.items() if times > 1]
        self._require(not twice, f"started more than once: {twice}")
        for name in self._records():
            self._check_final(name)
        self._keep_verdicts()

    def _keep_verdicts(self) -> None:
        """Remember what full evaluations came to, whatever becomes of their results."""
        for name in self.world.stored.names("evaluations/"):
            if name.endswith("/summary.json") and name not in self._judged:
                self._judged.add(name)
                summary = self.world.stored.read_json(name)
                if summary["kind"] != "minimal" and summary["verdict"] != Verdict.PASSED:
                    self._fell_short.setdefault(commit_of(summary["id"]), self.world.now())

    def _check_final(self, name: str) -> None:
        """An outcome, once there, stays."""
        found = self.world.stored.read_with_etag(name)
        if found is None or self._seen.get(name) == found[1]:
            return
        outcome = json.loads(found[0])["outcome"]
        self._require(
            self._outcomes.get(name, outcome) == outcome, f"{name} ended as {self._outcomes.get(name)} before"
        )
        self._seen[name] = found[1]
        if outcome == "rejected":
            self._check_rejected(name.split("/")[1])
        if outcome != "running":
            self._outcomes[name] = outcome

    def _check_rejected(self, release: str) -> None:
        """Somebody objected to what is asked, and not to what was asked before."""
        environments = [one.name for one in self.config(release).environments]
        votes = [vote for name in environments for vote in self._counted(release, name)]
        self._require(any(vote.decision == approvals.REJECT for vote in votes), f"nobody objected to {release}")

    def check_ends(self) -> None:
        """Look at what must hold when nothing happens any more: every commit has one outcome, and it was told."""
        records = [self.record(name.split("/")[1]) for name in self._records()]
        for branch, _, sha in self.world.forge.moves:
            if branch == "main":
                self._check_told(sha, records)

    def _check_told(self, sha: str, records: list[ReleaseRecord]) -> None:
        release = self._carrier(sha)
        if not release:
            return
        record = self.record(release)
        self._require(record.outcome.value != "running", f"the release of {sha[:7]} never ended")
        if record.superseded_by:
            newer, forge = commit_of(record.superseded_by), self.world.forge
            lost = record.commit.sha not in forge.ancestors(forge.branches["main"])
            self._require(newer not in forge.ancestors(record.commit.sha), f"{sha[:7]} gave way to its ancestor")
            holds = record.commit.sha in forge.ancestors(newer)
            self._require(holds or lost, f"{sha[:7]} gave way to {newer[:7]}, which does not hold it")
        places = _places(record)
        for place in places:
            marker = CHANGE if record.changes else release
            body = self.world.forge.comments.get((place, marker), [""])[-1]
            self._require(_says(body, place, records), f"the last that {place} was told: {body[:200]!r}")
        change = next((one.number for one in self.world.forge.pulls.values() if one.merge_sha == sha), None)
        # Of a release that ended before GitHub said what its commit is, the commit is told.
        known = record.stages[0].state is StageState.PASSED
        told = {one.number for record in records for one in record.changes}
        self._require(change is None or change in told or not known, f"change #{change} is told of no release")

    def _records(self) -> list[str]:
        return [name for name in self.world.stored.names("releases/") if name.endswith("/record.json")]

    def _carrier(self, sha: str) -> str:
        """Return the release that carries a commit: its own, or the next that brings it; "" when main has lost it."""
        if self.world.stored.exists(blob_names.record(_release(sha))):
            return _release(sha)
        forge = self.world.forge
        later = [after for branch, _, after in forge.moves if branch == "main" and sha in forge.ancestors(after)]
        carriers = [_release(one) for one in later if self.world.stored.exists(blob_names.record(_release(one)))]
        # What was rewritten before anybody looked cannot be known.
        self._require(bool(carriers) or sha not in forge.ancestors(forge.branches["main"]), f"{sha[:7]} has no release")
        return carriers[0] if carriers else ""

    def config(self, release: str) -> Config:
        """Return the config of a release's commit."""
        return config_of(dict(self.world.forge.revisions[commit_of(release)].files)["drawbridge.yaml"])

    def record(self, release: str) -> ReleaseRecord:
        """Return a release's record."""
        return read(ReleaseRecord, self.world.stored.read_json(blob_names.record(release)))

    def _require(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.broken = True
            raise Violation(otherwise)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _says(body: str, place: Any, records: list[ReleaseRecord]) -> bool:
    """Say whether a comment tells how a release of this commit or change ended."""
    headline = body.partition("\n\n")[0]
    mine = [one for one in records if place in _places(one)]
    return any(one.commit.sha[:7] in headline and f"– {one.outcome.value}" in headline for one in mine)


def _places(record: ReleaseRecord) -> list[Any]:
    return [change.number for change in record.changes] or [record.commit.sha]


def _release(sha: str) -> str:
    return f"release-acme.helpdesk-{sha}"
