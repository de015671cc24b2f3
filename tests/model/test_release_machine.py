"""A team works, GitHub stumbles, processes die, weeks go by, in random order, thousands of steps, and always holds:

- at most one release per commit;
- no deployment without a passed gate or a recorded override;
- production never carries unpaid, unwaived debt;
- no vote counts for evidence it was not given on;
- every merged commit ends in exactly one outcome, and it is told;

and, from the promotion rules: one deployment at a time in each environment, never an older commit over a newer one but
by a rollback, nothing during a hold, outside the window or before the soak.

In CI the steps are the same each time. `DRAWBRIDGE_MODEL_EXAMPLES=2000 pytest tests/model` looks at as many other
stories, chosen anew each time; a story that breaks a rule is made as short as possible and printed as code.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain import approvals
from domain.models import Verdict
from tests.model import people
from tests.model.hosting import Truth, commit_of
from tests.model.memory import Fault
from tests.model.people import Form
from tests.model.stories import (
    CONFIGS,
    DAY,
    HOUR,
    LABEL,
    agree,
    begin,
    decide_all,
    decide_on_old_pages,
    deliver_all,
    merge_change,
)
from tests.model.watch import Watch
from tests.model.world import World

EXAMPLES = int(os.environ.get("DRAWBRIDGE_MODEL_EXAMPLES", "0"))
STEPS = 60
picks = st.integers(0, 99)
verdicts = st.sampled_from([Verdict.PASSED] * 3 + [Verdict.FAILED, Verdict.INCONCLUSIVE])
truths = st.one_of(
    st.builds(Truth, full=verdicts),
    st.builds(
        Truth,
        validates=st.sampled_from([True] * 5 + [False]),
        builds=st.sampled_from([True] * 5 + [False]),
        minimal=st.sampled_from([Verdict.PASSED] * 5 + [Verdict.FAILED]),
        full=verdicts,
        unhealthy=st.sampled_from(
            [frozenset()] * 3 + [frozenset({"dev"}), frozenset({"nonprod"}), frozenset({"prod"})]
        ),
    ),
)
authors = st.sampled_from(["alex", "sam"])
mergers = st.sampled_from(["sam", "maria"])
operators = st.sampled_from(["maria", "maria", "jonas", "priya"])
everybody = st.sampled_from(["maria", "jonas", "priya", "alex", "sam"])


def _stumble(fault: Fault | None) -> Callable[[World, int], None]:
    def begin(world: World, calls: int) -> None:
        world.trouble.countdown, world.trouble.storage, world.trouble.crash = calls, fault, fault is None

    return begin


def _github(away: bool) -> Callable[[World, int], None]:
    return lambda world, _calls: setattr(world.trouble, "github_away", away)


def _lose_answers(world: World, calls: int) -> None:
    world.trouble.lost_answers = calls % 5


BREAKS: dict[str, Callable[[World, int], None]] = {
    "GitHub goes": _github(away=True),
    "GitHub comes": _github(away=False),
    "GitHub's next answers are lost": _lose_answers,
    "storage refuses a call": _stumble(Fault.REFUSED),
    "storage loses an answer": _stumble(Fault.LOST),
    "the process dies over a call": _stumble(None),
    "the app is started anew": lambda world, _calls: world.restart(),
}


def lift(world: World, watch: Watch, person: str, environment: str) -> None:
    """Let somebody lift an environment's hold."""
    path = f"/api/environments/acme.helpdesk/{environment}/lift"
    if world.ask("lift_hold", path, person, {}) in (0, 202, 503):  # perhaps, when the answer was lost
        watch.lifted.append((environment, world.now()))


AFTERWARDS: dict[str, timedelta | int] = {
    "at once": 0,
    "a little happens": 3,
    "some of it happens": 12,
    "minutes": HOUR / 12,
    "an hour": HOUR,
    "hours": 7 * HOUR,
    "hours and agreement": 7 * HOUR,
    "a day": DAY,
}


def step(**arguments: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Any]:
    """Make a rule of a function: it gets the world, and afterwards some time goes by, so that no story stands still.

    Random choices of a step, such as which activity runs first, come from its seed.
    """

    def decorate(function: Callable[..., None]) -> Any:
        def run(self: ReleaseMachine, seed: int, then: str, **given: Any) -> None:
            type(self).steps += 1
            self.world.rng.seed(seed)
            function(self, self.world, **given)
            self.go_on(then)

        common = {"seed": st.integers(0, 2**16 - 1), "then": st.sampled_from(list(AFTERWARDS))}
        make: Any = rule(**{**common, **arguments})  # type: ignore[call-overload]
        return make(functools.update_wrapper(run, function, assigned=("__name__", "__doc__"), updated=()))

    return decorate


