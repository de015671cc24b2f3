"""The post-receive hook: a plain `git push` tells the double to look at the repository again."""

from __future__ import annotations

import shlex
import sys
import urllib.error
import urllib.request
from pathlib import Path


def install(git_dir: Path, root: Path, full_name: str) -> None:
    """Make the repository's post-receive hook run this file."""
    command = shlex.join([sys.executable, "-I", __file__, str(root), full_name])
    script = git_dir / "hooks" / "post-receive"
    script.parent.mkdir(exist_ok=True)
    script.write_text(f"#!/bin/sh\nexec {command}\n", encoding="utf-8")
    script.chmod(0o755)


def main(root: str, full_name: str) -> None:
    """Tell the double, wherever it listens now. A push never fails for a double that is not there."""
    try:
        address = (Path(root) / "address").read_text(encoding="utf-8")
        request = urllib.request.Request(f"{address}/_double/repositories/{full_name}/notice", method="POST")  # noqa: S310 - our own address
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy does not know our loopback
        direct.open(request, timeout=30).close()
    except (OSError, urllib.error.URLError):
        print("The GitHub double is not running: it will notice this push when it starts.")


if __name__ == "__main__":
    main(*sys.argv[1:3])
