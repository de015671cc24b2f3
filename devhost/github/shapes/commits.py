"""Commits, files, branches, comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from devhost.github.git import Commit, FileChange, Person
from devhost.github.shapes.base import Base, Json
from devhost.github.store import Record

_UNSIGNED = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}


class Commits(Base):
    """Shapes of what git keeps."""

    def commit(self, repository: Record, commit: Commit) -> Json:
        """A commit."""
        return {
            "sha": commit.sha,
            "node_id": f"C_{commit.sha}",
            "url": self.api(repository, f"/commits/{commit.sha}"),
            "html_url": self.page(repository, f"/commit/{commit.sha}"),
            "comments_url": self.api(repository, f"/commits/{commit.sha}/comments"),
            "commit": {
                "author": _signature(commit.author),
                "committer": _signature(commit.committer),
                "message": commit.message,
                "tree": {"sha": commit.tree, "url": self.api(repository, f"/git/trees/{commit.tree}")},
                "url": self.api(repository, f"/git/commits/{commit.sha}"),
                "comment_count": 0,
                "verification": dict(_UNSIGNED),
            },
            "author": self.maybe_user(commit.author.login),
            "committer": self.maybe_user(commit.committer.login),
            "parents": [self._parent(repository, sha) for sha in commit.parents],
        }

    def full_commit(self, repository: Record, commit: Commit, files: Sequence[FileChange]) -> Json:
        """A commit with the files it changes."""
        counts = {name: sum(getattr(file, name) for file in files) for name in ("additions", "deletions")}
        return {
            **self.commit(repository, commit),
            "stats": {**counts, "total": sum(counts.values())},
            "files": [self.file(repository, file, commit.sha) for file in files],
        }

    def _parent(self, repository: Record, sha: str) -> Json:
        url, page = self.api(repository, f"/commits/{sha}"), self.page(repository, f"/commit/{sha}")
        return {"sha": sha, "url": url, "html_url": page}

    def file(self, repository: Record, change: FileChange, ref: str) -> Json:
        """A changed file, as it is at `ref`."""
        path = quote(change.path)
        return {
            "sha": change.blob,
            "filename": change.path,
            "status": change.status,
            "additions": change.additions,
            "deletions": change.deletions,
            "changes": change.additions + change.deletions,
            "blob_url": self.page(repository, f"/blob/{ref}/{path}"),
            "raw_url": self.page(repository, f"/raw/{ref}/{path}"),
            "contents_url": self.api(repository, f"/contents/{path}?ref={ref}"),
        }

    def short_branch(self, repository: Record, name: str, sha: str, protected: bool) -> Json:
        """A branch, as lists and statuses have it."""
        url = self.api(repository, f"/commits/{sha}")
        return {"name": name, "commit": {"sha": sha, "url": url}, "protected": protected}

    def branch(self, repository: Record, name: str, commit: Commit, protection: Record | None) -> Json:
        """One branch in full."""
        api = self.api(repository, f"/branches/{quote(name)}")
        checks = (protection or {}).get("checks", [])
        level = "non_admins" if protection else "off"
        required = {"enforcement_level": level, "contexts": checks, "checks": _checks(checks)}
        return {
            "name": name,
            "commit": self.commit(repository, commit),
            "_links": {"self": api, "html": self.page(repository, f"/tree/{quote(name)}")},
            "protected": protection is not None,
            "protection": {"enabled": protection is not None, "required_status_checks": required},
            "protection_url": f"{api}/protection",
        }

    def rules(self, repository: Record, protection: Record) -> list[Json]:
        """How a branch is protected, as rules."""
        source = {"ruleset_source_type": "Repository", "ruleset_source": repository["repository"]}
        kinds: dict[str, Json] = {}
        if protection["checks"]:
            checks = [{"context": name} for name in protection["checks"]]
            strict = {"strict_required_status_checks_policy": False}
            kinds["required_status_checks"] = {"required_status_checks": checks, **strict}
        if protection["reviews"]:
            count = {"required_approving_review_count": protection["reviews"]}
            kinds["pull_request"] = {**dict.fromkeys(_PULL_RULE, False), **count}
        if protection["queue"]:
            kinds["merge_queue"] = _QUEUE_RULE
        return [{"type": kind, "parameters": about, **source, "ruleset_id": 1} for kind, about in kinds.items()]

    def protection(self, repository: Record, name: str, protection: Record) -> Json:
        """How a branch is protected."""
        url = self.api(repository, f"/branches/{quote(name)}/protection")
        shape: Json = {
            "url": url,
            "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": True},
            **{
                what: {"enabled": False}
                for what in ("required_linear_history", "allow_force_pushes", "allow_deletions")
            },
        }
        if protection["checks"]:
            place, checks = f"{url}/required_status_checks", protection["checks"]
            shape["required_status_checks"] = {
                "url": place,
                "strict": False,
                "contexts": checks,
                "contexts_url": f"{place}/contexts",
                "checks": _checks(checks),
            }
        if protection["reviews"]:
            shape["required_pull_request_reviews"] = {
                "url": f"{url}/required_pull_request_reviews",
                "dismiss_stale_reviews": False,
                "require_code_owner_reviews": False,
                "required_approving_review_count": protection["reviews"],
            }
        return shape


_PULL_RULE = (  # what a rule on pull requests asks for beside reviews
    *("dismiss_stale_reviews_on_push", "require_code_owner_review", "require_last_push_approval"),
    "required_review_thread_resolution",
)

_QUEUE_RULE: Json = {  # as GitHub sets it up by itself
    "merge_method": "MERGE",
    "grouping_strategy": "ALLGREEN",
    "check_response_timeout_minutes": 60,
    "min_entries_to_merge": 1,
    "min_entries_to_merge_wait_minutes": 5,
    "max_entries_to_merge": 5,
    "max_entries_to_build": 5,
}


def _checks(names: list[str]) -> list[Json]:
    return [{"context": name, "app_id": None} for name in names]


def _signature(person: Person) -> Json:
    return {"name": person.name, "email": person.email, "date": utc(person.date)}


def utc(date: str) -> str:
    """An ISO date with any offset, as GitHub writes it."""
    return datetime.fromisoformat(date).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
