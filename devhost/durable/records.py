"""What the engine and the hub hand to each other."""

from __future__ import annotations

from dataclasses import dataclass, field

from devhost.durable.history import Event, Status


@dataclass(frozen=True)
class Parent:
    """Who waits for a sub-orchestration."""

    instance_id: str
    execution_id: str
    task_id: int


@dataclass(frozen=True)
class Instance:
    """One orchestration as the hub knows it; payloads are stored text."""

    id: str
    name: str
    execution_id: str
    input: str | None
    version: str | None
    created: str
    updated: str
    status: Status = Status.PENDING
    parent: Parent | None = None
    output: str | None = None
    custom_status: str | None = None


@dataclass(frozen=True)
class WorkItem:
    """An activity to run; it stays in the hub until its result is committed."""

    instance_id: str
    execution_id: str
    task_id: int
    name: str
    input: str


@dataclass(frozen=True)
class Message:
    """An event on its way to an instance; without an execution id it addresses any generation."""

    instance_id: str
    event: Event
    execution_id: str | None = None
    visible_at: float = 0.0  # seconds since 1970; timers lie in the future
    timer_id: int | None = None
    rank: int = 2  # 0 begins a generation, 1 was carried over by continue-as-new


@dataclass(frozen=True)
class Turn:
    """What an instance has to work on."""

    instance: Instance
    messages: list[tuple[int, Event]]  # with their ids in the hub
    history: list[str] | None  # None when the caller has this generation's history already


@dataclass
class Commit:
    """Everything one episode changes; it is written in one transaction."""

    instance: Instance  # as it was when the turn was taken
    status: Status
    updated: str
    consumed: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # the same events as they are stored
    position: int = 0  # where in the history the events go
    custom_status: str | None = None
    output: str | None = None
    work: list[WorkItem] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    cancelled_timers: list[int] = field(default_factory=list)
    children: list[Instance] = field(default_factory=list)
    next_generation: Instance | None = None
    warnings: dict[str, str] = field(default_factory=dict)  # by kind; each is said once for a generation


@dataclass
class Committed:
    """What became of a commit."""

    turn: Turn | None  # what the same instance can go on with at once
    work: list[WorkItem]
    woken: list[tuple[str, float]]  # instances with a new message, and when it can be seen
    replaced: bool = False  # another instance took the id meanwhile, so nothing was written
