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

import os
from collections.abc import Callable
from datetime import timedelta
from functools import cache

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain import approvals
from domain.models import Verdict
from tests.model import people
from tests.model.engine import Functions
from tests.model.hosting import Truth
from tests.model.memory import Fault
from tests.model.people import Form
from tests.model.watch import Watch
from tests.model.world import OPT_OUT, World

EXAMPLES = int(os.environ.get("DRAWBRIDGE_MODEL_EXAMPLES", "0"))
STEPS = 60
LABEL = "skip-e2e-evaluation"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

RULES = """
version: 1
target: {promptflow: flows/chat}
validate: {commands: ["pytest -q"], sample: data/sample.jsonl}
evaluation:
  columns: {question: "${data.question}"}
  evaluators:
    f1:
      use: evaluators.exact:score
      columns: {response: "${target.answer}", ground_truth: "${data.answer}"}
  minimal: {data: data/minimal.jsonl, gates: ["f1 >= 0.45", "errors <= 0.02"]}
  full: {data: data/full.jsonl, shards: 2, gates: ["f1 >= 0.45", "f1 drop <= 0.05"]}
"""
CONFIGS = {
    "three environments": """
opt_out: {label: skip-e2e-evaluation, forbidden_paths: ["flows/**"], expires_after: 7d}
override: {people: [priya], expires_after: 1d}
environments:
  - {name: dev, watch: 1s}
  - {name: nonprod, approvers: [maria, jonas], watch: 1s, expires_after: 2d}
  - {name: prod, approvers: [maria, jonas, alex], approvals: 2, prevent_self_approval: true, watch: 1s,
     expires_after: 3d}
""",
    "window and soak": """
opt_out: {label: skip-e2e-evaluation, allowed: ["acme/leads", sam], expires_after: 2d}
environments:
  - {name: dev, watch: 1s}
  - {name: nonprod, watch: 1s, soak: 3h}
  - {name: prod, approvers: ["acme/managers"], watch: 1s, soak: 1d, expires_after: 2d, exclude_merger: true,
     window: "Mon-Thu 09:00-16:00 Europe/Berlin"}
""",
    "nobody asks": """
override: {people: [priya, maria], expires_after: 2d}
environments:
  - {name: dev, watch: 1s}
  - {name: prod, watch: 1s}
""",
}
TEAMS = {"acme/leads": ("maria", "alex"), "acme/managers": ("maria", "jonas")}

seeds = st.integers(0, 2**16 - 1)
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
environments = st.sampled_from(["dev", "nonprod", "prod", "prod"])
everybody = st.sampled_from(["maria", "jonas", "priya", "alex", "sam"])


@cache
def functions() -> Functions:
    """Return the app's own functions, found once."""
    return Functions.of_app()


@cache
def beginning(kind: str) -> tuple[World, Watch]:
    """Return a world in which one release has reached production: the baseline, and what others replace."""
    world = World(RULES + CONFIGS[kind], functions(), TEAMS)
    with world:
        watch = Watch(world)
        world.forge.push("main", "sam", "The first release")
        deliver_all(world)
        for _ in range(30):
            world.pass_time(6 * HOUR)
            decide_all(world, watch)
            if all(name.startswith("nightly-") for name in world.engine.running()):
                break
        watch.check_ends()
    return world, watch


def deliver_all(world: World) -> None:
    """Let every webhook arrive, in order; GitHub does not send again what was not taken."""
    while world.forge.deliveries:
        world.deliver(world.forge.deliveries.pop(0))


def decide_all(world: World, watch: Watch) -> None:
    """Let everybody who is asked agree, with open eyes."""
    for request in people.questions(world):
        for person in request.approvers:
            form = people.open_link(world, request, person)
            if form:
                people.send(world, watch, form, approvals.APPROVE, waives=True)


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
    if world.ask("lift_hold", path, person, {}) in (0, 200, 503):  # perhaps, when the answer was lost
        watch.lifted.append((environment, world.now()))


