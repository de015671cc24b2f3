"""Files, trees and references."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from devhost.github.git import Commit, Entry
from devhost.github.shapes.base import Json
from devhost.github.shapes.commits import Commits
from devhost.github.store import Record


class Contents(Commits):
    """Shapes of what is in a repository."""

    def entry(self, repository: Record, entry: Entry, path: str, ref: str) -> Json:
        """A file or directory, without what is in it."""
        url = self.api(repository, f"/contents/{quote(path)}?ref={quote(ref)}")
        kind = "trees" if entry.kind == "tree" else "blobs"
        git = self.api(repository, f"/git/{kind}/{entry.sha}")
        page = self.page(repository, f"/blob/{quote(ref)}/{quote(path)}")
        return {
            "type": "dir" if entry.kind == "tree" else "file",
            "size": entry.size,
            "name": path.rpartition("/")[2],
            "path": path,
            "sha": entry.sha,
            "url": url,
            "git_url": git,
            "html_url": page,
            "download_url": None if entry.kind == "tree" else self.page(repository, f"/raw/{quote(ref)}/{quote(path)}"),
            "_links": {"self": url, "git": git, "html": page},
        }

    def tree(self, repository: Record, sha: str, entries: Sequence[Entry]) -> Json:
        """A tree."""
        listed = [self._in_tree(repository, entry) for entry in entries]
        return {"sha": sha, "url": self.api(repository, f"/git/trees/{sha}"), "tree": listed, "truncated": False}

    def _in_tree(self, repository: Record, entry: Entry) -> Json:
        url = self.api(repository, f"/git/{entry.kind}s/{entry.sha}")
        shape = {"path": entry.path, "mode": entry.mode, "type": entry.kind, "sha": entry.sha, "url": url}
        return shape if entry.kind == "tree" else {**shape, "size": entry.size}

    def reference(self, repository: Record, branch: str, sha: str) -> Json:
        """Where a branch is."""
        target = {"type": "commit", "sha": sha, "url": self.api(repository, f"/git/commits/{sha}")}
        return {
            "ref": f"refs/heads/{branch}",
            "node_id": f"REF_{branch}",
            "url": self.api(repository, f"/git/refs/heads/{quote(branch)}"),
            "object": target,
        }

    def git_commit(self, repository: Record, commit: Commit) -> Json:
        """A commit, as git alone knows it."""
        shape = self.commit(repository, commit)
        kept = {name: shape["commit"][name] for name in ("author", "committer", "message", "tree", "verification")}
        url = self.api(repository, f"/git/commits/{commit.sha}")
        names = {name: shape[name] for name in ("sha", "node_id", "html_url", "parents")}
        return {**names, **kept, "url": url}
