"""`python -m evaluation job DIR`: run one job."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from evaluation.job import run_job


def main(arguments: list[str]) -> int:
    """Run one command; return the exit status: 0 it went well, 1 it did not, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m evaluation", description="Evaluate a target over rows.")
    commands = parser.add_subparsers(dest="command", required=True)
    job = commands.add_parser("job", help="run the job in a directory")
    job.add_argument("directory", type=Path)
    options = parser.parse_args(arguments)
    # As an exception, so that worker processes are ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return 0 if run_job(options.directory) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
