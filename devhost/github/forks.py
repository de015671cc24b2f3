"""Forks: copies of a repository that belong to somebody else."""

from __future__ import annotations

from devhost.github.double import Double
from devhost.github.store import Record


def fork(double: Double, repository: Record, owner: str) -> Record:
    """Make `owner`'s fork with all branches; it sends no webhooks to the repository's hook."""
    name = f"{owner}/{repository['repository'].split('/')[1]}"
    place = double.free(name)
    source = double.git(repository)
    source.clone_to(place, source.heads())
    return double.register(name, default_branch=repository["default_branch"], parent=repository["id"])
