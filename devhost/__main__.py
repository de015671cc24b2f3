"""Run a function app on this machine: `python -m devhost start --app DIR`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

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
        return 130
    if not ended:
        # Python would wait for such a thread for ever. Its work is taken up again after the next start.
        logging.getLogger("devhost").warning("a function still runs and is cut off")
        logging.shutdown()
        os._exit(0)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devhost", description=__doc__)
    start = parser.add_subparsers(required=True, metavar="start").add_parser("start", help="run a function app")
    start.add_argument("--app", type=Path, default=Path(), metavar="DIR", help="the app's directory (this one)")
    start.add_argument("--port", type=int, default=7071, help="port to listen on, 0 for any that is free (7071)")
    start.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (127.0.0.1)")
    start.add_argument("--hub", type=Path, metavar="FILE", help="task hub file (DIR/.devhost/hub.sqlite)")
    start.add_argument("--enable-auth", action="store_true", help="ask for keys as Azure does")
    start.add_argument("--sign-in", action="store_true", help="stand in for App Service authentication, on loopback")
    start.add_argument("--verbose", action="store_true", help="log every episode and activity")
    return parser


if __name__ == "__main__":
    sys.exit(main())
