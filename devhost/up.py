"""Starts everything one machine needs and keeps it running: `python -m devhost.up`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from devhost.sample_repository import BETTER, MAIN, OPTED_OUT, REPOSITORY, WORSE, ensure_repository, propose
from devhost.signals import Stopped, ending_on_signals
from devhost.system import APP_PORT, PEOPLE, ROOT, System, UpError


def main(arguments: list[str] | None = None) -> int:
    """Keep the system running until Ctrl-C. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m devhost.up", description=__doc__)
    parser.add_argument("--port", type=int, default=APP_PORT, help=f"port of the app ({APP_PORT})")
    parser.add_argument("--state", type=Path, default=ROOT / ".drawbridge", help="where everything is kept")
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    return run_until_stopped(console, lambda: _keep_running(options, console), stopped=0)


def run_until_stopped(console: Console, run: Callable[[], int], stopped: int = 130) -> int:
    """Run, turning errors and signals into a line and an exit status; `stopped` is that of Ctrl-C."""
    try:
        with ending_on_signals():
            return run()
    except UpError as error:
        console.print(f"[red]✗[/] {error}", soft_wrap=True)
        return 1
    except Stopped:
        console.print("Stopped, nothing is left running.")
        return stopped


def _keep_running(options: argparse.Namespace, console: Console) -> int:
    with System(options.state, options.port, console) as system:
        repository = _prepare(system)
        _explain(system, repository, console)
        while True:
            time.sleep(1)
            system.check()
            system.tell_findings()


def _prepare(system: System) -> dict[str, Any]:
    """Make the sample repository with three open pull requests on the first start."""
    repository = ensure_repository(system.github)
    if set(repository["heads"]) <= {MAIN, "develop"}:
        for change in (BETTER, WORSE, OPTED_OUT):
            propose(system.github, repository["clone_path"], change)
    return repository


def _explain(system: System, repository: Mapping[str, Any], console: Console) -> None:
    people = ", ".join(f"[bold]{login}[/]" for login in PEOPLE)
    console.print(
        f"""
[bold]Everything runs.[/] Try this:
  1. Merge a pull request    {system.github_url}/{REPOSITORY}/pull/1  (better answers)
                             {system.github_url}/{REPOSITORY}/pull/2  (worse answers, will be stopped)
  2. Watch the release       {system.app_url}/api/releases
     Sign in as any of {people}: a button, no password. maria, jonas and priya approve.
  3. Approve                 the links stand in the comment on the pull request, one for each approver
  4. Opt out                 {system.github_url}/{REPOSITORY}/pull/3  (documentation, skips the full evaluation)
     Merge it: prod waits until the debt is paid at night, or the approvers waive it with a reason.
     Take its label off after the merge, and the full evaluation runs after all.
  5. Who owes what           {system.app_url}/api/debts
     Who is where            {system.app_url}/api/environments  (what runs, who waits, roll back, lift a hold)
  6. Change something        git clone {repository["clone_path"]}
Logs: {os.path.relpath(system.logs)}   Stop with Ctrl-C; the next start goes on from here.
""",
        soft_wrap=True,
    )


if __name__ == "__main__":
    sys.exit(main())
