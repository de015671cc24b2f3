"""The task hub: instances, histories, messages and work items in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

from devhost.durable.database import Database
from devhost.durable.errors import Conflict, Gone, NotFound
from devhost.durable.history import STATUS_NAMES, Kind, Status, event, execution_started
from devhost.durable.records import Commit, Committed, Instance, Message, Parent, Turn, WorkItem

_SCHEMA = """
CREATE TABLE IF NOT EXISTS instances (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, execution_id TEXT NOT NULL, input TEXT, version TEXT,
    created TEXT NOT NULL, updated TEXT NOT NULL, status INTEGER NOT NULL,
    parent_id TEXT, parent_execution_id TEXT, parent_task_id INTEGER, output TEXT, custom_status TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (
    instance_id TEXT NOT NULL, position INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (instance_id, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, instance_id TEXT NOT NULL, execution_id TEXT, rank INTEGER NOT NULL,
    visible_at REAL NOT NULL, timer_id INTEGER, event TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS inbox ON messages (instance_id, visible_at);
CREATE TABLE IF NOT EXISTS work (
    instance_id TEXT NOT NULL, execution_id TEXT NOT NULL, task_id INTEGER NOT NULL, name TEXT NOT NULL,
    input TEXT NOT NULL, PRIMARY KEY (execution_id, task_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
"""
COLUMNS = (
    "id, name, execution_id, input, version, created, updated, status, "
    "parent_id, parent_execution_id, parent_task_id, output, custom_status"
)


class Hub:
    """Owns the hub's file; only one process may have it open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = Database(path, _SCHEMA)

    def open(self) -> None:
        """Open or create the file. Raises HubError when it cannot be used."""
        self.database.open()

    def close(self) -> None:
        """Close the file after what is being written."""
        self.database.close()

    async def start(self, instance: Instance, replace_active: bool = False) -> None:
        """Insert an instance with its first message. Raises Conflict when the id is active and may not be replaced."""

        def insert(connection: sqlite3.Connection) -> None:
            old = find(connection, instance.id)
            if old and not old.status.finished and not replace_active:
                status = STATUS_NAMES[old.status]
                raise Conflict(f"An Orchestration instance with the status {status} already exists.")
            _insert_instance(connection, instance)

        await self.database.run(insert)

    async def send(self, message: Message) -> None:
        """Put a message from outside into an inbox. Raises NotFound, or Gone when the instance has finished."""

        def insert(connection: sqlite3.Connection) -> None:
            instance = find(connection, message.instance_id)
            if instance is None:
                raise NotFound(f"No instance with ID '{message.instance_id}' found.")
            if instance.status.finished:
                raise Gone(f"Instance with ID '{message.instance_id}' is {STATUS_NAMES[instance.status]}.")
            _insert_message(connection, message)

        await self.database.run(insert)

    async def take_turn(self, instance_id: str, known_execution: str | None) -> Turn | None:
        """Collect what an instance has to do now; `known_execution` is the generation whose history the caller has."""
        return await self.database.run(lambda connection: _turn(connection, instance_id, known_execution))

    async def commit(self, commit: Commit) -> Committed:
        """Write an episode, and collect what the instance can go on with."""
        return await self.database.run(lambda connection: _commit(connection, commit))

    async def finish_work(self, item: WorkItem, result: Message) -> bool:
        """Replace a work item by its result; returns whether anybody still waits for it."""
        return await self.database.run(lambda connection: _finish_work(connection, item, result))

    async def unfinished(self) -> tuple[list[WorkItem], list[tuple[str, float]]]:
        """Read, after a restart, the work items and which instances have messages that can be seen when."""

        def read(connection: sqlite3.Connection) -> tuple[list[WorkItem], list[tuple[str, float]]]:
            work = connection.execute("SELECT instance_id, execution_id, task_id, name, input FROM work").fetchall()
            inboxes = connection.execute("SELECT DISTINCT instance_id, visible_at FROM messages").fetchall()
            return [WorkItem(*row) for row in work], inboxes

        return await self.database.run(read)

    async def note(self, name: str) -> str | None:
        """Read a small text kept for the host under a name, such as when a timer last ran."""

        def read(connection: sqlite3.Connection) -> str | None:
            row = connection.execute("SELECT text FROM notes WHERE name = ?", (name,)).fetchone()
            return row[0] if row else None

        return await self.database.run(read)

    async def set_note(self, name: str, text: str) -> None:
        """Keep a small text under a name."""
        await self.database.run(
            lambda connection: connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, text))
        )


def find(connection: sqlite3.Connection, instance_id: str) -> Instance | None:
    """Read one instance."""
    row = connection.execute(f"SELECT {COLUMNS} FROM instances WHERE id = ?", (instance_id,)).fetchone()  # noqa: S608
    return read_row(row) if row else None


def read_row(row: tuple[Any, ...]) -> Instance:
    """Build an instance from `COLUMNS`."""
    fields = dict(zip(COLUMNS.split(", "), row, strict=True))
    parent_id, execution_id, task_id = (fields.pop(f"parent_{part}") for part in ("id", "execution_id", "task_id"))
    parent = Parent(parent_id, execution_id, task_id) if parent_id else None
    return Instance(**fields | {"status": Status(fields["status"]), "parent": parent})


def erase(connection: sqlite3.Connection, instance_id: str) -> None:
    """Remove an instance with its history and inbox; its running activities find nobody to tell."""
    connection.execute("DELETE FROM instances WHERE id = ?", (instance_id,))
    connection.execute("DELETE FROM history WHERE instance_id = ?", (instance_id,))
    connection.execute("DELETE FROM messages WHERE instance_id = ?", (instance_id,))


def _insert_instance(connection: sqlite3.Connection, instance: Instance) -> None:
    erase(connection, instance.id)
    _write_instance(connection, instance)
    _insert_message(connection, _first_message(instance))


def _write_instance(connection: sqlite3.Connection, instance: Instance) -> None:
    parent = instance.parent
    row = (
        *(instance.id, instance.name, instance.execution_id, instance.input, instance.version),
        *(instance.created, instance.updated, int(instance.status)),
        *((parent.instance_id, parent.execution_id, parent.task_id) if parent else (None, None, None)),
        *(instance.output, instance.custom_status),
    )
    connection.execute(f"INSERT OR REPLACE INTO instances ({COLUMNS}) VALUES (?{', ?' * 12})", row)  # noqa: S608


def _first_message(instance: Instance) -> Message:
    started = execution_started(
        instance.updated,
        name=instance.name,
        instance_id=instance.id,
        execution_id=instance.execution_id,
        stored_input=instance.input,
        version=instance.version,
        parent_id=instance.parent.instance_id if instance.parent else None,
    )
    return Message(instance.id, started, instance.execution_id, rank=0)


def _insert_message(connection: sqlite3.Connection, message: Message) -> None:
    connection.execute(
        "INSERT INTO messages (instance_id, execution_id, rank, visible_at, timer_id, event) VALUES (?, ?, ?, ?, ?, ?)",
        (
            *(message.instance_id, message.execution_id, message.rank, message.visible_at, message.timer_id),
            json.dumps(message.event),
        ),
    )


def _turn(connection: sqlite3.Connection, instance_id: str, known_execution: str | None) -> Turn | None:
    rows = connection.execute(
        "SELECT id, execution_id, event FROM messages WHERE instance_id = ? AND visible_at <= ? ORDER BY rank, id",
        (instance_id, time.time()),
    ).fetchall()
    if not rows:
        return None
    instance = find(connection, instance_id)
    if instance is None or instance.status.finished:
        connection.execute("DELETE FROM messages WHERE instance_id = ?", (instance_id,))
        return None
    messages = []
    for number, execution_id, text in rows:
        if execution_id in (None, instance.execution_id):
            messages.append((number, json.loads(text)))
        else:  # meant for an earlier generation
            connection.execute("DELETE FROM messages WHERE id = ?", (number,))
    known = known_execution == instance.execution_id
    return Turn(instance, messages, None if known else _history(connection, instance_id)) if messages else None


def _history(connection: sqlite3.Connection, instance_id: str) -> list[str]:
    rows = connection.execute("SELECT event FROM history WHERE instance_id = ? ORDER BY position", (instance_id,))
    return [text for (text,) in rows]


def _commit(connection: sqlite3.Connection, commit: Commit) -> Committed:
    current = find(connection, commit.instance.id)
    if current is None or current.execution_id != commit.instance.execution_id:
        # The instance was replaced while its episode ran: nothing of the episode may be kept.
        return Committed(_turn(connection, commit.instance.id, None), [], [], replaced=True)
    woken = [
        woken
        for step in (_write_history, _write_work, _write_children, _write_messages, _end_generation)
        for woken in step(connection, commit)
    ]
    known = None if commit.next_generation else commit.instance.execution_id
    return Committed(_turn(connection, commit.instance.id, known), commit.work, woken)


def _write_history(connection: sqlite3.Connection, commit: Commit) -> list[tuple[str, float]]:
    instance_id = commit.instance.id
    connection.executemany("DELETE FROM messages WHERE id = ?", [(number,) for number in commit.consumed])
    connection.executemany(
        "INSERT INTO history VALUES (?, ?, ?)",
        [(instance_id, position, text) for position, text in enumerate(commit.texts, commit.position)],
    )
    connection.execute(
        "UPDATE instances SET status = ?, updated = ?, custom_status = ?, output = ? WHERE id = ?",
        (int(commit.status), commit.updated, commit.custom_status, commit.output, instance_id),
    )
    return []


def _write_work(connection: sqlite3.Connection, commit: Commit) -> list[tuple[str, float]]:
    connection.executemany(
        "INSERT INTO work VALUES (?, ?, ?, ?, ?)",
        [(item.instance_id, item.execution_id, item.task_id, item.name, item.input) for item in commit.work],
    )
    connection.executemany(
        "DELETE FROM messages WHERE instance_id = ? AND timer_id = ?",
        [(commit.instance.id, timer) for timer in commit.cancelled_timers],
    )
    return []


def _write_children(connection: sqlite3.Connection, commit: Commit) -> list[tuple[str, float]]:
    woken = []
    for child in commit.children:
        old = find(connection, child.id)
        if old and not old.status.finished and child.parent:
            _insert_message(connection, _refused_child(child, child.parent, old.status))
        else:
            _insert_instance(connection, child)
            woken.append((child.id, 0.0))
    return woken


def _refused_child(child: Instance, parent: Parent, status: Status) -> Message:
    reason = f"An Orchestration instance with the status {STATUS_NAMES[status]} already exists."
    failed = event(Kind.CHILD_FAILED, child.created, TaskScheduledId=parent.task_id, Reason=reason, Details=None)
    return Message(parent.instance_id, failed, parent.execution_id)


def _write_messages(connection: sqlite3.Connection, commit: Commit) -> list[tuple[str, float]]:
    for message in commit.messages:
        if message.instance_id == commit.instance.id or _awaited(connection, message):
            _insert_message(connection, message)
    return [(message.instance_id, message.visible_at) for message in commit.messages]


def _end_generation(connection: sqlite3.Connection, commit: Commit) -> list[tuple[str, float]]:
    instance_id = commit.instance.id
    if commit.next_generation:
        connection.execute("DELETE FROM history WHERE instance_id = ?", (instance_id,))
        _write_instance(connection, commit.next_generation)
        _insert_message(connection, _first_message(commit.next_generation))
    elif commit.status.finished:
        connection.execute("DELETE FROM messages WHERE instance_id = ?", (instance_id,))
    return []


def _awaited(connection: sqlite3.Connection, message: Message) -> bool:
    instance = find(connection, message.instance_id)
    return instance is not None and not instance.status.finished and instance.execution_id == message.execution_id


def _finish_work(connection: sqlite3.Connection, item: WorkItem, result: Message) -> bool:
    deleted = connection.execute(
        "DELETE FROM work WHERE execution_id = ? AND task_id = ?", (item.execution_id, item.task_id)
    ).rowcount
    awaited = deleted == 1 and _awaited(connection, result)
    if awaited:
        _insert_message(connection, result)
    return awaited
