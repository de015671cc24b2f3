"""What signals do to a program that has started others."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal asked the program to end.

    Not KeyboardInterrupt: one that passes through `exec` of a text, as the making of every dataclass is, has
    `python -m` die of SIGINT in the end, although it was caught and the program has its own exit status.
    """


@contextlib.contextmanager
def ending_on_signals() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and a closed terminal end a `with` block by raising Stopped."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise Stopped

    before = {number: signal.signal(number, end) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def no_interruption() -> Iterator[None]:
    """Hold signals back while processes are ended: a second Ctrl-C must not leave half of them."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


@contextlib.contextmanager
def later() -> Iterator[None]:
    """Let signals wait until the block is over, so that a process is never started without being recorded.

    Unlike with blocked signals, a child that is started in the block does not inherit anything.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals arrive in the main thread only
        return
    arrived: list[int] = []
    kept = {number: signal.signal(number, lambda which, _: arrived.append(which)) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
    for came in arrived:
        signal.raise_signal(came)
