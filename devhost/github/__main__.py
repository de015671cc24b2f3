"""Run the double: `python -m devhost.github --root DIR --port N --webhook URL --secret S`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from devhost.github.rest import Access
from devhost.github.server import Options, serving


def main() -> int:
    """Serve until SIGINT or SIGTERM."""
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    try:
        asyncio.run(_run(_options()))
    except OSError as error:
        print(f"The GitHub double cannot start: {error}", file=sys.stderr)
        return 1
    return 0


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="python -m devhost.github", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="where repositories and state are kept")
    parser.add_argument("--port", type=int, default=8070, help="0 takes a free one")
    parser.add_argument("--webhook", default="", help="URL that webhooks go to")
    parser.add_argument("--secret", default="", help="what webhooks are signed with")
    parser.add_argument("--token", default="", help="the only token the API takes; without it any")
    parser.add_argument("--app-id", default="", help="a GitHub App that may sign in")
    parser.add_argument("--app-public-key", type=Path, help="PEM file with the App's public key")
    parser.add_argument("--check", action="store_true", help="hold everything to what GitHub publishes")
    given = parser.parse_args()
    key = given.app_public_key.read_text(encoding="utf-8") if given.app_public_key else ""
    access = Access(token=given.token, app_id=given.app_id, app_public_key=key)
    return Options(given.root, given.port, given.webhook, given.secret, access, given.check)


async def _run(options: Options) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with serving(options) as origin:
        print(f"GitHub double ready on {origin}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
