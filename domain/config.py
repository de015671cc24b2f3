"""`drawbridge.yaml`: how one repository is validated, evaluated and released, as a typed model.

`docs/configuration.md` is generated from the descriptions here.
"""

from __future__ import annotations

import difflib
import re
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from domain.config_values import (
    LONGEST,
    Approver,
    Branch,
    Command,
    Connection,
    Duration,
    EnvironmentName,
    FromData,
    FromRow,
    GateText,
    Init,
    Login,
    Member,
    Name,
    Pattern,
    Positive,
    RepositoryPath,
    Use,
    Window,
)
from domain.errors import Invalid
from domain.gates import ERRORS, LATENCIES, parse_gate
from domain.yaml_source import Path, read_yaml

OVERRIDE = "override"  # the question to those who may override is told apart by this environment's name
MOST_PROBLEMS = 50  # more are counted only: the list ends up in a comment on a pull request


class _Section(BaseModel):
    # Validators are built when first used: every cold start imports this, and not every one reads a config.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)


class Target(_Section):
    """What is evaluated and deployed."""

    promptflow: RepositoryPath = Field(description="directory of the Prompt Flow flow")
    connections: dict[Name, Connection] = Field(
        default={}, description="connections of the flow by name: `type` and its keys; secrets only as `${env:NAME}`"
    )

    @field_validator("connections")
    @classmethod
    def _typed(cls, connections: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        for name, connection in connections.items():
            if "type" not in connection:
                raise ValueError(f'a type for the connection {name}, such as "type: open_ai"')
        return connections


class Branches(_Section):
    """The two long-lived branches."""

    develop: Branch = Field(default="develop", description="where feature branches are merged")
    main: Branch = Field(default="main", description="what is released: each push to it starts a release")
    feature: Pattern = Field(
        default="[a-z][a-z0-9-]*/[A-Za-z0-9]+-[a-z0-9][a-z0-9-]*",
        description="regular expression for the names of branches that are merged to develop, whole: "
        "`developer-name/issue-id-feature-name`; not asked of forks, of bots, or of `main` when it is brought back",
    )


class Validation(_Section):
    """What must hold before anything is evaluated."""

    commands: list[Command] = Field(
        default=[], description="run one by one in a copy of the repository, without a shell; the first to fail ends it"
    )
    sample: RepositoryPath = Field(
        description="a few rows: run from end to end before anything else, and sent to every deployment to try it"
    )
    required_checks: list[str] = Field(
        default=[],
        description="names of the repository's own check runs, workflows or statuses that must succeed on a change, "
        "and on what a merge queue is about to merge",
    )
    checks_timeout: Positive = Field(default=2 * 3600, description="how long a change waits for them")


class Merge(_Section):
    """What becomes of a change to develop when everything passed."""

    auto: bool = Field(
        default=False,
        description="merge it when GitHub says that it can be merged; without branch protection that may be before "
        "checks that nobody requires have ended or although they failed: name them in `validate.required_checks`",
    )
    method: Literal["merge", "squash", "rebase"] = Field(
        default="squash", description="how it is merged; the release branch is brought back by `merge`"
    )
    needs_person: str = Field(
        default="needs-a-person",
        min_length=1,
        max_length=50,
        description="the label that a change gets when somebody has to look at it",
    )


class Evaluator(_Section):
    """What scores one row's output."""

    use: Use = Field(
        description="a class of azure-ai-evaluation (`azure.ai.evaluation.F1ScoreEvaluator`), a Python callable of the "
        "repository (`evaluators.exact:score`), or the directory of an evaluation flow (`flows/eval_answer`)"
    )
    columns: dict[str, FromRow] = Field(
        description="its arguments, each `${data.<column>}` of the row or `${target.<output>}` of the target"
    )
    init: Init = Field(default={}, description="arguments of the evaluator's constructor")


class Plan(_Section):
    """One kind of evaluation: its rows and what they must show."""

    data: RepositoryPath = Field(description="the dataset, JSONL: one row a line, with a stable `id`")
    gates: list[GateText] = Field(
        min_length=1,
        description="rules, all of which must hold: `f1 >= 0.45`, `errors <= 0.02` (fraction of rows), "
        "`latency_p95 <= 3.0` (seconds), `f1 drop <= 0.05` (against the baseline, paired by row)",
    )
    shards: int = Field(default=1, ge=1, le=64, description="parts that run beside each other, each a job of its own")


class Evaluation(_Section):
    """How the target is evaluated."""

    columns: dict[str, FromData] = Field(description="the target's inputs, each `${data.<column>}` of the row")
    evaluators: dict[Name, Evaluator] = Field(min_length=1, description="each under the name that its metric gets")
    minimal: Plan = Field(description="before dev is deployed: small and quick")
    full: Plan = Field(description="beside the dev deployment: decides about the environments after it")
    concurrency: int = Field(default=8, ge=1, le=256, description="rows in flight at once in one worker process")
    workers: int = Field(default=1, ge=1, le=64, description="worker processes in one shard")
    row_timeout: Positive = Field(default=120, description="a row that takes longer counts as an error")
    retries: int = Field(default=3, ge=0, le=20, description="tries after the first when the model answers 429 or 5xx")
    seed: int = Field(default=0, ge=0, description="decides the order in which rows are run")

    @field_validator("evaluators")
    @classmethod
    def _names(cls, evaluators: dict[str, Evaluator]) -> dict[str, Evaluator]:
        taken = sorted({ERRORS, *LATENCIES} & evaluators.keys())
        if taken:
            raise ValueError(f"another name for the evaluator {taken[0]}, which gates use for something else")
        return evaluators

    @field_validator("minimal", "full")
    @classmethod
    def _gates_have_evaluators(cls, plan: Plan, info: ValidationInfo) -> Plan:
        evaluators: dict[str, Evaluator] = info.data.get("evaluators", {})
        if not evaluators or any("/" in evaluator.use for evaluator in evaluators.values()):
            return plan  # an evaluation flow names its own metrics
        known = {ERRORS, *LATENCIES, *evaluators}
        for gate in plan.gates:
            if parse_gate(gate).metric.partition(".")[0] not in known:
                raise ValueError(f'a metric of one of the evaluators in "{gate}": {", ".join(sorted(evaluators))}')
        return plan


class OptOutRule(_Section):
    """When a change may skip the full evaluation."""

    label: str = Field(
        default="skip-e2e-evaluation",
        min_length=1,
        max_length=50,
        description="the label on the pull request; the checklist is judged on the text as it is when it is looked at",
    )
    allowed: list[Member] = Field(
        default=[],
        description="who may put it there: GitHub logins and teams (`@acme/leads`); none: every person. A bot has to "
        "be named (`renovate[bot]`)",
    )
    forbidden_paths: list[RepositoryPath] = Field(
        default=[], description="globs: a change that touches one of these paths cannot opt out"
    )
    expires_after: Positive = Field(
        default=7 * 86400,
        description="until the debt must be paid: after that nobody can waive it, and no other change can opt out",
    )


class Override(_Section):
    """Who may let a release go on although its full evaluation failed or came to no conclusion."""

    people: list[Login] = Field(
        default=[], description="GitHub logins, each of whom may override it with a reason; none: nobody can"
    )
    prevent_self_approval: bool = Field(default=False, description="authors and committers cannot override it")
    exclude_merger: bool = Field(default=False, description="who merged a change of the release cannot override it")
    expires_after: Positive = Field(default=3 * 86400, description="when the question to them ends the release")


def _half(data: dict[str, Any]) -> int:
    return max(1, int(data["expires_after"]) // 2)


class Environment(_Section):
    """One step on the way to production."""

    name: EnvironmentName = Field(description="lower-case letters, digits and `-`")
    approvers: list[Approver] = Field(
        default=[],
        description="GitHub logins (`@maria`), teams (`@acme/release-managers`), Entra groups "
        "(`entra:<object id>`); none: deployed without asking",
    )
    approvals: int = Field(default=1, ge=1, description="how many of the approvers must approve")
    prevent_self_approval: bool = Field(default=False, description="authors and committers cannot approve it")
    exclude_merger: bool = Field(default=False, description="who merged a change of the release cannot approve it")
    expires_after: Positive = Field(
        default=3 * 86400, description="when the question to the approvers ends the release"
    )
    remind_after: Positive = Field(
        default_factory=_half, description="when they are reminded, once; half of `expires_after` when left out"
    )
    watch: Duration = Field(default=300, description="how long a deployment is watched before it counts as good")
    soak: Duration = Field(
        default=0, description="how long a release must have been in the environment before this one"
    )
    window: Window | None = Field(
        default=None,
        description="when it may be deployed to, such as `Mon-Thu 09:00-16:00 Europe/Berlin`; always when left out",
    )
    max_latency_p95: float | None = Field(
        default=None, gt=0, description="seconds, while watched; no limit when left out"
    )
    max_error_rate: float = Field(default=0.0, ge=0, le=1, description="fraction of failed requests while watched")

    @field_validator("approvers")
    @classmethod
    def _different(cls, approvers: list[str]) -> list[str]:
        if len({login.lower() for login in approvers}) < len(approvers):
            raise ValueError("each approver once")
        return approvers

    @field_validator("approvals")
    @classmethod
    def _reachable(cls, approvals: int, info: ValidationInfo) -> int:
        approvers = info.data.get("approvers")
        # How many people a team or a group has is known only when they are asked.
        several = any("/" in name or ":" in name for name in approvers or ())
        if approvers is not None and not several and approvals > max(1, len(approvers)):
            raise ValueError(f"at least as many approvers; {len(approvers)} can be asked")
        return approvals

    @field_validator("remind_after")
    @classmethod
    def _before_the_end(cls, remind_after: int, info: ValidationInfo) -> int:
        if remind_after >= info.data.get("expires_after", LONGEST + 1) > 1:
            raise ValueError("a time before expires_after")
        return remind_after


class Schedule(_Section):
    """When evaluations run without a release."""

    mode: Literal["continuous", "on-demand"] = Field(
        default="continuous",
        description="`continuous`: the minimal evaluation for each push to develop; `on-demand`: only when asked",
    )
    nightly: bool = Field(
        default=False,
        description="evaluate the head of main and what is deployed, once each night; open debts are paid regardless",
    )


class Config(_Section):
    """What one repository's releases follow."""

    version: Literal[1] = Field(description="the format of this file, 1")
    target: Target
    branches: Branches = Field(default_factory=Branches)
    validation: Validation = Field(alias="validate")
    evaluation: Evaluation
    merge: Merge = Field(default_factory=Merge)
    opt_out: OptOutRule = Field(default_factory=OptOutRule)
    override: Override = Field(default_factory=Override)
    environments: list[Environment] = Field(
        min_length=1, description="the environments in the order a release passes them"
    )
    schedule: Schedule = Field(default_factory=Schedule)

    @field_validator("environments")
    @classmethod
    def _unique(cls, environments: list[Environment]) -> list[Environment]:
        names = [environment.name for environment in environments]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"each environment once; {twice} stands here {names.count(twice)} times")
        if OVERRIDE in names:
            raise ValueError(f"another name than {OVERRIDE}, which is what an override of an evaluation is called")
        if environments[0].approvers:
            # It is deployed beside the full evaluation, so nobody could be shown what they would approve.
            raise ValueError(f"no approvers for the first environment, {names[0]}; they belong to the later ones")
        return environments


def read_config(text: str, file: str = "drawbridge.yaml") -> Config:
    """Read the file's text. Raises Invalid listing every problem as `file:line: key: what is wrong; expected what`."""
    source = read_yaml(text, file)
    problems = list(source.problems)
    config = None
    try:
        config = Config.model_validate({} if source.value is None else source.value)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            if detail["type"] != "default_factory_not_called":  # follows from another problem in the same section
                problems.append((source.line(_path(detail["loc"])), _problem(detail)))
    if problems or config is None:
        raise Invalid("\n".join(_listed(file, sorted(problems))))
    return config


def _listed(file: str, problems: list[tuple[int, str]]) -> list[str]:
    lines = [f"{file}:{line}: {problem}" for line, problem in problems[:MOST_PROBLEMS]]
    more = len(problems) - MOST_PROBLEMS
    return [*lines, f"{file}: and {more} more problems"] if more > 0 else lines


def _path(location: tuple[str | int, ...]) -> Path:
    """Drop what pydantic adds to say that a key, not a value, is wrong."""
    return location[:-1] if location and location[-1] == "[key]" else location


def _problem(detail: Any) -> str:
    path = _path(detail["loc"])
    where = ".".join(str(part) for part in path) or "the file"
    kind = detail["type"]
    if kind == "missing":
        return f"{where}: is missing; expected {_description(path)}"
    if kind == "extra_forbidden":
        return f"{where}: unknown key; {_suggestion(path)}"
    return f"{where}: {_shown(detail, path)}; expected {_expected(detail)}"


def _expected(detail: Any) -> str:
    words = {"model_type": "a mapping", "dict_type": "a mapping", "string_type": "text", "list_type": "a list"}
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    should = re.search(r"should (?:be|have) (.*?)(?: after validation.*|, not .*)?$", detail["msg"])
    return words.get(detail["type"]) or (should[1] if should else detail["msg"])


def _shown(detail: Any, path: Path) -> str:
    value = detail["input"]
    if detail["loc"] != path:
        return "this key cannot be used"
    if value is None or value in ("", [], {}):
        return "is empty"
    if "connections" in path or "init" in path or isinstance(value, dict | list):
        return "this value cannot be used"  # may be a secret, or too long to repeat
    text = repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "..."
    return f"is {text}"


def _suggestion(path: Path) -> str:
    model = _model_at(path[:-1])
    keys = [] if model is None else [info.alias or name for name, info in model.model_fields.items()]
    near = difflib.get_close_matches(str(path[-1]), keys, n=1)
    hint = f'did you mean "{near[0]}"? ' if near else ""
    return f"{hint}expected one of: {', '.join(keys)}"


def _description(path: Path) -> str:
    model, name = _model_at(path[:-1]), path[-1]
    for field, info in model.model_fields.items() if model else ():
        if name == (info.alias or field):
            return info.description or "a mapping"
    return "a value"


def _model_at(path: Path) -> type[BaseModel] | None:
    """Return the model of the section that a path such as ("evaluation", "evaluators", "f1") leads to."""
    model: type[BaseModel] | None = Config
    inside = False  # the part is an index into a list or a key of a mapping: its model is known already
    for part in path:
        if inside or model is None:
            inside = False
            continue
        fields = {info.alias or name: info.annotation for name, info in model.model_fields.items()}
        annotation: Any = fields.get(str(part))
        inside = get_origin(annotation) in (list, dict)
        kinds = (annotation, *get_args(annotation))
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
    return model
