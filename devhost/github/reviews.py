"""Reviews of pull requests."""

from __future__ import annotations

from devhost.github import people, threads
from devhost.github.double import Double
from devhost.github.refusals import Refused
from devhost.github.store import Record, now

STATES = ("APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED")


def of_pull(double: Double, pull: Record) -> list[Record]:
    """List a pull request's reviews, oldest first."""
    return double.store.all("review", pull["repository"], number=pull["number"])


def give(double: Double, pull: Record, by: str, state: str, body: str) -> Record:
    """Review a pull request; whoever was asked to is no longer asked."""
    if state not in STATES:
        raise Refused(422, f"{state!r} is not one of {', '.join(STATES)}")
    if by == pull["author"] and state != "COMMENTED":
        raise Refused(422, "Review Can not approve or request changes on your own pull request")
    threads.touch(double, pull, reviewers=[login for login in pull["reviewers"] if login != by])
    said = {"number": pull["number"], "author": by, "state": state, "body": body, "sha": pull["head_sha"]}
    return double.store.add("review", pull["repository"], **said, submitted_at=now())


def missing(double: Double, repository: Record, pull: Record, needed: int) -> str:
    """Say which review still keeps a pull request from being merged; empty when none does."""
    newest = {one["author"]: one["state"] for one in of_pull(double, pull) if one["state"] != "COMMENTED"}
    weighty = [
        state for login, state in newest.items() if people.at_least(people.role(double, repository, login), "write")
    ]
    if needed and "CHANGES_REQUESTED" in weighty:
        return "Changes have been requested."
    if weighty.count("APPROVED") < needed:
        return f"At least {needed} approving review is required by reviewers with write access."
    return ""
