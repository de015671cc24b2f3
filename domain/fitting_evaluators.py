"""Which evaluators of a repository fit a flow and a dataset: by the names of their arguments."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from domain.flow_files import Dataset, Files, Flow
from domain.gates import ERRORS, LATENCIES

QUESTIONS = ("question", "query", "input", "prompt", "text")
_RESPONSES = ("answer", "response", "output", "prediction", "reply", "result")
_TRUTHS = ("ground_truth", "groundtruth", "expected_answer", "expected", "reference", "truth", "answer", "label")
_NAMES = {"score", "evaluate", "judge", "grade"}  # of functions; also the name of their module


@dataclass(frozen=True)
class Scorer:
    """An evaluator that fits: what it is, and its arguments."""

    use: str
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Sources:
    """Where an evaluator's arguments can come from: a flow's outputs, and the dataset it runs on."""

    flow: Flow
    data: Dataset
    columns: Mapping[str, str]  # of the flow's inputs

    @property
    def response(self) -> str:
        """The output that answers."""
        return first_of(_RESPONSES, self.flow.outputs) or (self.flow.outputs or ("answer",))[0]

    @property
    def truth(self) -> str:
        """The column that holds right answers; empty when there is none."""
        return first_of(_TRUTHS, [name for name in self.data.columns if _data(name) not in self.columns.values()])

    def all_of(self, arguments: Sequence[str]) -> dict[str, str] | None:
        """Give each argument its source; None unless every one has one."""
        found = {name: self._one(name) for name in arguments}
        return found if found and all(found.values()) else None

    def _one(self, name: str) -> str:
        if name in self.flow.outputs:
            return _target(name)
        if name in _RESPONSES:
            return _target(self.response)
        if name in _TRUTHS and self.truth:
            return _data(self.truth)
        if name in self.data.columns:
            return _data(name)
        return next(iter(self.columns.values()), "") if name in QUESTIONS else ""


def fitting_evaluators(sources: Sources, flows: Sequence[Flow], files: Files) -> dict[str, Scorer]:
    """Find the evaluators whose arguments all have a source: F1, the repository's functions, its evaluation flows."""
    found = {"f1": f1(sources, sources.truth)} if sources.truth else {}
    for path in sorted(files.texts):
        for name, arguments in _functions(path, files.texts[path]):
            module = path.removesuffix(".py").replace("/", ".")
            _add(found, module.rpartition(".")[2], f"{module}:{name}", sources.all_of(arguments))
    for flow in flows:
        if flow.evaluates and "/" in flow.folder and not re.search(r"[:\s]", flow.folder):
            needed = [name for name, must in flow.inputs.items() if must]
            _add(found, posixpath.basename(flow.folder), flow.folder, sources.all_of(needed))
    return found


def f1(sources: Sources, truth: str) -> Scorer:
    """Compare the words of the answer with those of a column."""
    columns = {"response": _target(sources.response), "ground_truth": _data(truth)}
    return Scorer("azure.ai.evaluation.F1ScoreEvaluator", columns)


def first_of(wanted: Sequence[str], names: Collection[str]) -> str:
    """Return the first of the wanted names that is there, whatever its case; empty when none is."""
    there = {name.lower(): name for name in sorted(names, reverse=True)}
    return next((there[name] for name in wanted if name in there), "")


def _functions(path: str, text: str) -> list[tuple[str, list[str]]]:
    """List the functions of a Python file that look like evaluators, with the arguments they need."""
    *folders, file = path.split("/")
    if not folders or not folders[0].startswith("evaluat") or not all(part.isidentifier() for part in folders):
        return []
    if not file.endswith(".py") or not file[:-3].isidentifier():
        return []
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [
        (node.name, _needed(node.args))
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name in _NAMES | {file[:-3]}
    ]


def _needed(arguments: ast.arguments) -> list[str]:
    plain = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return plain[: len(plain) - len(arguments.defaults)] + [one.arg for one, default in named if default is None]


def _add(found: dict[str, Scorer], name: str, use: str, columns: dict[str, str] | None) -> None:
    name = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:40]
    name = name if name[:1].isalpha() else f"e_{name}"
    taken = {*found, ERRORS, *LATENCIES}
    if columns is not None:
        found[name if name not in taken else f"{name}_{len(taken)}"] = Scorer(use, columns)


def _data(column: str) -> str:
    return f"${{data.{column}}}"


def _target(output: str) -> str:
    return f"${{target.{output}}}"
