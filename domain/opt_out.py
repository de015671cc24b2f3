"""When a release may skip its full evaluation."""

from __future__ import annotations

from collections.abc import Sequence

from domain.models import Change, OptOut


def skips_full_evaluation(changes: Sequence[Change], opt_outs: Sequence[OptOut]) -> bool:
    """Say whether every change of a release opted out: one label must not speak for somebody else's change.

    A direct push has no change that could have a label, so it is evaluated.
    """
    return bool(changes) and {change.number for change in changes} <= {opt_out.change for opt_out in opt_outs}
