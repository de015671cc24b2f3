"""Runs the kill tests' app again and again, each time in a new process that is killed, until one lives to the end.

Arguments: hub file, and either `before N` or `after N`, to die around the commit with that number in each life, or
`seed N`, to be killed from outside at seeded moments. Prints how many lives it took. Each life is forked from this
process, which has imported everything and runs nothing itself, so that dying a hundred times takes seconds.
"""

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path

from kill_app import app  # type: ignore[import-not-found]  # beside this script
from world import world  # type: ignore[import-not-found]

from devhost.durable import database

MOST_LIVES = 200
_commit = database._commit_together


def die_at(moment: str, last: int) -> None:
    """Replace the hub's commit by one that ends the process around the commit with that number."""
    seen = 0

    def commit(connection, jobs):
        nonlocal seen
        changes = connection.total_changes
        if moment == "before" and seen == last:
            connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                database._run(connection, job)
            if connection.total_changes > changes:
                os.kill(os.getpid(), signal.SIGKILL)
            connection.execute("ROLLBACK")
        _commit(connection, jobs)
        seen += connection.total_changes > changes
        if moment == "after" and seen > last:
            os.kill(os.getpid(), signal.SIGKILL)

    database._commit_together = commit


async def live(hub: Path) -> None:
    """Start the story if there is none yet, and see it to its end."""
    async with world(app, hub) as here:
        if not await here.client.get_status("story"):
            await here.client.start_new("story", "story")
        await here.end_of("story")


def begin_life(hub: Path, moment: str, number: int) -> int:
    """Fork a life; returns its process id."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        if moment != "seed":
            die_at(moment, number)
        asyncio.run(live(hub))
        status = 0
    finally:
        sys.stderr.flush()
        os._exit(status)


def main(hub: Path, moment: str, number: int) -> int:
    """Let one life follow the other; returns how many there were."""
    chance = random.Random(number)
    kills = 6 if moment == "seed" else 0
    for lives in range(1, MOST_LIVES):
        life = begin_life(hub, moment, number)
        if lives <= kills:
            time.sleep(chance.uniform(0, 0.4))
            os.kill(life, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(life, 0)[1])
        if status == 0 and lives > kills:
            return lives
        if status not in (0, -signal.SIGKILL):
            raise SystemExit(f"life {lives} ended with status {status}")
    raise SystemExit(f"{MOST_LIVES} lives were not enough")


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
