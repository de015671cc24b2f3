"""The night of a repository, told with fake effects."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from domain.models import Debt, DebtState, EvaluationSummary, MetricChange, OptOut, Verdict
from domain.nightly import HEAD, Night, Seen
from domain.wire import read
from orchestrators.nightly import nightly
from tests import samples
from tests.orchestrators.stage import Stage

DATE = "2026-11-23"
INSTANCE = f"nightly-acme.helpdesk-{DATE}"
OLD = "0ld" + "0" * 37
OPT_OUT = OptOut("skip-e2e-evaluation", 7, "alex", "2026-11-20T08:00:00Z")


def debt(number: int, **fields: Any) -> Debt:
    """Return the debt of the release of a commit."""
    sha = f"{number:040x}"
    release = f"release-acme.helpdesk-{sha}"
    return replace(
        Debt(samples.REPOSITORY, release, sha, (OPT_OUT,), "the full evaluation", f"2026-11-{number:02}T09:00:00Z", ""),
        **fields,
    )


def seen(name: str = HEAD, **fields: Any) -> Seen:
    """Return what the last night knew of a target: evaluated, and good."""
    evaluation = f"nightly-acme.helpdesk-{OLD}-nightly-2026-11-22"
    known = Seen(name, OLD, f"print of {OLD}", evaluation, "2026-11-22", Verdict.PASSED, good=evaluation)
    return replace(known, **fields)


@dataclass
class World:
    """What the night meets; a test changes what it is about."""

    debts: list[Debt] = field(default_factory=list)
    waived: set[str] = field(default_factory=set)
    deployed: dict[str, str] = field(default_factory=dict)
    last: Night | None = None
    verdicts: dict[str, Any] = field(default_factory=dict)  # by commit; an exception or a dict is what comes instead
    prints: dict[str, str] = field(default_factory=dict)  # by commit
    fell: dict[str, Any] = field(default_factory=dict)  # by evaluation before: what the comparison says
    config: dict[str, Any] = field(default_factory=lambda: {"schedule": {"nightly": True}})
    broken: dict[str, str] = field(default_factory=dict)  # by commit: why its files cannot be read
    head: dict[str, Any] = field(default_factory=lambda: {"sha": samples.SHA})
    summaries: dict[str, EvaluationSummary] = field(default_factory=dict)
    settled: list[dict[str, Any]] = field(default_factory=list)

    def stage(self) -> Stage:
        """Return the stage to play the night on."""
        activities = {
            "keep_night": lambda _: None,
            "read_last_night": lambda _: {"night": asdict(self.last) if self.last else None},
            "list_debts": lambda _: {"debts": [asdict(one) for one in self.debts]},
            "take_debt": self._take,
            "settle_debt": self._settle,
            "tell_payment": lambda _: None,
            "tell_evaluation": lambda _: None,
            "find_head": lambda _: self.head,
            "find_deployed": lambda _: {"deployed": self.deployed},
            "fetch_snapshot": self._fetch,
            "read_config": lambda _: {"config": {**samples.wire_config(), **self.config}},
            "take_fingerprint": lambda work: {"fingerprint": self.prints.get(work["snapshot"], work["snapshot"])},
            "compare_evaluations": self._compare,
        }
        return Stage(activities, {"evaluation": self._evaluate}, pace=timedelta(seconds=1))

    def _take(self, work: dict[str, Any]) -> Any:
        found = next(one for one in self.debts if one.release == work["debt"]["release"])
        mine = found.state is DebtState.OPEN or found.settled_by == work["over_from"] != ""
        return {"debt": work["debt"] if mine else None}

    def _settle(self, work: dict[str, Any]) -> Any:
        self.settled.append(work)
        state = "waived" if work["debt"]["release"] in self.waived else work["state"]
        return {"debt": {**work["debt"], "state": state}}

    def _fetch(self, work: dict[str, Any]) -> Any:
        if work["sha"] in self.broken:
            return {"error": self.broken[work["sha"]]}
        return {"snapshot": {"sha256": f"print of {work['sha']}", "size": 1}}

    def _evaluate(self, order: dict[str, Any]) -> Any:
        verdict = self.verdicts.get(order["commit"], Verdict.PASSED)
        if isinstance(verdict, Exception):
            raise verdict
        if isinstance(verdict, dict):
            return verdict
        summary = samples.summary(order["kind"], verdict, id=order["id"], commit=order["commit"])
        self.summaries[order["id"]] = summary
        return {"summary": asdict(summary)}

    def _compare(self, work: dict[str, Any]) -> Any:
        known = self.summaries.get(work["evaluation"]) or samples.summary("nightly", id=work["evaluation"], commit=OLD)
        return {"summary": asdict(known), "comparison": self.fell.get(work["before"])}


def play(world: World) -> tuple[dict[str, Any], Stage]:
    """Play the night; its output is returned as it comes off the wire."""
    stage = world.stage()
    work = {"repository": samples.REPOSITORY, "date": DATE, "branch": "main"}
    return json.loads(json.dumps(stage.play(nightly, work, INSTANCE))), stage


def fell(high: float) -> dict[str, Any]:
    """Return a comparison in which f1 fell; `high` is the upper end of its interval."""
    change = MetricChange("f1", 30, 0.6, 0.4, -0.2, -0.3, high, 0.1)
    return {"baseline": "b", "commit": OLD, "refused": None, "metrics": [asdict(change)], "worse": []}


def states(night: dict[str, Any]) -> list[tuple[str, str]]:
    return [(payment["release"], payment["state"]) for payment in night["payments"]]


# What is owed


def test_debts_are_paid_oldest_first_whatever_the_config_says() -> None:
    """Each by its own full evaluation, of its own commit, told to its change; nothing else is evaluated."""
    world = World(debts=[debt(1), debt(2)], config={})

    night, stage = play(world)

    assert states(night) == [(debt(1).release, "paid"), (debt(2).release, "paid")]
    orders = stage.payloads("evaluation")
    assert [(order["id"], order["kind"], order["commit"]) for order in orders] == [
        (f"{one.release}.full-{DATE}", "full", one.commit) for one in (debt(1), debt(2))
    ]
    assert [work["evaluation"] for work in world.settled] == [order["id"] for order in orders]
    assert night["note"].startswith("Nothing is evaluated at night")
    told = [(news["payment"]["release"], news["payment"]["state"]) for news in stage.payloads("tell_payment")]
    assert told == [(one.release, state) for one in (debt(1), debt(2)) for state in ("paying", "paid")]


@pytest.mark.parametrize(
    ("verdict", "state", "detail"),
    [
        (Verdict.FAILED, "failed", "failed: f1 >= 0.45"),
        (Verdict.INCONCLUSIVE, "failed", "inconclusive: f1 >= 0.45"),
        ({"error": "data/full.jsonl:3: not JSON"}, "open", "data/full.jsonl:3: not JSON"),
        (RuntimeError("storage is full"), "open", "storage is full"),
        ({"cancelled": True}, "open", "cancelled"),
    ],
)
def test_payment_that_fails_or_breaks_stops_no_other(verdict: Any, state: str, detail: str) -> None:
    """Only a verdict settles a debt; what could not run is owed still, with the reason."""
    world = World(debts=[debt(1), debt(2)], verdicts={debt(1).commit: verdict}, config={})

    night, _ = play(world)

    assert states(night) == [(debt(1).release, state), (debt(2).release, "paid")]
    assert world.settled[0]["state"] == state
    assert detail in world.settled[0]["detail"]
    assert bool(world.settled[0]["evaluation"]) == isinstance(verdict, Verdict)


def test_commit_that_is_gone_leaves_its_debt_open() -> None:
    """A force-push may have taken it; the others are paid."""
    world = World(debts=[debt(1), debt(2)], broken={debt(1).commit: "GitHub has no such thing."}, config={})

    night, _ = play(world)

    assert states(night) == [(debt(1).release, "open"), (debt(2).release, "paid")]
    assert night["payments"][0]["detail"] == "GitHub has no such thing."


def test_activity_that_is_broken_for_one_debt_stops_no_other() -> None:
    """The debt stays with this night, and the next one takes it over."""
    world = World(debts=[debt(1), debt(2)], config={})
    stage = world.stage()
    settle = stage.activities["settle_debt"]

    def broken(work: dict[str, Any]) -> Any:
        if work["debt"]["release"] == debt(1).release:
            raise RuntimeError("no storage")
        return settle(work)

    stage.activities["settle_debt"] = broken
    night = stage.play(nightly, {"repository": samples.REPOSITORY, "date": DATE, "branch": "main"}, INSTANCE)

    assert states(night) == [(debt(1).release, "open"), (debt(2).release, "paid")]


def test_debt_that_a_dead_night_began_to_pay_is_taken_over() -> None:
    """Nights never overlap, so another night's payment was abandoned. A release that pays is left alone."""
    abandoned = debt(1, state=DebtState.PAYING, settled_by="nightly-acme.helpdesk-2026-11-22")
    paying = debt(2, state=DebtState.PAYING, settled_by=debt(2).release)
    world = World(debts=[abandoned, paying], config={})

    night, _ = play(world)

    assert states(night) == [(abandoned.release, "paid")]


