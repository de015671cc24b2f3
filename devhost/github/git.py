"""Bare git repositories, worked through the git command line."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ZEROS = "0" * 40
DOMAIN = "users.noreply.example"  # a login's commit address, as GitHub gives people theirs
_STATES = {"A": "added", "M": "modified", "D": "removed"}
_FIELDS = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"


class GitError(Exception):
    """git refused; the message is what it said."""


class MergeConflict(GitError):
    """The branches cannot be merged without a person."""


@dataclass(frozen=True)
class Person:
    """Who git says did something, and when (ISO 8601 with an offset)."""

    name: str
    email: str
    date: str

    @property
    def login(self) -> str | None:
        """The GitHub login behind the address, or None when the address is nobody's."""
        local, _, domain = self.email.rpartition("@")
        return local if domain == DOMAIN and local else None


@dataclass(frozen=True)
class Commit:
    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


@dataclass(frozen=True)
class FileChange:
    path: str
    status: str  # added | modified | removed
    additions: int
    deletions: int
    blob: str  # of what is there afterwards; of a removed file, what was there


@dataclass(frozen=True)
class Entry:
    """A line of a tree."""

    path: str
    mode: str
    kind: str  # blob | tree | commit (a submodule)
    sha: str
    size: int  # bytes; 0 for what is no file


def valid_branch(name: str) -> bool:
    """Say whether git would take the name for a branch."""
    return not name.startswith("-") and _run(["git", "check-ref-format", f"refs/heads/{name}"]).returncode == 0


