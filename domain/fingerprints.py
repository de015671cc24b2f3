"""Whether an evaluation could come to anything new: a fingerprint of all that its result hangs on."""

from __future__ import annotations

import ast
import hashlib
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from domain.config import Config

_OF_SDK = "azure.ai.evaluation."


@dataclass(frozen=True)
class File:
    """A file or link of a snapshot: its path, the hash of its content, and the places that it leads on to."""

    path: str
    digest: str
    leads: frozenset[str] = frozenset()  # paths of files and directories, there or not


def python_file(path: str, digest: str, source: bytes) -> File:
    """Return a file of Python code: it leads to what it imports."""
    return File(path, digest, frozenset(place for module in _imports(source) for place in _top(module)))


def link(path: str, target: str) -> File:
    """Return a link: it leads to where it points."""
    place = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return File(path, hashlib.sha256(target.encode()).hexdigest(), frozenset({place}))


def of_full_evaluation(config: Config, files: Iterable[File]) -> str:
    """Return the fingerprint of a commit's full evaluation.

    It covers the flow's files, the dataset, the evaluators with their code in the repository and whatever of the
    repository these import, the columns and the gates. The rest of the repository does not count, nor does what lies
    outside of it: the model behind a connection, an SDK's version.
    """
    rules = config.evaluation
    known = {file.path: file for file in files}
    uses = [evaluator.use for evaluator in rules.evaluators.values()]
    roots = {config.target.promptflow, rules.full.data, *(root for use in uses for root in _roots(use))}
    covered = {path: known[path].digest for path in _covered(roots, known)}
    said = {
        "files": covered,
        "target": config.target.model_dump(mode="json"),
        "columns": rules.columns,
        "evaluators": {name: evaluator.model_dump(mode="json") for name, evaluator in rules.evaluators.items()},
        "data": rules.full.data,
        "gates": rules.full.gates,
        "seed": rules.seed,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _roots(use: str) -> tuple[str, ...]:
    """Return where an evaluator's code lies: the top of its package, or the directory of its flow."""
    if use.startswith(_OF_SDK):
        return ()
    if ":" not in use:
        return (use,)
    return _top(use.partition(":")[0].split(".")[0])


def _top(module: str) -> tuple[str, str]:
    return module, f"{module}.py"


def _covered(roots: set[str], known: Mapping[str, File]) -> set[str]:
    """Return the files at or below the roots, those at or below the places that these lead to, and so on."""
    covered: set[str] = set()
    while roots:
        found = {path for path in known if path not in covered and not _parents(path).isdisjoint(roots)}
        covered |= found
        roots = {place for path in found for place in known[path].leads}
    return covered


def _parents(path: str) -> set[str]:
    parts = path.split("/")
    return {"/".join(parts[: end + 1]) for end in range(len(parts))}


def _imports(content: bytes) -> Iterator[str]:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # whatever it would import, it cannot
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]
