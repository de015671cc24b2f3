"""What onboarding puts into a repository: its `drawbridge.yaml`, the checklist, the guide, the pull request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from domain.onboarding import BRANCH, CONFIG, Guess
from domain.opt_out import CHECKLIST, MARKER

TITLE = "Release this app with Drawbridge"
GUIDE = "docs/drawbridge.md"
CHECK = "# CHECK:"

_AMBIGUOUS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def config_text(guess: Guess, approvers: Sequence[str], develop: str, main: str, label: str) -> str:
    """Write the guess as `drawbridge.yaml`, with a comment beside everything that a person has to look at."""
    drops = "".join(f', "{name} drop <= 0.05"' for name, scorer in guess.scorers.items() if "/" not in scorer.use)
    people = "[" + ", ".join(_text(name) for name in dict.fromkeys(approvers)) + "]"
    return f"""\
# How Drawbridge releases this app. This is a guess from what the repository holds: look at each "{CHECK}".
# Secrets never stand here: write ${{env:NAME}}, the name of a variable that Drawbridge hands to its workers.
version: 1

target:{_doubt(guess, "target.promptflow")}
  promptflow: {_text(guess.flow.folder)}
{_connections(guess.flow.connections)}
branches: {{develop: {_text(develop)}, main: {_text(main)}}}

validate:
  commands: {json.dumps(guess.commands)}  {CHECK} what must pass before anything is evaluated
  sample: {_text(guess.sample)}

evaluation:
  columns:{_doubt(guess, "evaluation.columns")}
    {_map(guess.columns)}
  evaluators:{_doubt(guess, "evaluation.evaluators")}
{_scorers(guess)}  minimal:{_doubt(guess, "evaluation.minimal")}
    data: {_text(guess.minimal)}
    gates: ["errors <= 0.02"]  {CHECK} add what a release must reach, such as "f1 >= 0.45", after the first runs
  full:
    data: {_text(guess.full)}
    gates: ["errors <= 0.02"{drops}]  {CHECK} the same
    shards: 1

opt_out:
  label: {_text(label)}
  forbidden_paths: [{_text(forbidden(guess))}]
  expires_after: 7d

environments:  {CHECK} who approves: GitHub logins, teams (organization/team) or Entra groups (entra:<object id>)
  - {{name: dev}}
  - {{name: nonprod, approvers: {people}, expires_after: 3d}}
  - {{name: prod, approvers: {people}, approvals: 1, expires_after: 7d}}
"""


def forbidden(guess: Guess) -> str:
    """Name the paths that a change which opts out may not touch: those of the flow."""
    return "**" if guess.flow.folder == "." else f"{guess.flow.folder}/**"


def opt_out_section(label: str, main: str, forbidden: Sequence[str]) -> str:
    """Write the checklist of a pull request template, as domain.opt_out reads it."""
    paths = [f"Nothing under {' or '.join(f'`{path}`' for path in forbidden)} changes."] if forbidden else []
    boxes = "\n".join(f"- [ ] {text}" for text in (*paths, *CHECKLIST))
    return f"""\
{MARKER}
## Skipping the full evaluation

Leave this as it is, and the full evaluation runs beside the dev deployment after the merge to `{main}`.
To skip it, put the label `{label}` on this pull request, tick all boxes and give the reason:

{boxes}

Reason for skipping:
"""


def template_text(existing: str | None, section: str) -> str | None:
    """Add the checklist to a repository's own template; None when it is there already."""
    if existing is None:
        return f"## What changes for the people who use this app\n\n<!-- One or two sentences. -->\n\n{section}"
    if MARKER in existing:
        return None
    return f"{existing.rstrip()}\n\n{section}"


def guide_text(site: str, label: str, develop: str, main: str) -> str:
    """Write the short guide for those who work in the repository."""
    return f"""\
# Releases with Drawbridge

A commit of `{main}` reaches production only after it was evaluated, and a person who saw the evidence let it through.
`{CONFIG}` in the root of this repository says how.

- **Work** on a branch `your-name/issue-id-feature-name`, and open a pull request to `{develop}`. The checks, the syntax
  of the flow and a few sample rows run; what failed, and what to do, stands in one comment.
- **Release** with a pull request from `{develop}` to `{main}`. The minimal evaluation decides about dev; the full
  evaluation runs beside the deployment and decides about everything after it.
- **Approve** by the link in the comment. It shows metrics, regressions row by row, and what is still owed.
- **Skip the full evaluation** with the label `{label}` before the merge. Tick the checklist of the pull request, and
  give the reason. It is a debt that the nightly run pays; production waits for it, or for approvers who waive it.
- **Ask for an evaluation** with the comment `/evaluate minimal` or `/evaluate full` on a pull request.

Releases and evaluations: {site}/api/releases
"""


def pull_body(guess: Guess | None, site: str) -> str:
    """Say in the pull request what it adds and what to look at before the merge."""
    doubts = [f"- [ ] `{key}`: {_markdown(why)}" for key, why in guess.doubts.items()] if guess else []
    checks = ["", f'Before the merge, look at each "CHECK" in `{CONFIG}`:', "", *doubts] if guess else []
    if guess:
        checks += [
            "- [ ] `environments`: who approves",
            "- [ ] `gates`: what a release must reach",
            f"- [ ] the variables that `{CONFIG}` names stand in Drawbridge's setting `DRAWBRIDGE_WORKER_VARIABLES`",
        ]
    return "\n".join(
        [
            "This adds what Drawbridge needs to release this app: how it is evaluated and released, the checklist for "
            f"skipping the full evaluation, and a short guide ([{GUIDE}](../blob/{BRANCH}/{GUIDE})).",
            *checks,
            "",
            f"The first release starts with the merge: {site}/api/releases",
            "",
        ]
    )


def _connections(connections: Mapping[str, str]) -> str:
    if not connections:
        return ""
    lines = [f"  connections:  {CHECK} the names of the variables that hold address and key"]
    for name, kind in connections.items():
        variable = re.sub(r"\W", "_", name).upper()
        address = "api_base" if kind == "azure_open_ai" else "base_url"
        values = {"type": kind or "open_ai", address: f"${{env:{variable}_URL}}", "api_key": f"${{env:{variable}_KEY}}"}
        doubt = "" if kind else f"  {CHECK} its type, which the flow does not tell"
        lines.append(f"    {_key(name)}: {_map(values)}{doubt}")
    return "\n".join(lines) + "\n"


def _scorers(guess: Guess) -> str:
    return "".join(
        f"    {_key(name)}:\n      use: {_text(scorer.use)}\n      columns: {_map(scorer.columns)}\n"
        for name, scorer in guess.scorers.items()
    )


def _doubt(guess: Guess, key: str) -> str:
    return f"  {CHECK} {_line(guess.doubts[key])}" if key in guess.doubts else ""


def _map(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{_key(name)}: {_quoted(value)}" for name, value in values.items()) + "}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.lower() not in _AMBIGUOUS else _quoted(name)


def _text(value: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./:-]*[A-Za-z0-9_]", value) and value.lower() not in _AMBIGUOUS
    return value if plain else _quoted(value)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _line(text: str) -> str:
    return "".join(one for one in " ".join(text.split()) if one.isprintable())


def _markdown(text: str) -> str:
    return re.sub(r"([`*_<>\[\]@#|])", r"\\\1", _line(text))
