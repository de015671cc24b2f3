"""Runs the kill tests' app on an engine that kills its own process at a chosen commit.

Arguments: hub file, `before` or `after`, and how many commits this life gets to see.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from kill_app import app  # type: ignore[import-not-found]  # beside this script
from world import world  # type: ignore[import-not-found]

from devhost.durable import database

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


async def main(hub: Path) -> None:
    """Start the story if there is none yet, and see it to its end."""
    async with world(app, hub) as here:
        if not await here.client.get_status("story"):
            await here.client.start_new("story", "story")
        await here.end_of("story")


if __name__ == "__main__":
    die_at(sys.argv[2], int(sys.argv[3]))
    asyncio.run(main(Path(sys.argv[1])))