class ReleaseMachine(RuleBasedStateMachine):
    """One repository, its people, and the app that releases it."""

    steps = 0
    world: World

    @initialize(kind=st.sampled_from(sorted(CONFIGS)))
    def begin(self, kind: str) -> None:
        self.world, self.watch = begin(kind)
        self.forms: list[Form] = []

    def go_on(self, then: str) -> None:
        """Let some of what is ready happen, so that the next step meets it half-way, or let time pass."""
        span = AFTERWARDS[then]
        if isinstance(span, timedelta):
            self.world.pass_time(span)
        else:
            self.world.work(span)
        if then == "hours and agreement":
            decide_all(self.world, self.watch, waives=self.world.rng.random() < 0.5)

    # What the team does.

    @step(
        truth=truths,
        author=authors,
        merger=mergers,
        skips=st.sampled_from(["", "", "ticked", "ticked", "unticked", "flows"]),
        arrives=st.booleans(),
    )
    def merge_a_change(self, world: World, truth: Truth, author: str, merger: str, skips: str, arrives: bool) -> None:
        """A change is opened, perhaps labelled, and merged to main."""
        merge_change(world, truth, author, merger, skips)
        if arrives:
            deliver_all(world)

    @step(truth=truths, author=authors, seen=st.sampled_from(["as it is", "before"]), approve=st.booleans())
    def skip_and_decide(self, world: World, truth: Truth, author: str, seen: str, approve: bool) -> None:
        """A change opts out, and its approvers are quick: before a night pays, or on what stood there before."""
        sha = merge_change(world, truth, author, skips="ticked")
        deliver_all(world)
        world.pass_time(2 * HOUR)
        asked = [one for one in people.questions(world) if commit_of(one.release) == sha]
        if asked and seen == "before":
            decision = approvals.APPROVE if approve else approvals.REJECT
            decide_on_old_pages(world, self.watch, asked[0], decision, waives=True)
        else:
            agree(world, self.watch, times=3, waives=False)

    @step(truth=truths, author=authors, arrives=st.booleans())
    def push_directly(self, world: World, truth: Truth, author: str, arrives: bool) -> None:
        """Somebody pushes to main without a change."""
        world.truths[world.forge.push("main", author, "Straight to main")] = truth
        if arrives:
            deliver_all(world)

    @step(truth=truths, back=st.integers(1, 3), arrives=st.booleans())
    def rewrite_main(self, world: World, truth: Truth, back: int, arrives: bool) -> None:
        """Somebody rewrites main: some commits are gone, and another one is there."""
        onto = world.forge.branches["main"]
        for _ in range(back):
            onto = (world.forge.revisions[onto].parents or (onto,))[0]
        world.truths[world.forge.rewrite("main", onto, "sam", "Instead")] = truth
        if arrives:
            deliver_all(world)

    @precondition(lambda self: bool(self.world.forge.pulls))
    @step(pick=picks, on=st.booleans(), label=st.sampled_from([LABEL] * 4 + ["bug"]), by=authors)
    def label_a_merged_change(self, world: World, pick: int, on: bool, label: str, by: str) -> None:
        """Somebody changes their mind about a merged change."""
        world.forge.label(len(world.forge.pulls) - pick % len(world.forge.pulls), label, on, by)
        deliver_all(world)

    # What GitHub does.

    @precondition(lambda self: bool(self.world.forge.deliveries))
    @step(pick=picks, times=st.sampled_from([1, 2, 0]))
    def a_webhook_arrives(self, world: World, pick: int, times: int) -> None:
        """One of those on their way: out of order, once, twice, or never."""
        delivery = world.forge.deliveries.pop(pick % len(world.forge.deliveries))
        for _ in range(times):
            world.deliver(delivery)

    # What approvers do.

    @step(pick=picks, person=everybody, others=st.booleans())
    def open_a_link(self, world: World, pick: int, person: str, others: bool) -> None:
        """Somebody opens a link, perhaps everybody who was asked, and the page stays open."""
        asked = people.questions(world, closed=True)
        if asked:
            request = asked[-1 - pick % len(asked)]
            opened = [people.open_link(world, request, one) for one in (request.approvers if others else (person,))]
            self.forms += [form for form in opened if form]

    @precondition(lambda self: bool(self.forms))
    @step(pick=picks, old=st.booleans(), approve=st.sampled_from([True, True, False]), waives=st.booleans())
    def send_an_open_form(self, world: World, pick: int, old: bool, approve: bool, waives: bool) -> None:
        """Somebody decides on a page that may have been open for weeks, or all whose evidence is not the newest do."""
        for form in (self.outdated() if old else []) or [self.forms[pick % len(self.forms)]]:
            people.send(world, self.watch, form, approvals.APPROVE if approve else approvals.REJECT, waives)

    @step(waives=st.booleans(), times=st.integers(1, 3))
    def everybody_agrees(self, world: World, waives: bool, times: int) -> None:
        """Whoever is asked agrees, and again where the next environment asks: before a night has paid what is owed."""
        agree(world, self.watch, times, waives)

    @precondition(lambda self: bool(self.world.running("approval")))
    @step(pick=picks, approve=st.sampled_from([True, True, False]), waives=st.booleans())
    def decide_on_what_is_gone(self, world: World, pick: int, approve: bool, waives: bool) -> None:
        """Everybody opens the link, an opt-out is withdrawn while they read, and they send what lies open."""
        asked = [one for one in people.questions(world) if one.environment != approvals.OVERRIDE]
        if asked:
            decision = approvals.APPROVE if approve else approvals.REJECT
            decide_on_old_pages(world, self.watch, asked[pick % len(asked)], decision, waives)

    @step(verdict=st.sampled_from([Verdict.FAILED, Verdict.INCONCLUSIVE]), author=authors)
    def skip_what_failed(self, world: World, verdict: Verdict, author: str) -> None:
        """The verdict did not suit somebody, who opts out after it, and all go on as if it had passed."""
        merge_change(world, Truth(full=verdict), author)
        deliver_all(world)
        world.pass_time(2 * HOUR)
        world.forge.label(max(world.forge.pulls), LABEL, True, author)
        deliver_all(world)
        world.pass_time(3 * HOUR)
        agree(world, self.watch, times=2, override=False)

    def outdated(self) -> list[Form]:
        """Return the open pages about which something else is asked now."""
        open_now = {(one.release, one.environment): one.digest for one in people.questions(self.world)}
        return [
            form
            for form in self.forms
            if open_now.get((form.request.release, form.request.environment), form.request.digest)
            != form.request.digest
        ]

    # What operators do.

    @precondition(lambda self: bool(self.watch.earlier()))
    @step(pick=picks, person=operators)
    def go_back(self, world: World, pick: int, person: str) -> None:
        """Somebody wants an earlier release back, may they or not."""
        earlier = self.watch.earlier()
        environment, release = earlier[pick % len(earlier)]
        fields = {"environment": environment, "reason": "It was better"}
        world.ask("ask_for_rollback", f"/api/releases/{release}/rollback", person, fields)

    @precondition(lambda self: bool(self.watch.holds()))
    @step(pick=picks, person=operators)
    def lift_the_hold(self, world: World, pick: int, person: str) -> None:
        """Somebody lets promotion go on."""
        held = self.watch.holds()
        lift(world, self.watch, person, held[pick % len(held)])

    @precondition(lambda self: bool(self.world.running("release")))
    @step(pick=picks, person=everybody)
    def cancel(self, world: World, pick: int, person: str) -> None:
        """Somebody ends a release."""
        running = world.running("release")
        world.ask("cancel_release", f"/api/releases/{running[pick % len(running)]}/cancel", person, {})

    # What else happens.

    @step()
    def nothing(self, world: World) -> None:
        """Only time goes by."""

    @step(what=st.sampled_from(sorted(BREAKS)), calls=st.integers(0, 40))
    def something_breaks(self, world: World, what: str, calls: int) -> None:
        """An outage begins or ends, answers get lost, the process ends now or over one of its next calls."""
        BREAKS[what](world, calls)

    @invariant()
    def what_must_always_hold(self) -> None:
        self.watch.check()

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return  # there was no beginning
        try:
            if not self.watch.broken:
                self.let_it_end()
                self.watch.check()
                self.watch.check_ends()
        finally:
            self.world.__exit__()

    def let_it_end(self) -> None:
        """Everybody is there again, and nobody does anything any more."""
        world = self.world
        world.trouble.github_away, world.trouble.countdown, world.trouble.lost_answers = False, -1, 0
        deliver_all(world)
        world.pass_time(HOUR)
        for environment in self.watch.holds():
            lift(world, self.watch, "maria", environment)
        for _ in range(80):
            world.pass_time(12 * HOUR)
            if all(name.startswith("nightly-") for name in world.engine.running()):
                return
        raise AssertionError(f"still running after weeks: {world.engine.running()}")


profile = settings(
    max_examples=EXAMPLES or 40,
    stateful_step_count=STEPS,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
)


@pytest.mark.timeout(1800)  # seconds; it needs about 90 alone on a machine
class TestRelease(ReleaseMachine.TestCase):  # type: ignore[misc,name-defined,valid-type]
    """What pytest collects."""

    settings = profile

    def runTest(self) -> None:
        """Tell the stories, and see that they were long enough to mean something."""
        super().runTest()
        assert ReleaseMachine.steps >= 1800
