"""YAML into plain values that remember their lines, for files that people write and strangers can change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from domain.errors import Invalid

Path = tuple[str | int, ...]

MAX_CHARACTERS = 100_000
MAX_NODES = 20_000  # aliases are followed, so a small file could name millions of values


@dataclass
class Source:
    """The values, the line of every key and item by its path, and what is wrong with the YAML itself."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)  # line, what is wrong
    nodes: int = 0

    def line(self, path: Path) -> int:
        """Return the line of the value at `path`, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(text: str, file: str) -> Source:
    """Read one YAML 1.2 document of plain values.

    Duplicate and non-text keys become problems. Raises Invalid, with the line, where nothing more can be read.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415  only who reads a config pays for the import
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    if len(text) > MAX_CHARACTERS:
        raise Invalid(f"{file}:1: the file has {len(text):,} characters; expected at most {MAX_CHARACTERS:,}")
    source, yaml = Source(), YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
        source.value = None if root is None else _value(root, (), source, yaml)
    except MarkedYAMLError as error:
        raise Invalid(f"{file}:{_line_of(error)}: this is not YAML: {_sentence(error)}") from error
    except (YAMLError, ValueError) as error:  # a control character, a number of thousands of digits
        raise Invalid(f"{file}:1: this is not YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise Invalid(f"{file}:1: the file is nested too deeply; expected a few levels") from error
    except _TooManyValues as error:
        raise Invalid(f"{file}:1: more than {MAX_NODES:,} values, aliases followed; expected far fewer") from error
    return source


class _TooManyValues(Exception):
    pass


def _value(node: Any, path: Path, source: Source, yaml: Any) -> Any:
    from ruamel.yaml.nodes import MappingNode, SequenceNode  # noqa: PLC0415

    source.nodes += 1
    if source.nodes > MAX_NODES:
        raise _TooManyValues
    source.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, MappingNode):
        return {key: _value(value, (*path, key), source, yaml) for key, value in _items(node, path, source)}
    if isinstance(node, SequenceNode):
        return [_value(item, (*path, index), source, yaml) for index, item in enumerate(node.value)]
    return yaml.constructor.construct_object(node)


def _items(node: Any, path: Path, source: Source) -> Iterator[tuple[str, Any]]:
    """Yield the keys and value nodes of a mapping, noting keys that are not text or stand there twice."""
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value
        if key_node.tag != "tag:yaml.org,2002:str":
            where = ".".join(map(str, path)) or "the file"
            source.problems.append((line, f"{where}: a key is not text; expected keys in letters, or in quotes"))
        elif key in seen:
            name = ".".join(map(str, (*path, key)))
            source.problems.append((line, f"{name}: stands here a second time; expected once (see line {seen[key]})"))
        else:
            seen[key] = source.lines[(*path, key)] = line
            yield key, value_node


def _line_of(error: Any) -> int:
    mark = error.problem_mark or error.context_mark
    return 1 if mark is None else mark.line + 1


def _sentence(error: Any) -> str:
    return " ".join(part for part in (error.context, error.problem) if part)
