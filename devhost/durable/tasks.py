"""The tree of things a replay waits for."""

from __future__ import annotations

from typing import Protocol


class Parent(Protocol):
    """Is told when something it waits for has an outcome."""

    def child_finished(self, task: Task) -> None:
        """Take note of the outcome."""


class Task:
    """Something with an outcome; failed or not makes no difference to who waits for it."""

    def __init__(self, done: bool = False) -> None:
        self.done = done
        self.parent: Parent | None = None

    def finish(self, failed: bool = False) -> None:  # noqa: ARG002 a result and a failure both end the wait
        """Reach the outcome and tell the parent, once."""
        if self.done:
            return
        self.done = True
        if self.parent:
            self.parent.child_finished(self)


class Group(Task):
    """Waits for all of its children, or for one."""

    def __init__(self, children: list[Task], *, wait_for_all: bool) -> None:
        super().__init__()
        self.children = children
        self.wait_for_all = wait_for_all
        self._missing = sum(not child.done for child in children)
        for child in children:
            child.parent = self
        self.done = self._is_done()

    def child_finished(self, task: Task) -> None:  # noqa: ARG002 the count is enough
        """Count one more."""
        self._missing -= 1
        if self._is_done():
            self.finish()

    def _is_done(self) -> bool:
        return self._missing == 0 or (not self.wait_for_all and self._missing < len(self.children))
