"""Traces of who was refused what: one for each reason, however often somebody tries again."""

from __future__ import annotations

import hashlib

from adapters import audit
from adapters.blobs import Blobs
from domain.errors import DrawbridgeError, Unavailable
from triggers.identity import ForeignForm, Person


def keep_refusal(
    blobs: Blobs, error: DrawbridgeError, *, place: str, who: str, subject: str, of: str, evidence: str = ""
) -> None:
    """Record that somebody was refused; `place` is what it was about. That something was away is no refusal."""
    if isinstance(error, Unavailable):
        return
    reason = str(error)
    reasons = hashlib.sha256(reason.encode("utf-8", "replace")).hexdigest()[:16]
    audit.record(
        blobs,
        key=f"{place}:{who.casefold()}:refused:{reasons}",
        what="refusal",
        who=who,
        subject=subject,
        evidence=evidence,
        details={"of": of, "about": place, "reason": reason},
    )


def keep_foreign_form(blobs: Blobs, error: DrawbridgeError, *, who: Person | None, of: str) -> None:
    """Record that a form from elsewhere came in somebody's name, if that is what was refused.

    Nothing of what it asked for: whoever made it may send many in the name of one person. Nothing without a name.
    """
    if who and isinstance(error, ForeignForm):
        keep_refusal(blobs, error, place=f"form:{of}", who=who.name, subject=who.name, of=of)
