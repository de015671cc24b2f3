"""A wall round a stranger's code: Linux's Landlock, which a process puts round itself and all it will ever start.

Without it a sealed job is one more process of the same user: it reads the secrets of the function host, and of jobs
that have some, out of /proc, or changes a file that one of those runs next. Behind the wall no process outside can be
looked into, whoever the user is; files are written only in the job's own directory, and read only there and where
programs live. The network stays open: what may be reached is for the network around this machine to say.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from pathlib import Path

from domain.errors import Invalid

_ROOT = Path(__file__).resolve().parents[1]
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # system calls, the same on every 64-bit Linux
_ASK_VERSION, _PATH_BENEATH, _NO_NEW_PRIVILEGES = 1, 1, 38
_CAPABILITIES = 0x20080522  # version 3 of their layout

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE  # what a rule on a single file may grant
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1}  # that a version of Landlock knows; newer ones: those of version 3
_ALL_RIGHTS = (1 << 15) - 1
_NO_SIGNALS, NO_SIGNALS_SINCE = 1 << 1, 6  # to processes outside; the version that knows how

_PROGRAMS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/usr", "/opt", "/etc", "/proc", "/sys")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/shm")  # noqa: S108


def put_up(directory: Path) -> None:
    """Shut this process, and all it starts from now on, into a job's directory; there is no way back.

    Raises Invalid where the system cannot do that: then a stranger's code must not run here.
    """
    temporary = directory / "home" / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = str(temporary)
    try:
        _restrict(directory)
    except OSError as error:
        raise Invalid(
            "This machine cannot wall a stranger's code off from its secrets (Landlock, Linux 5.13 or newer: "
            f"{error.strerror}), so the fork's code was not run. Read the change, then push its branch to the "
            "repository itself: there it is validated like any other."
        ) from error


def version() -> int:
    """Return which version of Landlock this system has, from 1. Raises OSError where it has none."""
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "this is no Linux")
    return _call(_CREATE_RULESET, None, 0, _ASK_VERSION)


def _restrict(directory: Path) -> None:
    known = version()
    rights = _RIGHTS.get(known, _ALL_RIGHTS)
    attributes = struct.pack("QQQ", rights, 0, _NO_SIGNALS) if known >= NO_SIGNALS_SINCE else struct.pack("Q", rights)
    rules = _call(_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for path, granted in _grants(directory, rights):
            _grant(rules, path, granted)
        _drop_privileges()
        _call(_RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)


def _grants(directory: Path, rights: int) -> list[tuple[Path, int]]:
    """Return what may be done beneath which paths. Of our own code only what a job runs; beside it may lie secrets."""
    installed = {Path(path).resolve() for path in (*sys.path, sys.prefix, sys.base_prefix) if path} - {_ROOT}
    readable = {*map(Path, _PROGRAMS), *installed, _ROOT / "evaluation", _ROOT / "domain"}
    return [
        (directory, rights),
        (_ROOT, _READ_DIR),
        *((Path(path), rights) for path in _DEVICES),
        *((path, _READ) for path in readable),
    ]


def _grant(rules: int, path: Path, granted: int) -> None:
    if not path.exists():
        return
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        allowed = granted if path.is_dir() else granted & _OF_FILES
        _call(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", allowed, opened), 0)
    finally:
        os.close(opened)


def _drop_privileges() -> None:
    # Root's CAP_PERFMON reads the memory of any process past Landlock (Linux 6.15), and so its environment.
    libc = ctypes.CDLL(None, use_errno=True)
    nothing = struct.pack("6I", 0, 0, 0, 0, 0, 0)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.capset(struct.pack("Ii", _CAPABILITIES, 0), nothing):
        raise _last_error()


def _call(number: int, *arguments: int | bytes | None) -> int:
    result: int = ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
    if result < 0:
        raise _last_error()
    return result


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