def test_waiver_that_came_meanwhile_is_what_counts() -> None:
    """The approvers decided while the evaluation ran."""
    world = World(debts=[debt(1)], waived={debt(1).release}, config={})

    night, stage = play(world)

    assert states(night) == [(debt(1).release, "waived")]
    assert stage.payloads("tell_payment")[-1]["payment"]["state"] == "waived"


# What is evaluated


def test_head_and_deployed_commits_are_evaluated_with_the_full_dataset() -> None:
    """Each under a name of its own, shown on its commit, and kept for the next night."""
    world = World(deployed={"prod": OLD})

    night, stage = play(world)

    assert [(order["commit"], order["kind"], order["plan"]) for order in stage.payloads("evaluation")] == [
        (samples.SHA, "nightly", "full"),
        (OLD, "nightly", "full"),
    ]
    assert [(one["name"], one["commit"], one["verdict"]) for one in night["targets"]] == [
        (HEAD, samples.SHA, "passed"),
        ("prod", OLD, "passed"),
    ]
    kept = stage.payloads("keep_night")[-1]
    assert (kept["night"], kept["final"]) == (night, True)
    assert [news["state"] for news in stage.payloads("tell_evaluation")] == ["running", "passed"] * 2


def test_night_without_changes_evaluates_nothing() -> None:
    """Target, data and evaluators are those of the last night: its evaluation still speaks, for a new commit too."""
    world = World(last=Night(samples.REPOSITORY, "2026-11-22", "n", "", targets=(seen(),)))
    world.prints[f"print of {samples.SHA}"] = f"print of {OLD}"

    night, stage = play(world)

    assert stage.payloads("evaluation") == []
    (known,) = night["targets"]
    assert (known["commit"], known["evaluation"], known["evaluated"]) == (samples.SHA, seen().evaluation, "2026-11-22")