class Git:
    """One bare repository. Raises GitError with what git said."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self, default_branch: str) -> None:
        """Make the repository, empty."""
        self.path.mkdir(parents=True)
        self._git("init", "--quiet", "--bare", f"--initial-branch={default_branch}")

    def heads(self) -> dict[str, str]:
        """Give every branch with its commit."""
        lines = self._git("for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/").splitlines()
        return {ref.removeprefix("refs/heads/"): sha for sha, ref in (line.split(" ", 1) for line in lines)}

    def resolve(self, ref: str) -> str | None:
        """Find the commit that a branch, tag (also with `heads/` or `tags/` before it) or (shortened) sha names."""
        candidates = [f"refs/heads/{ref}", f"refs/tags/{ref}"]
        if ref.startswith(("heads/", "tags/")):
            candidates.append(f"refs/{ref}")
        if re.fullmatch(r"[0-9a-f]{4,40}", ref):
            candidates.insert(0, ref)
        for candidate in candidates:
            found = self._try("rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}")
            if found.returncode == 0:
                return found.stdout.decode().strip()
        return None

    def commits(self, *revisions: str, limit: int | None = None) -> list[Commit]:
        """List commits, newest first, of revisions such as `a..b`."""
        bound = [f"--max-count={limit}"] if limit is not None else []
        text = self._git("log", "-z", "--topo-order", f"--format={_FIELDS}", *bound, *revisions, "--")
        fields = text.split("\0")
        return [_commit(fields[start : start + 10]) for start in range(0, len(fields) - 9, 10)]

    def commit(self, sha: str) -> Commit:
        """Read one commit."""
        return self.commits(sha, limit=1)[0]

    def merge_base(self, one: str, other: str) -> str | None:
        """Find the commit both histories share, None when they share nothing."""
        found = self._try("merge-base", one, other)
        return found.stdout.decode().strip() or None

    def is_ancestor(self, old: str, new: str) -> bool:
        """Say whether `new` contains `old`."""
        return self._try("merge-base", "--is-ancestor", old, new).returncode == 0

    def changed_files(self, base: str, head: str) -> list[FileChange]:
        """List what differs between two commits, renames as a removal and an addition."""
        counts = self._git("diff", "--no-renames", "--numstat", "-z", base, head).split("\0")
        raw = self._git("diff", "--no-renames", "--raw", "--abbrev=40", "-z", base, head).split("\0")
        by_path = dict(zip(raw[1::2], raw[::2], strict=False))
        return [_file_change(line, by_path) for line in counts if line]

    def paths_of(self, shas: Iterable[str]) -> dict[str, dict[str, list[str]]]:
        """Give the paths each commit added, modified and removed; none for merges."""
        lines = "".join(f"{sha}\n" for sha in dict.fromkeys(shas))
        words = self._git("diff-tree", "--stdin", "--root", "-r", "-z", "--no-renames", "--name-status", text=lines)
        found: dict[str, dict[str, list[str]]] = {sha: {name: [] for name in _STATES.values()} for sha in lines.split()}
        current, rest = "", iter(words.split("\0"))
        for word in rest:
            if word in found:
                current = word
            elif word:
                found[current][_STATES.get(word, "modified")].append(next(rest))
        return found

    def merges_cleanly(self, base: str, head: str) -> bool:
        """Say whether git would merge `head` into `base` without a person."""
        tried = self._try("merge-tree", "--write-tree", base, head)
        if tried.returncode in (0, 1):
            return tried.returncode == 0
        try:  # a git before 2.38 has no merge-tree that writes trees
            self.merge(base, head, "merge", "Try", "ghost")
        except MergeConflict:
            return False
        return True

    def fetch(self, other: Git, sha: str, ref: str) -> None:
        """Take a commit from another repository, or keep our own, under a reference."""
        if other.path != self.path:
            self._git("fetch", "--quiet", "--no-tags", str(other.path), f"+{sha}:{ref}")
        else:
            self._git("update-ref", ref, sha)

    def clone_to(self, other: Git, branches: Iterable[str]) -> None:
        """Make `other` a repository of its own with these branches."""
        other.path.parent.mkdir(parents=True, exist_ok=True)
        self._git("clone", "--quiet", "--bare", "--no-hardlinks", str(self.path), str(other.path))
        for branch in other.heads().keys() - set(branches):
            other.remove_branch(branch)

    def archive(self, sha: str, prefix: str) -> bytes:
        """Pack the files at a commit as .tar.gz below one folder, as GitHub's tarballs are."""
        return self._checked("archive", "--format=tar.gz", f"--prefix={prefix}/", sha).stdout

    def tree_sha(self, ref: str) -> str | None:
        """Find the tree that a tree's, commit's or branch's name stands for."""
        found = self._try("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{tree}}")
        return found.stdout.decode().strip() if found.returncode == 0 else None

    def tree(self, sha: str, recursive: bool) -> list[Entry]:
        """List what a tree holds; recursively with directories and what is below them."""
        deep = ["-r", "-t"] if recursive else []
        lines = self._git("ls-tree", "-z", "--long", *deep, sha).split("\0")
        return [_entry(line) for line in lines if line]

    def entry(self, commit: str, path: str) -> Entry | None:
        """Find what a path is at a commit; the empty path is the whole tree."""
        if not path:
            tree = self.tree_sha(commit)
            return Entry("", "040000", "tree", tree, 0) if tree else None
        lines = self._git("--literal-pathspecs", "ls-tree", "-z", "--long", commit, "--", path).split("\0")
        return next((entry for entry in map(_entry, filter(None, lines)) if entry.path == path), None)

    def blob(self, sha: str) -> bytes:
        """Read a file's content."""
        return self._checked("cat-file", "blob", sha).stdout

    def import_files(self, directory: Path, message: str, author: str) -> str:
        """Make a first commit of a directory's files; `.gitignore` in it counts."""
        with tempfile.TemporaryDirectory() as index:
            env = {**_identity(author), "GIT_INDEX_FILE": f"{index}/index"}
            self._git("--work-tree", str(directory), "add", "--all", ".", cwd=directory, env=env)
            tree = self._git("write-tree", env=env).strip()
            return self._git("commit-tree", tree, "-F", "-", env=env, text=message).strip()

    def commit_files(self, parent: str | None, files: Mapping[str, str | None], message: str, author: str) -> str:
        """Make a commit that writes the files (None deletes one) on top of `parent`, on no branch yet."""
        with tempfile.TemporaryDirectory() as index:
            env = {**_identity(author), "GIT_INDEX_FILE": f"{index}/index"}
            if parent:
                self._git("read-tree", parent, env=env)
            entries = "".join(self._index_line(path, content) for path, content in files.items())
            self._git("update-index", "-z", "--index-info", env=env, text=entries)
            tree = self._git("write-tree", env=env).strip()
            parents = ["-p", parent] if parent else []
            return self._git("commit-tree", tree, *parents, "-F", "-", env=env, text=message).strip()

    def merge(self, base: str, head: str, method: str, message: str, author: str) -> str:
        """Merge commit `head` into commit `base` and give the new commit, on no branch yet.

        `method` is merge, squash or rebase. Raises MergeConflict when a person is needed.
        """
        with self._checkout(head if method == "rebase" else base) as work:
            env = _identity(author)
            try:
                if method == "rebase":
                    # --force-rebase: GitHub writes new commits even where a fast-forward would do.
                    self._git("rebase", "--quiet", "--force-rebase", base, cwd=work, env=env)
                elif method == "squash":
                    self._git("merge", "--quiet", "--squash", head, cwd=work, env=env)
                    self._git("commit", "--quiet", "--allow-empty", "-F", "-", cwd=work, env=env, text=message)
                else:
                    self._git("merge", "--quiet", "--no-ff", "-m", message.replace("\0", ""), head, cwd=work, env=env)
            except GitError as error:
                if "CONFLICT" not in str(error):
                    raise
                raise MergeConflict(str(error)) from error
            return self._git("rev-parse", "HEAD", cwd=work).strip()

    def move(self, branch: str, new: str, old: str | None = None) -> None:
        """Point a branch at a commit; with `old`, only when it is still there (zeros: not there yet)."""
        self._git("update-ref", f"refs/heads/{branch}", new, *([old] if old else []))

    def remove_branch(self, branch: str) -> None:
        """Delete a branch."""
        self._git("update-ref", "-d", f"refs/heads/{branch}")

    @contextmanager
    def _checkout(self, sha: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="merge-") as parent:
            work = Path(parent) / "work"
            self._git("worktree", "add", "--quiet", "--detach", str(work), sha)
            try:
                yield work
            finally:
                self._git("worktree", "remove", "--force", str(work))

    def _index_line(self, path: str, content: str | None) -> str:
        if {"", ".", "..", ".git"} & set(path.split("/")):
            raise GitError(f"{path!r} is not a path inside the repository")
        if content is None:
            return f"0 {ZEROS}\t{path}\0"
        blob = self._git("hash-object", "-w", "--stdin", text=content).strip()
        return f"100644 {blob}\t{path}\0"

    def _git(self, *args: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, text: str = "") -> str:
        return self._checked(*args, cwd=cwd, env=env, text=text).stdout.decode(errors="replace")

    def _checked(
        self, *args: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, text: str = ""
    ) -> subprocess.CompletedProcess[bytes]:
        done = self._try(*args, cwd=cwd, env=env, text=text)
        if done.returncode != 0:
            said = (done.stderr + done.stdout).decode(errors="replace").strip()
            raise GitError(f"git {args[0]}: {said}")
        return done

    def _try(
        self, *args: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, text: str = ""
    ) -> subprocess.CompletedProcess[bytes]:
        in_worktree = cwd is not None and (cwd / ".git").is_file()
        where = [] if in_worktree else [f"--git-dir={self.path}"]
        return _run(["git", *where, *args], cwd=cwd or self.path, env=env, text=text)


