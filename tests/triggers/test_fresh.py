"""Pages that several people look at at once are made once, and never shown to anybody else or after a change."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.triggers.edge import Edge
from triggers import voting
from triggers.fresh import KEPT, Fresh


class Kitchen:
    """Makes answers and counts them."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.made = 0
        self.trouble = trouble

    async def make(self) -> int:
        self.made += 1
        mine = self.made
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble
        return mine


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that a test moves."""
    now = [100.0]
    monkeypatch.setattr("triggers.fresh.time.monotonic", lambda: now[0])
    return now


def test_those_who_ask_at_once_share_one_answer(clock: list[float]) -> None:
    """And those who ask within the second; then it is made anew."""
    kitchen, pages = Kitchen(), Fresh[int](1.0)

    async def ask() -> list[int]:
        first = await asyncio.gather(*(pages.get("list", kitchen.make) for _ in range(5)))
        clock[0] += 0.9
        soon = await pages.get("list", kitchen.make)
        clock[0] += 0.2
        return [*first, soon, await pages.get("list", kitchen.make)]

    assert asyncio.run(ask()) == [1, 1, 1, 1, 1, 1, 2]


def test_what_is_kept_for_one_is_not_given_to_another() -> None:
    """The key says who may see it."""
    kitchen, pages = Kitchen(), Fresh[int](60.0)

    async def ask() -> list[int]:
        return [await pages.get(who, kitchen.make) for who in ("maria", "jonas", "maria")]

    assert asyncio.run(ask()) == [1, 2, 1]


def test_failure_is_told_to_all_who_wait_and_not_kept() -> None:
    """The next one tries again."""
    kitchen, pages = Kitchen(ConnectionError("away")), Fresh[int](60.0)

    async def ask() -> list[Any]:
        failed = await asyncio.gather(*(pages.get("list", kitchen.make) for _ in range(3)), return_exceptions=True)
        kitchen.trouble = None
        return [*(str(one) for one in failed), await pages.get("list", kitchen.make)]

    assert asyncio.run(ask()) == ["away", "away", "away", 2]


def test_change_makes_everything_anew_also_what_is_being_made() -> None:
    """What was read before the change must not be shown after it."""
    kitchen, pages = Kitchen(), Fresh[int](60.0)

    async def ask() -> list[int]:
        before = asyncio.ensure_future(pages.get("list", kitchen.make))
        await asyncio.sleep(0)
        pages.forget()
        return [await before, await pages.get("list", kitchen.make), await pages.get("list", kitchen.make)]

    assert asyncio.run(ask()) == [1, 2, 2]


def test_only_so_much_is_kept() -> None:
    """The oldest goes first."""
    kitchen, pages = Kitchen(), Fresh[int](60.0)

    async def ask() -> int:
        for key in range(KEPT + 1):
            await pages.get(key, kitchen.make)
        await pages.get(KEPT, kitchen.make)
        return await pages.get(0, kitchen.make)

    assert asyncio.run(ask()) == KEPT + 2


def test_kept_approval_page_is_for_its_reader_and_ends_with_a_vote(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others with the same link are refused as ever; who has voted sees it."""
    monkeypatch.setattr(voting.shown, "seconds", 3600.0)
    asked = edge.open()
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria")

    assert edge.look(token, "jonas").status == 403
    assert edge.look(token, None).status == 401
    edge.send(token, "maria", form)
    assert "your vote is recorded" in edge.look(token, "maria").text()