def test_commit_that_stands_for_several_targets_is_evaluated_once() -> None:
    """So is another commit with the same fingerprint."""
    world = World(deployed={"dev": samples.SHA, "nonprod": OLD, "prod": OLD})
    world.prints[f"print of {OLD}"] = f"print of {samples.SHA}"

    night, stage = play(world)

    assert len(stage.payloads("evaluation")) == 1
    assert len({one["evaluation"] for one in night["targets"]}) == 1
    assert [one["name"] for one in night["targets"]] == [HEAD, "dev", "nonprod", "prod"]


def test_commit_that_cannot_be_evaluated_is_tried_once_a_night() -> None:
    """What is known of its targets stays, with the reason there is nothing new."""
    last = Night(samples.REPOSITORY, "2026-11-22", "n", "", targets=(seen(worse=("f1 fell",), since="2026-11-22"),))
    world = World(last=last, deployed={"prod": samples.SHA}, verdicts={samples.SHA: {"error": "no dataset"}})

    night, stage = play(world)

    assert len(stage.payloads("evaluation")) == 1
    assert [one["error"] for one in night["targets"]] == ["no dataset", "no dataset"]
    assert night["targets"][0]["worse"] == ["f1 fell"]
    assert stage.payloads("tell_evaluation")[-1]["state"] == "error"


