"""Traces of who was refused what: one for each reason, however often somebody tries again."""

from __future__ import annotations

import hashlib

from adapters import audit
from adapters.blobs import Blobs
from domain.errors import DrawbridgeError, Unavailable


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
