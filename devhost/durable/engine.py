"""Drives orchestrators and activities of one function app over a task hub."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Collection
from typing import Protocol
from weakref import WeakValueDictionary

from devhost.durable.actions import Response
from devhost.durable.activities import Activities
from devhost.durable.episodes import (
    Episode,
    Generation,
    Names,
    close,
    close_without_orchestrator,
    fail,
    open_episode,
    read_failure,
)
from devhost.durable.failures import orchestrator_failed, warn_if_large
from devhost.durable.history import request
from devhost.durable.hub import Hub
from devhost.durable.records import Commit, Turn
from devhost.durable.settings import DurableSettings
from devhost.invoker import FunctionTimeout

log = logging.getLogger("devhost.durable")

_MOST_CACHED_HISTORY = 32_000_000  # characters, over all instances
_LONGEST_SLEEP = 60.0  # seconds; a clock that was set, or a machine that slept, is noticed after at most this long


class Invoker(Protocol):
    """Runs the app's functions; names are durable names, compared without case."""

    @property
    def orchestrator_names(self) -> Collection[str]:
        """Durable names of the orchestrators as declared."""

    @property
    def activity_names(self) -> Collection[str]:
        """Durable names of the activities as declared."""

    async def orchestrate(self, name: str, request_json: str) -> str:
        """Run one episode; returns the SDK's response, or raises what the function raised."""

    async def act(self, name: str, input_text: str, instance_id: str) -> str | None:
        """Run one activity; returns its result as JSON text, or raises what the function raised."""