def test_commit_whose_config_is_broken_stops_no_other_target() -> None:
    """The head's own config decides whether there is a night at all; an environment's may be older."""
    world = World(deployed={"prod": OLD}, broken={OLD: "drawbridge.yaml:3: unknown key"})

    night, _ = play(world)

    assert [(one["name"], one["error"]) for one in night["targets"]] == [
        (HEAD, ""),
        ("prod", "drawbridge.yaml:3: unknown key"),
    ]


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"head": {"error": "acme/helpdesk has no branch or tag 'main'"}}, "acme/helpdesk has no branch or tag 'main'"),
        ({"head": {"retry_after": 60.0}}, "GitHub did not answer for too long."),
        ({"broken": {samples.SHA: "GitHub has no such thing."}}, "GitHub has no such thing."),
        ({"config": {"schedule": {"nightly": False}}}, "Nothing is evaluated at night"),
    ],
)
def test_night_without_targets_says_why_and_keeps_what_was_known(changes: dict[str, Any], note: str) -> None:
    """A deleted branch or repository, an outage; the next night compares with the last one that saw something."""
    night, stage = play(World(**changes))

    assert night["note"].startswith(note)
    assert [news["final"] for news in stage.payloads("keep_night")] == [False, False]


# What got worse


def test_verdict_that_fails_is_a_regression() -> None:
    """Its gates are the reasons."""
    night, _ = play(World(verdicts={samples.SHA: Verdict.FAILED}))

    (known,) = night["targets"]
    assert known["worse"] == ["f1 >= 0.45: 0.61 over 30 rows"]
    assert (known["since"], known["good"]) == (DATE, "")


@pytest.mark.parametrize(("high", "worse"), [(-0.1, True), (0.01, False)])
def test_metric_that_certainly_fell_since_the_last_good_night_is_a_regression(high: float, worse: bool) -> None:
    """A passed verdict does not hide it; a drop within the noise is none."""
    last = Night(samples.REPOSITORY, "2026-11-22", "n", "", targets=(seen(),))
    world = World(last=last, fell={seen().good: fell(high)})

    night, _ = play(world)

    (known,) = night["targets"]
    assert bool(known["worse"]) is worse
    assert known["good"] == (seen().good if worse else known["evaluation"])


def test_regression_lasts_and_goes() -> None:
    """It keeps the date it was first seen on; when it is gone, that is said once."""
    bad = seen(worse=("f1 fell",), since="2026-11-20", verdict=Verdict.FAILED)
    last = Night(samples.REPOSITORY, "2026-11-22", "n", "", targets=(bad,))

    lasting, _ = play(World(last=last, verdicts={samples.SHA: Verdict.FAILED}))
    gone, _ = play(World(last=last))
    again, _ = play(World(last=replace(last, targets=tuple(_read(gone)))))

    assert [(one["since"], one["gone"]) for one in lasting["targets"]] == [("2026-11-20", False)]
    assert [(one["worse"], one["since"], one["gone"]) for one in gone["targets"]] == [([], "", True)]
    assert [one["gone"] for one in again["targets"]] == [False]


def test_regression_of_an_environment_that_is_gone_is_closed() -> None:
    """Nobody would ever look at it again."""
    last = Night(samples.REPOSITORY, "2026-11-22", "n", "", targets=(seen("nonprod", worse=("f1 fell",)),))

    night, _ = play(World(last=last))

    assert [(one["name"], one["gone"]) for one in night["targets"]] == [(HEAD, False), ("nonprod", True)]


def _read(night: dict[str, Any]) -> list[Seen]:
    return [read(Seen, one) for one in night["targets"]]


# How it ends


def test_crash_is_kept_on_the_night_before_the_instance_fails() -> None:
    """The list of nights shows it; the next one starts from the one before."""
    stage = World().stage()
    del stage.activities["find_deployed"]

    with pytest.raises(KeyError):
        stage.play(nightly, {"repository": samples.REPOSITORY, "date": DATE, "branch": "main"}, INSTANCE)

    news = stage.payloads("keep_night")[-1]
    assert news["night"]["note"].startswith("Drawbridge itself failed here")
    assert news["final"] is False


def test_night_shows_how_far_it_is() -> None:
    """Debts first, then targets."""
    _, stage = play(World(debts=[debt(1), debt(2)], deployed={"prod": OLD}))

    assert [(one["stage"], one["done"], one["total"]) for one in stage.statuses] == [
        ("begin", 0, 0),
        ("pay-debts", 0, 2),
        ("pay-debts", 1, 2),
        ("evaluate", 0, 2),
        ("evaluate", 1, 2),
        ("done", 2, 2),
    ]
