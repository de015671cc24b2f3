"""Run a function app on this machine: `python -m devhost start --app DIR`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import NoReturn

from devhost.logs import set_up


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and run; returns the exit status."""
    given = _parser().parse_args(arguments)
    set_up(given.verbose)
    # Imported here so that `--help` and a wrong option answer at once.
    from devhost.durable.errors import HubError  # noqa: PLC0415
    from devhost.environment import StartError  # noqa: PLC0415
    from devhost.host import Options, run  # noqa: PLC0415

    directory = given.app.resolve()
    hub = (given.hub or directory / ".devhost" / "hub.sqlite").resolve()
    try:
        ended = run(Options(directory, given.port, hub, given.host, given.enable_auth, given.sign_in))
    except (StartError, HubError) as error:
        logging.getLogger("devhost").error("%s", error)
        return 1
    except KeyboardInterrupt:
        _leave(130)
    if not ended:
        logging.getLogger("devhost").warning("a function still runs and is cut off")
        _leave(0)
    return 0


def _leave(status: int) -> NoReturn:
    # Python would wait for ever for a thread that does not end. Its work is taken up again after the next start.
    logging.shutdown()
    os._exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devhost", description=__doc__)
    start = parser.add_subparsers(required=True, metavar="start").add_parser("start", help="run a function app")
    start.add_argument("--app", type=Path, default=Path(), metavar="DIR", help="the app's directory (this one)")
    start.add_argument("--port", type=_port, default=7071, help="port to listen on, 0 for any that is free (7071)")
    start.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (127.0.0.1)")
    start.add_argument("--hub", type=Path, metavar="FILE", help="task hub file (DIR/.devhost/hub.sqlite)")
    start.add_argument("--enable-auth", action="store_true", help="ask for keys as Azure does")
    start.add_argument("--sign-in", action="store_true", help="stand in for App Service authentication, on loopback")
    start.add_argument("--verbose", action="store_true", help="log every episode and activity")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{port} is not a port: 0 to 65535")
    return port


if __name__ == "__main__":
    sys.exit(main())