class Engine:
    """Runs every instance of an open hub, one episode at a time for each."""

    def __init__(self, hub: Hub, invoker: Invoker, settings: DurableSettings) -> None:
        self.hub = hub
        self.invoker = invoker
        self.settings = settings
        self.names = Names(invoker.orchestrator_names, invoker.activity_names)
        self._activities = Activities(hub, invoker, self.names, settings.max_activities, self.wake)
        self._episodes = asyncio.Semaphore(settings.max_orchestrators)
        self._generations: OrderedDict[str, Generation] = OrderedDict()
        self._cached = 0  # characters
        self._active: dict[str, asyncio.Task[None]] = {}
        self._woken: set[str] = set()
        self._due: list[tuple[float, str]] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._ends: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()
        self._stopping = False

    async def start(self) -> None:
        """Take up all work the hub holds."""
        work, inboxes = await self.hub.unfinished()
        self._activities.start()
        self._activities.add(work)
        for instance_id, visible_at in inboxes:
            self.wake(instance_id, visible_at)

    async def stop(self, grace: float = 3.0) -> None:
        """Let what runs finish for `grace` seconds; what does not is run again after the next start."""
        self._stopping = True
        if self._alarm:
            self._alarm.cancel()
        await self._activities.stop(grace)
        running = set(self._active.values())
        if running:
            await asyncio.wait(running, timeout=grace)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def wake(self, instance_id: str, visible_at: float = 0.0) -> None:
        """Look at an inbox now, or when a message in it can be seen (seconds since 1970)."""
        if visible_at > time.time():
            heapq.heappush(self._due, (visible_at, instance_id))
            self._set_alarm()
        elif instance_id in self._active:
            self._woken.add(instance_id)
        elif not self._stopping:
            self._active[instance_id] = asyncio.create_task(self._run(instance_id))

    async def wait_for_end(self, instance_id: str, seconds: float) -> None:
        """Return when an episode finishes the instance, or after `seconds`."""
        ended = self._ends.setdefault(instance_id, asyncio.Event())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ended.wait()

    def _set_alarm(self) -> None:
        if self._alarm:
            self._alarm.cancel()
        if self._due and not self._stopping:
            delay = min(max(self._due[0][0] - time.time(), 0.001), _LONGEST_SLEEP)
            self._alarm = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        while self._due and self._due[0][0] <= time.time():
            self.wake(heapq.heappop(self._due)[1])
        self._set_alarm()

    async def _run(self, instance_id: str) -> None:
        delay = 1.0
        try:
            while not self._stopping:
                self._woken.discard(instance_id)
                try:
                    await self._drain(instance_id)
                except Exception:
                    log.exception("instance %s: an episode could not be run or saved; trying again", instance_id)
                    self._forget(instance_id)
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, 30.0)
                    continue
                if instance_id not in self._woken:
                    return
        finally:
            del self._active[instance_id]

    async def _drain(self, instance_id: str) -> None:
        known = self._generations.get(instance_id)
        turn = await self.hub.take_turn(instance_id, known.execution_id if known else None)
        while turn and not self._stopping:
            # Others may have pushed this generation out of the cache since; the one at hand is as good.
            generation = known if known and turn.history is None else _loaded(turn)
            episode = open_episode(turn, generation)
            if not episode.consumed:  # all of it waits for the instance to be resumed
                return
            async with self._episodes:
                commit = await self._play(episode)
            turn, known = await self._save(commit, generation), generation

    async def _play(self, episode: Episode) -> Commit:
        if not episode.needs_orchestrator:
            return close_without_orchestrator(episode)
        name = episode.instance.name
        try:
            self.names.check_orchestrator(name)
            response = Response.read(await self.invoker.orchestrate(name, _request(episode)))
        except FunctionTimeout:
            raise  # as on Azure the episode is tried again
        except Exception as error:
            failure = read_failure(error)
            if failure is None:
                log.warning("instance %s: %s failed: %s%s", episode.instance.id, name, error, _hint(error))
                return fail(episode, orchestrator_failed(name, str(error) or repr(error)))
            response = failure
        return close(episode, response, self.names, self.settings.max_actions, self.settings.store_inputs)

    async def _save(self, commit: Commit, generation: Generation) -> Turn | None:
        instance_id = commit.instance.id
        committed = await self.hub.commit(commit)
        if committed.replaced:
            self._forget(instance_id)
            return committed.turn
        self._warn(commit, generation)
        if commit.status.finished or commit.next_generation:
            self._forget(instance_id)
        else:
            self._remember(commit, generation)
        if commit.status.finished and (ended := self._ends.get(instance_id)):
            ended.set()
        self._activities.add(committed.work)
        for woken, visible_at in committed.woken:
            if woken != instance_id or visible_at:
                self.wake(woken, visible_at)
        return committed.turn

    def _remember(self, commit: Commit, generation: Generation) -> None:
        self._forget(commit.instance.id)
        generation.append(commit.texts, commit.events)
        generation.dropped_timers.update(commit.cancelled_timers)
        self._generations[commit.instance.id] = generation
        self._cached += generation.size
        while self._cached > _MOST_CACHED_HISTORY and len(self._generations) > 1:
            oldest = next(iter(self._generations))
            self._forget(oldest)

    def _forget(self, instance_id: str) -> None:
        generation = self._generations.pop(instance_id, None)
        if generation:
            self._cached -= generation.size

    def _warn(self, commit: Commit, generation: Generation) -> None:
        for kind, text in commit.warnings.items():
            if kind not in generation.warned:
                generation.warned.add(kind)
                log.warning("instance %s (%s) %s", commit.instance.id, commit.instance.name, text)
        warn_if_large(f"the output of instance {commit.instance.id}", commit.output)
        for child in commit.children:
            warn_if_large(f"the input of instance {child.id}", child.input)
        for item in commit.work:
            warn_if_large(f"the input of activity {item.name}", item.input)


def _hint(error: Exception) -> str:
    if "completed twice" not in str(error):
        return ""
    return (
        " (the SDK fails here when a task_all inside a task_any has failed and another of its tasks then succeeds; "
        "wait for the tasks one by one, or put them into a sub-orchestration)"
    )


def _loaded(turn: Turn) -> Generation:
    texts = turn.history or []
    generation = Generation(turn.instance.execution_id)
    generation.append(texts, [json.loads(text) for text in texts])
    return generation


def _request(episode: Episode) -> str:
    instance = episode.instance
    opening = [json.dumps(event) for event in episode.opening()]
    parent_id = instance.parent.instance_id if instance.parent else None
    return request(instance.id, parent_id, instance.input, [*episode.generation.texts, *opening])
