"""What a release knows about the world around it, and when that is news."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.models import Debt, DebtState, OptOut, ReleaseRecord
from domain.wire import read


@dataclass(frozen=True)
class Known:
    """What the evidence in front of the approvers says; `opted_out` are the numbers of the changes."""

    debt: DebtState | None
    opted_out: tuple[int, ...]


@dataclass(frozen=True)
class Around:
    """What `look_around` saw."""

    superseded_by: str
    debt: Debt | None
    opt_outs: tuple[OptOut, ...]  # honoured now


def known_by(record: ReleaseRecord) -> Known:
    """Return what a release's record says."""
    state = _settled(record.debt.state) if record.debt else None
    return Known(state, tuple(sorted(one.change for one in record.opt_outs)))


def read_around(seen: Mapping[str, Any]) -> Around:
    """Take what `look_around` answered from the wire."""
    return read(Around, {name: seen[name] for name in ("superseded_by", "debt", "opt_outs")})


def is_news(known: Known, seen: Mapping[str, Any]) -> bool:
    """Say whether a release must look again before anybody decides anything."""
    around = read_around(seen)
    settled = around.debt is not None and _settled(around.debt.state) is not known.debt
    return bool(around.superseded_by) or settled or bool(withdrawn(known, around))


def withdrawn(known: Known, around: Around) -> tuple[int, ...]:
    """Return the changes whose opt-out the release relies on and that have none any more, while debt is unsettled."""
    if known.debt is not DebtState.OPEN:
        return ()
    still = {one.change for one in around.opt_outs}
    # A payment that runs already needs no second one; a debt that was settled meanwhile has to be taken in instead.
    owed = around.debt is not None and around.debt.state is DebtState.OPEN
    return tuple(number for number in known.opted_out if number not in still) if owed else ()


def _settled(state: DebtState) -> DebtState:
    """Return a debt's state as evidence has it: somebody who pays it right now has not changed anything yet."""
    return DebtState.OPEN if state is DebtState.PAYING else state
