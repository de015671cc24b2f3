"""How a repository could be released, guessed from the flows, datasets and evaluators that it has."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from domain.errors import Invalid
from domain.fitting_evaluators import QUESTIONS, Scorer, Sources, f1, first_of, fitting_evaluators
from domain.flow_files import FLOWS, Dataset, Files, Flow, read_flows

CONFIG = "drawbridge.yaml"
BRANCH = "drawbridge/onboarding"

_SMALL = re.compile(r"minimal|smoke|small|mini")
_OWNER = re.compile(r"@[A-Za-z0-9][A-Za-z0-9_-]{0,38}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99})?")


@dataclass(frozen=True)
class Guess:
    """Everything `drawbridge.yaml` needs, and in `doubts` what a person has to look at."""

    flow: Flow
    columns: Mapping[str, str]
    scorers: Mapping[str, Scorer]
    sample: str
    minimal: str
    full: str
    commands: tuple[str, ...]
    doubts: Mapping[str, str]  # key in the file -> why it is a guess


def guess(files: Files, wanted: str = "") -> Guess:
    """Choose the flow (`wanted` names its directory) with its data and evaluators.

    Raises Invalid when there is no flow, when several could be meant, or when the one that is meant is broken.
    """
    flows, broken = read_flows(files)
    flow = _chosen(flows, broken, files.datasets, wanted)
    fitting = [(data, columns) for data in files.datasets if (columns := _mapped(flow, data)) is not None]
    doubts = {}
    if broken:
        doubts["target.promptflow"] = f"left out, since they cannot be read: {'; '.join(broken.values())}"
    if not flow.inputs:
        doubts["evaluation.columns"] = "the flow's file does not tell its inputs: give each its column of the data"
    sample, minimal, full = _sizes([data for data, _ in fitting]) if fitting else _no_data()
    if len({sample, minimal, full}) < 3 or not fitting:
        doubts["evaluation.minimal"] = _few(len(fitting), flow)
    columns = (
        dict(fitting)[full] if fitting else {name: f"${{data.{name}}}" for name, must in flow.inputs.items() if must}
    )
    sources = Sources(flow, full, columns)
    scorers = fitting_evaluators(sources, flows, files)
    if not scorers:
        doubts["evaluation.evaluators"] = "no evaluator fits the data: write one, or name the column of right answers"
        scorers = {"f1": f1(sources, "answer")}
    return Guess(flow, columns, scorers, sample.path, minimal.path, full.path, _commands(files), doubts)


def approvers(files: Files, otherwise: str) -> tuple[str, ...]:
    """Name who could approve: those who own everything by CODEOWNERS, else one person."""
    for path in (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"):
        for line in reversed(files.texts.get(path, "").splitlines()):
            pattern, *owners = line.partition("#")[0].split() or [""]
            found = tuple(owner[1:] for owner in owners if _OWNER.fullmatch(owner))
            if pattern == "*" and found:
                return found
    return (otherwise,)


def template_path(paths: Collection[str]) -> str:
    """Find the repository's pull request template, where GitHub looks for it; else name where it belongs."""
    usual = ".github/pull_request_template.md"
    found = [path for path in paths if posixpath.basename(path).lower() == "pull_request_template.md"]
    for folder in (".github", "", "docs"):
        for path in found:
            if posixpath.dirname(path) == folder:
                return path
    return usual


def _chosen(flows: Sequence[Flow], broken: Mapping[str, str], datasets: Sequence[Dataset], wanted: str) -> Flow:
    if wanted:
        return _named(flows, broken, posixpath.normpath(wanted))
    candidates = [flow for flow in flows if not flow.evaluates]
    if not candidates and broken:
        raise Invalid("; ".join(broken.values()))
    if not candidates:
        only = f"only evaluation flows ({', '.join(flow.folder for flow in flows)})" if flows else "no flow"
        raise Invalid(
            f"{only} found: expected a directory with {FLOWS[0]} or {FLOWS[2]}. Commit the flow first, or write "
            f"{CONFIG} by hand: docs/configuration.md explains every key"
        )
    fitting = [flow for flow in candidates if any(_mapped(flow, data) for data in datasets)]
    if len(candidates) == 1 or len(fitting) == 1:
        return (fitting or candidates)[0]
    raise Invalid(
        f"several flows could be meant: {', '.join(flow.folder for flow in fitting or candidates)}; "
        "name one with FLOW=<its directory>"
    )


def _named(flows: Sequence[Flow], broken: Mapping[str, str], wanted: str) -> Flow:
    if wanted in broken:
        raise Invalid(broken[wanted])
    for flow in flows:
        if flow.folder == wanted:
            return flow
    there = ", ".join(flow.folder for flow in flows) or "none"
    raise Invalid(f"there is no flow in {wanted}; found: {there}")


def _mapped(flow: Flow, data: Dataset) -> dict[str, str] | None:
    """Map each input to a column; None when one that must be given has none."""
    columns = {}
    for name, must in flow.inputs.items():
        column = _column(name, data, must)
        if column:
            columns[name] = f"${{data.{column}}}"
        elif must:
            return None
    return columns


def _column(name: str, data: Dataset, must: bool) -> str:
    if name in data.columns:
        return name
    return first_of(QUESTIONS, data.columns) if must and name.lower() in QUESTIONS else ""


def _sizes(fitting: Sequence[Dataset]) -> tuple[Dataset, Dataset, Dataset]:
    """Choose the sample, the minimal and the full dataset, by name and else by size."""
    by_size = sorted(fitting, key=lambda data: (data.rows, data.path))
    sample = _called(by_size, re.compile("sample")) or by_size[0]
    full = _called(by_size[::-1], re.compile("full")) or by_size[-1]
    between = [data for data in by_size if data not in (sample, full)]
    return sample, _called(by_size, _SMALL) or (between or [sample])[0], full


def _no_data() -> tuple[Dataset, Dataset, Dataset]:
    return Dataset("data/sample.jsonl", 0, ()), Dataset("data/minimal.jsonl", 0, ()), Dataset("data/full.jsonl", 0, ())


def _few(fitting: int, flow: Flow) -> str:
    sizes = "a sample has a few rows, the minimal data runs in minutes, the full data may take hours"
    if fitting:
        return f"fewer than three datasets fit the flow; {sizes}"
    needed = ", ".join(name for name, must in flow.inputs.items() if must)
    return f"no *.jsonl here has columns for {needed or 'the inputs of the flow'}: write these three; {sizes}"


def _called(datasets: Sequence[Dataset], pattern: re.Pattern[str]) -> Dataset | None:
    return next((data for data in datasets if pattern.search(posixpath.basename(data.path).lower())), None)


def _commands(files: Files) -> tuple[str, ...]:
    settings = files.texts.get("pyproject.toml", "")
    ruff = "[tool.ruff" in settings or any(path in ("ruff.toml", ".ruff.toml") for path in files.paths)
    tests = any(re.search(r"(^|/)tests?/(.*/)?test_[^/]*\.py$", path) for path in files.paths)
    return (("ruff check .",) if ruff else ()) + (("pytest -q",) if tests else ())
