"""Questions about many instances, and their removal; each function runs inside one transaction."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from devhost.durable.errors import Conflict, NotFound
from devhost.durable.history import STATUS_NAMES, Event, Status
from devhost.durable.hub import COLUMNS, erase, find, read_row
from devhost.durable.records import Instance

__all__ = ["Filter", "find", "history", "page", "purge_by", "purge_one"]

_FINISHED = [int(status) for status in Status if status.finished]


@dataclass(frozen=True)
class Filter:
    """Which instances are meant; times are texts as the hub writes them, empty fields do not restrict."""

    created_from: str = ""
    created_to: str = ""
    statuses: tuple[Status, ...] = ()
    prefix: str = ""

    def where(self) -> tuple[str, list[str | int]]:
        """Write the condition and its parameters."""
        conditions = ["id >= ? AND substr(id, 1, ?) = ?"]
        values: list[str | int] = [self.prefix, len(self.prefix), self.prefix]
        if self.created_from:
            conditions.append("created >= ?")
            values.append(self.created_from)
        if self.created_to:
            conditions.append("created <= ?")
            values.append(self.created_to)
        if self.statuses:
            conditions.append(f"status IN ({', '.join('?' * len(self.statuses))})")
            values += [int(status) for status in self.statuses]
        return " AND ".join(conditions), values


def history(connection: sqlite3.Connection, instance_id: str) -> list[Event]:
    """Read the current generation's events."""
    rows = connection.execute("SELECT event FROM history WHERE instance_id = ? ORDER BY position", (instance_id,))
    return [json.loads(text) for (text,) in rows]


def page(connection: sqlite3.Connection, wanted: Filter, top: int, after: str) -> tuple[list[Instance], str]:
    """Read up to `top` instances in the order of their ids, and the id after which the next page begins."""
    condition, values = wanted.where()
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM instances WHERE {condition} AND id > ? ORDER BY id LIMIT ?",  # noqa: S608
        [*values, after, top + 1],
    ).fetchall()
    instances = [read_row(row) for row in rows[:top]]
    return instances, instances[-1].id if len(rows) > top and instances else ""


def purge_one(connection: sqlite3.Connection, instance_id: str) -> None:
    """Remove a finished instance. Raises NotFound, or Conflict when it is active."""
    instance = find(connection, instance_id)
    if instance is None:
        raise NotFound(f"No instance with ID '{instance_id}' found.")
    if not instance.status.finished:
        status = STATUS_NAMES[instance.status]
        raise Conflict(f"Instance '{instance_id}' is {status}: only a finished instance can be purged.")
    _purge(connection, instance_id)


def purge_by(connection: sqlite3.Connection, wanted: Filter) -> int:
    """Remove the finished instances that match."""
    condition, values = wanted.where()
    finished = f"status IN ({', '.join(map(str, _FINISHED))})"
    rows = connection.execute(f"SELECT id FROM instances WHERE {condition} AND {finished}", values).fetchall()  # noqa: S608
    for (instance_id,) in rows:
        _purge(connection, instance_id)
    return len(rows)


def _purge(connection: sqlite3.Connection, instance_id: str) -> None:
    connection.execute("DELETE FROM work WHERE instance_id = ?", (instance_id,))
    erase(connection, instance_id)
