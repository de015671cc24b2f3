"""What the stories of the model have in common: the repository's rules, how its world begins, what its people do."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from domain import approvals
from domain.models import ApprovalRequest
from tests.model import people
from tests.model.engine import Functions
from tests.model.hosting import Truth, commit_of
from tests.model.people import Form
from tests.model.watch import Watch
from tests.model.world import OPT_OUT, World

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


@cache
def functions() -> Functions:
    """Return the app's own functions, found once."""
    return Functions.of_app()


@cache
def beginning(kind: str) -> tuple[World, Watch]:
    """Return a world in which two releases have reached production: the baseline, and one to go back to."""
    world = World(RULES + CONFIGS[kind], functions(), TEAMS)
    with world:
        watch = Watch(world)
        for message in ("The first release", "The second release"):
            world.forge.push("main", "sam", message)
            deliver_all(world)
            for _ in range(30):
                world.pass_time(6 * HOUR)
                decide_all(world, watch)
                if all(name.startswith("nightly-") for name in world.engine.running()):
                    break
        watch.check_ends()
    return world, watch


def begin(kind: str) -> tuple[World, Watch]:
    """Enter a world of its own that goes on from there; whoever asks leaves it again."""
    before, watched = beginning(kind)
    world = World(RULES + CONFIGS[kind], functions(), TEAMS)
    world.__enter__()
    world.adopt(before)
    watch = Watch(world)
    watch.adopt(watched)
    return world, watch


def deliver_all(world: World) -> None:
    """Let every webhook arrive, in order; GitHub does not send again what was not taken."""
    while world.forge.deliveries:
        world.deliver(world.forge.deliveries.pop(0))


def merge_change(world: World, truth: Truth, author: str = "alex", merger: str = "sam", skips: str = "") -> str:
    """Let a change be opened and merged to main; `skips`: with the label, and the checklist or the path so. Its sha."""
    body = OPT_OUT.format(tick=" " if skips == "unticked" else "x")
    path = "flows/chat/notes.md" if skips == "flows" else "docs/notes.md"
    number = len(world.forge.pulls)
    pull = world.forge.open_change(f"{author}/1-notes", "main", author, body, {path: f"{number % 4}"})
    if skips:
        world.forge.label(pull.number, LABEL, True, author)
    sha = world.forge.merge(pull.number, merger)
    world.truths[sha] = truth
    return sha


def decide_all(world: World, watch: Watch, waives: bool = True, override: bool = True) -> None:
    """Let everybody who is asked agree, and waive debt where it is owed; `override`: and take bad verdicts on."""
    for request in people.questions(world):
        if override or request.environment != approvals.OVERRIDE:
            for form in open_all(world, request):
                people.send(world, watch, form, approvals.APPROVE, waives)


def agree(world: World, watch: Watch, times: int, waives: bool = True, override: bool = True) -> None:
    """Let everybody agree so many times, an hour apart."""
    for _ in range(times - 1):
        decide_all(world, watch, waives, override)
        world.pass_time(HOUR)
    decide_all(world, watch, waives, override)


def decide_on_old_pages(world: World, watch: Watch, request: ApprovalRequest, decision: str, waives: bool) -> None:
    """Let everybody open the link, its opt-outs change while they read, and all decide on what they have seen."""
    forms = open_all(world, request)
    for number, pull in world.forge.pulls.items():
        if pull.merge_sha == commit_of(request.release):
            world.forge.label(number, LABEL, LABEL not in world.forge.labels(number), "alex")
    deliver_all(world)
    for _ in range(6):
        world.pass_time(HOUR)
        if request.digest not in {one.digest for one in people.questions(world, closed=True)}:
            break
    for form in forms:
        people.send(world, watch, form, decision, waives)
    world.pass_time(HOUR)


def open_all(world: World, request: ApprovalRequest) -> list[Form]:
    """Let everybody who is asked open the link, and return the pages that show a form."""
    opened = [people.open_link(world, request, person) for person in request.approvers]
    return [form for form in opened if form]
