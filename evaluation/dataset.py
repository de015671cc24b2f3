"""Rows to evaluate on, read from JSONL. Every problem names the file and the line."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from domain.errors import Invalid


@dataclass(frozen=True)
class Row:
    """One row: its stable id (`id` field, else content hash), where it stands, and what it holds."""

    id: str
    line: int
    data: dict[str, Any]


def read_dataset(path: Path, name: str = "") -> list[Row]:
    """Read all rows of a JSONL file; blank lines are skipped.

    `name` stands for the path in messages. Raises Invalid for a missing or empty file, a line that is not a JSON
    object, an id that is not text or a whole number, and ids that occur twice.
    """
    name = name or str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Invalid(f"{name}: cannot be read: {error.strerror or error}") from error
    lines = enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1)
    rows = [_read_row(line, number, name) for number, line in lines if line.strip()]
    if not rows:
        raise Invalid(f"{name}: the dataset is empty: expected one JSON object per line")
    _refuse_duplicates(rows, name)
    return rows


def order(rows: Iterable[Row], seed: int) -> list[Row]:
    """Return the rows in an order that depends on their ids and the seed alone, not on the order in the file."""
    ordered = sorted(rows, key=lambda row: row.id)
    random.Random(seed).shuffle(ordered)  # noqa: S311  a repeatable order, not a secret
    return ordered


def content_hash(rows: Iterable[Row]) -> str:
    """Return the SHA-256 of what the rows hold; their order and the file's formatting do not matter."""
    lines = sorted(f"{row.id}\n{_canonical(row.data)}\n" for row in rows)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _read_row(line: bytes, number: int, name: str) -> Row:
    where = f"{name}:{number}"
    try:
        data = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise Invalid(f"{where}: not UTF-8 text (byte {error.start + 1} of the line)") from error
    except json.JSONDecodeError as error:
        raise Invalid(f"{where}: not JSON: {error.msg} at column {error.colno}") from error
    except ValueError as error:
        raise Invalid(f"{where}: not JSON: {error}") from error
    if not isinstance(data, dict):
        raise Invalid(f"{where}: expected a JSON object, found {json.dumps(data)[:40]}")
    return Row(_row_id(data, where), number, data)


def _row_id(data: dict[str, Any], where: str) -> str:
    if "id" not in data:
        return hashlib.sha256(_canonical(data).encode()).hexdigest()[:16]
    value = data["id"]
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise Invalid(f"{where}: id is {json.dumps(value)}: expected text or a whole number")
    return str(value)


def _refuse_duplicates(rows: Sequence[Row], name: str) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        if row.id in seen:
            what = f"id {row.id!r}" if "id" in row.data else "this row (it has no id of its own)"
            raise Invalid(f"{name}:{row.line}: {what} is already on line {seen[row.id]}: each row needs its own id")
        seen[row.id] = row.line


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _canonical(data: dict[str, Any]) -> str:
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
