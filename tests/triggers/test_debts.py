"""Who owes which evaluation, and who opts out how often."""

from __future__ import annotations

import asyncio
import json

from adapters import debts as kept
from domain.models import Debt, DebtState, OptOut
from tests import samples
from tests.triggers.edge import Answer, Edge, plain_function, request
from triggers import debts


def owe(edge: Edge, number: int, by: str, state: DebtState) -> None:
    """Store a debt."""
    opt_out = OptOut("skip-e2e-evaluation", number, by, "2026-11-20T09:00:00Z", "only a typo")
    at = f"2026-11-2{number}T09:00:00Z"
    debt = Debt(
        samples.REPOSITORY,
        f"release-{number}",
        f"{number:040}",
        (opt_out,),
        "the full evaluation",
        at,
        "2026-11-30",
        state,
    )
    kept.record(edge.blobs, debt)


def visit(edge: Edge, who: str | None = "maria", accept: str = "text/html") -> Answer:
    """Open the page."""
    asked = request("/api/debts", who=who, headers={"accept": accept})
    return Answer(asyncio.run(plain_function(debts.debts)(asked)))


def test_page_shows_open_and_settled_debts_and_who_opts_out(edge: Edge) -> None:
    """Open ones first."""
    owe(edge, 1, "sam", DebtState.PAID)
    owe(edge, 2, "sam", DebtState.OPEN)
    owe(edge, 3, "alex", DebtState.WAIVED)

    answer = visit(edge)

    assert "00000000" in answer.text("section[aria-labelledby=open]")
    assert "@sam put skip-e2e-evaluation on #2" in answer.text("section[aria-labelledby=open]")
    assert answer.text("section[aria-labelledby=settled] tbody .chip") == "waived paid"
    assert [answer.text(f"section[aria-labelledby={one}] th:last-child") for one in ("open", "settled")] == [
        "Due",
        "Settled",
    ]
    assert answer.text("section[aria-labelledby=people] tbody") == "@sam 2 1 0 0 1 @alex 1 0 1 0 0"


def test_scripts_get_the_same_as_json(edge: Edge) -> None:
    """When they ask for it."""
    owe(edge, 1, "sam", DebtState.FAILED)

    answer = json.loads(visit(edge, accept="application/json").html)

    assert [(debt["release"], debt["state"]) for debt in answer["debts"]] == [("release-1", "failed")]
    assert answer["people"] == [{"login": "sam", "times": 1, "paid": 0, "waived": 0, "failed": 1, "open": 0}]


def test_nobody_owes_anything_at_first(edge: Edge) -> None:
    """The page stands all the same, for people who are signed in."""
    assert "Nobody owes an evaluation." in visit(edge).text()
    assert visit(edge, None).status == 401
    assert visit(edge, None, accept="application/json").status == 401