class ReleaseMachine(RuleBasedStateMachine):
    """One repository, its people, and the app that releases it."""

    steps = 0
    world: World

    @initialize(kind=st.sampled_from(sorted(CONFIGS)))
    def begin(self, kind: str) -> None:
        before, watched = beginning(kind)
        self.world = World(RULES + CONFIGS[kind], functions(), TEAMS)
        self.world.__enter__()
        self.world.adopt(before)
        self.watch = Watch(self.world)
        self.watch.adopt(watched)
        self.forms: list[Form] = []

    def turn(self, seed: int) -> World:
        """Count a step, and let its random choices come from this seed."""
        type(self).steps += 1
        self.world.rng.seed(seed)
        return self.world

    # What the team does.

    @rule(
        seed=seeds,
        truth=truths,
        author=authors,
        merger=mergers,
        skips=st.sampled_from(["", "", "ticked", "ticked", "unticked", "flows"]),
        arrives=st.booleans(),
    )
    def merge_a_change(self, seed: int, truth: Truth, author: str, merger: str, skips: str, arrives: bool) -> None:
        """A change is opened, perhaps labelled, and merged to main."""
        world = self.turn(seed)
        body = OPT_OUT.format(tick=" " if skips == "unticked" else "x")
        path = "flows/chat/notes.md" if skips == "flows" else "docs/notes.md"
        pull = world.forge.open_change(f"{author}/1-notes", "main", author, body, {path: f"{seed % 4}"})
        if skips:
            world.forge.label(pull.number, LABEL, True, author)
        sha = world.forge.merge(pull.number, merger)
        world.truths[sha] = truth
        if arrives:
            deliver_all(world)

    @rule(seed=seeds, truth=truths, author=authors, back=st.integers(-4, 3), arrives=st.booleans())
    def push_directly(self, seed: int, truth: Truth, author: str, back: int, arrives: bool) -> None:
        """Somebody pushes to main without a change, and may rewrite it: some commits are gone then."""
        world = self.turn(seed)
        onto = world.forge.branches["main"]
        for _ in range(back):
            onto = (world.forge.revisions[onto].parents or (onto,))[0]
        forge = world.forge
        sha = forge.rewrite("main", onto, author, "Instead") if back > 0 else forge.push("main", author, "Straight")
        world.truths[sha] = truth
        if arrives:
            deliver_all(world)

    @precondition(lambda self: self.world.forge.pulls)
    @rule(seed=seeds, pick=picks, on=st.booleans(), label=st.sampled_from([LABEL] * 4 + ["bug"]), by=authors)
    def label_a_merged_change(self, seed: int, pick: int, on: bool, label: str, by: str) -> None:
        """Somebody changes their mind about a merged change."""
        world = self.turn(seed)
        merged = [pull.number for pull in world.forge.pulls.values() if pull.merged_at]
        world.forge.label(merged[-1 - pick % len(merged)], label, on, by)
        deliver_all(world)

    # What GitHub does.

    @precondition(lambda self: self.world.forge.deliveries)
    @rule(seed=seeds, pick=picks, then=st.sampled_from(["once", "twice", "lost"]))
    def a_webhook_arrives(self, seed: int, pick: int, then: str) -> None:
        """One of those on their way: out of order, once, twice, or never."""
        world = self.turn(seed)
        delivery = world.forge.deliveries.pop(pick % len(world.forge.deliveries))
        for _ in range({"once": 1, "twice": 2, "lost": 0}[then]):
            world.deliver(delivery)

    # What approvers do.

    @precondition(lambda self: bool(people.questions(self.world, closed=True)))
    @rule(seed=seeds, pick=picks, person=everybody)
    def open_a_link(self, seed: int, pick: int, person: str) -> None:
        """Somebody opens a link and leaves the page open."""
        world = self.turn(seed)
        asked = people.questions(world, closed=True)
        form = people.open_link(world, asked[-1 - pick % len(asked)], person)
        if form:
            self.forms.append(form)

    @precondition(lambda self: self.forms)
    @rule(seed=seeds, pick=picks, approve=st.sampled_from([True, True, False]), waives=st.booleans())
    def send_an_open_form(self, seed: int, pick: int, approve: bool, waives: bool) -> None:
        """Somebody decides on a page that may have been open for weeks."""
        world = self.turn(seed)
        form = self.forms[pick % len(self.forms)]
        people.send(world, self.watch, form, approvals.APPROVE if approve else approvals.REJECT, waives)

    @precondition(lambda self: bool(people.questions(self.world)))
    @rule(seed=seeds)
    def everybody_agrees(self, seed: int) -> None:
        """Whoever is asked agrees."""
        decide_all(self.turn(seed), self.watch)

    # What operators do.

    @rule(seed=seeds, pick=picks, person=everybody, environment=environments)
    def go_back(self, seed: int, pick: int, person: str, environment: str) -> None:
        """Somebody wants an earlier release back, may they or not."""
        world = self.turn(seed)
        seen = self.watch.deployed.get(environment)
        if seen:
            path = f"/api/releases/{seen[-1 - pick % len(seen)].release}/rollback"
            world.ask("ask_for_rollback", path, person, {"environment": environment, "reason": "It was better"})

    @rule(seed=seeds, person=everybody, environment=environments)
    def lift_the_hold(self, seed: int, person: str, environment: str) -> None:
        """Somebody lets promotion go on."""
        lift(self.turn(seed), self.watch, person, environment)

    @rule(seed=seeds, pick=picks, person=everybody)
    def cancel(self, seed: int, pick: int, person: str) -> None:
        """Somebody ends a release."""
        world = self.turn(seed)
        running = [name for name in world.engine.running() if world.engine.instances[name].name == "release"]
        if running:
            world.ask("cancel_release", f"/api/releases/{running[pick % len(running)]}/cancel", person, {})

    # What time does.

    @rule(seed=seeds, pieces=st.integers(1, 12))
    def a_little_happens(self, seed: int, pieces: int) -> None:
        """Some of what is ready happens, so that the next step meets it half-way."""
        self.turn(seed).work(pieces)

    @rule(seed=seeds, span=st.sampled_from([HOUR / 60, HOUR / 4, HOUR, 7 * HOUR, 7 * HOUR, DAY, 3 * DAY]))
    def time_passes(self, seed: int, span: timedelta) -> None:
        """Minutes to days go by."""
        self.turn(seed).pass_time(span)

    # Most steps are about what is on its way already: a rule under two names is chosen twice as often.
    more_time_passes, much_more_time_passes = time_passes, time_passes
    a_little_more_happens = a_little_happens
    everybody_agrees_again = everybody_agrees
    send_another_form = send_an_open_form

    # What operations do.

    @rule(seed=seeds, what=st.sampled_from(sorted(BREAKS)), calls=st.integers(0, 40))
    def something_breaks(self, seed: int, what: str, calls: int) -> None:
        """An outage begins or ends, answers get lost, the process ends now or over one of its next calls."""
        world = self.turn(seed)
        BREAKS[what](world, calls)

    @invariant()
    def what_must_always_hold(self) -> None:
        self.watch.check()

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return  # there was no beginning
        try:
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
        for environment in ("dev", "nonprod", "prod"):
            lift(world, self.watch, "maria", environment)
        for _ in range(80):
            world.pass_time(12 * HOUR)
            if all(name.startswith("nightly-") for name in world.engine.running()):
                return
        raise AssertionError(f"still running after weeks: {world.engine.running()}")


profile = settings(
    max_examples=EXAMPLES or 60,
    stateful_step_count=STEPS,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
)
TestRelease = ReleaseMachine.TestCase
TestRelease.settings = profile