def _run(
    command: list[str], cwd: Path | None = None, env: Mapping[str, str] | None = None, text: str = ""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        cwd=cwd,
        env={**_clean_environment(), **(env or {})},
        input=text.encode("utf-8", "surrogateescape"),
        capture_output=True,
        check=False,
        timeout=120,
    )


def _clean_environment() -> dict[str, str]:
    # GIT_DIR and friends are set inside hooks, and a person's own configuration (signing, hooks) must not reach in.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}


def _identity(login: str) -> dict[str, str]:
    # git drops these characters anywhere in a name and refuses a name that is then empty.
    name = re.sub(r"[\x00-\x1f<>]", "", login).strip(" .,:;\"'\\") or "ghost"
    email = f"{re.sub(r'[^A-Za-z0-9-]', '-', name)}@{DOMAIN}"
    return {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
    }


def _commit(fields: list[str]) -> Commit:
    sha, tree, parents, author_name, author_email, author_date, *committer, message = fields
    return Commit(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author=Person(author_name, author_email, author_date),
        committer=Person(*committer),
        message=message.removesuffix("\n"),
    )


def _file_change(line: str, raw: Mapping[str, str]) -> FileChange:
    added, deleted, path = line.split("\t", 2)
    _, _, before, after, state = raw[path].split()
    # git prints "-" for the counts of binary files.
    more, less = (int(count) if count != "-" else 0 for count in (added, deleted))
    return FileChange(path, _STATES.get(state, "modified"), more, less, before if state == "D" else after)


def _entry(line: str) -> Entry:
    about, _, path = line.partition("\t")
    mode, kind, sha, size = about.split()
    return Entry(path, mode, kind, sha, int(size) if size != "-" else 0)
