"""What a repository's files tell about its flows and datasets, as far as a guess needs it."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.errors import Invalid
from domain.yaml_source import read_yaml

FLOWS = ("flow.dag.yaml", "flow.dag.yml", "flow.flex.yaml", "flow.flex.yml")
LOOKED_AT = 20  # rows of a dataset: a column counts when all of them have it

_CONNECTIONS = {"openai": "open_ai", "azureopenai": "azure_open_ai"}  # a node's provider -> type of its connection


@dataclass(frozen=True)
class Dataset:
    """A JSONL file: how many rows, and the columns that its first rows all have."""

    path: str
    rows: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Files:
    """What of a repository is looked at: all paths, the text of the small ones that matter, the datasets."""

    paths: Collection[str]
    texts: Mapping[str, str]
    datasets: Sequence[Dataset] = ()


@dataclass(frozen=True)
class Flow:
    """A flow as its file describes it. `inputs` says of each whether it must be given."""

    folder: str
    inputs: Mapping[str, bool]
    outputs: tuple[str, ...]
    connections: Mapping[str, str]  # name -> type; empty where the file does not tell
    evaluates: bool


def read_dataset(path: str, first: Iterable[str], rows: int) -> Dataset | None:
    """Read a dataset by its first lines; None when they are no rows of one."""
    columns: list[set[str]] = []
    try:
        for line in first:
            row = json.loads(line)
            columns.append({name for name in row if _plain(name)} if isinstance(row, dict) else set())
    except (ValueError, RecursionError):
        return None
    shared = set.intersection(*columns) if columns else set()
    return Dataset(path, rows, tuple(sorted(shared))) if shared and _usable(path) else None


def read_flows(files: Files) -> tuple[list[Flow], dict[str, str]]:
    """Read all flows; those that cannot be read come by directory, with what is wrong."""
    flows, broken = [], {}
    for path in sorted(path for path in files.texts if posixpath.basename(path) in FLOWS and _usable(path)):
        try:
            flows.append(_flow(path, files.texts[path]))
        except Invalid as error:
            broken[posixpath.dirname(path) or "."] = str(error)
    return flows, broken


def _flow(path: str, text: str) -> Flow:
    source = read_yaml(text, path)
    if not isinstance(source.value, dict):
        raise Invalid(f"{path}:1: this is no flow; expected a mapping with inputs, outputs and nodes")
    inputs, nodes = _mapping(source.value.get("inputs")), source.value.get("nodes")
    nodes = [node for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []
    folder = posixpath.dirname(path) or "."
    aggregates = any(node.get("aggregation") is True for node in nodes)
    return Flow(
        folder,
        {name: _must(spec) for name, spec in inputs.items() if _plain(name)},
        tuple(name for name in _mapping(source.value.get("outputs")) if _plain(name)),
        {name: kind for name, kind in map(_connection, nodes) if name},
        aggregates or source.value.get("type") == "evaluation" or "eval" in posixpath.basename(folder).lower(),
    )


def _must(spec: Any) -> bool:
    return not (isinstance(spec, dict) and (spec.get("default") is not None or spec.get("is_chat_history") is True))


def _connection(node: Mapping[str, Any]) -> tuple[str, str]:
    name = node.get("connection") or _mapping(node.get("inputs")).get("connection")
    known = isinstance(name, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,49}", name)
    return (str(name) if known else "", _CONNECTIONS.get(str(node.get("provider")).lower(), ""))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _plain(name: str) -> bool:
    """Say whether a name can stand in the config as it is."""
    return bool(name) and name.isprintable() and not re.search(r"[{}\\]", name)


def _usable(path: str) -> bool:
    """Say whether the config takes a path."""
    return _plain(path) and not re.match(r"~|[A-Za-z]:", path)
