"""Write the orchestrations of a hub file as replayable histories: `record_histories.py HUB.sqlite tests/histories`.

Run it after a release that went as it should, when an orchestrator was changed on purpose. The stored histories then
show, in the tests, whether releases that were under way before a later change would still replay.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections import Counter
from pathlib import Path

EXECUTION_COMPLETED = 1


def main(hub: Path, folder: Path) -> None:
    """Write one file per instance that came to its end, numbered by orchestrator in the order they were created."""
    folder.mkdir(parents=True, exist_ok=True)
    seen: Counter[str] = Counter()
    with sqlite3.connect(hub) as database:
        for instance, name, stored, parent in database.execute(
            "SELECT id, name, input, parent_id FROM instances ORDER BY created, id"
        ):
            events = [
                json.loads(text)
                for (text,) in database.execute(
                    "SELECT event FROM history WHERE instance_id = ? ORDER BY position", [instance]
                )
            ]
            if not any(event["EventType"] == EXECUTION_COMPLETED for event in events):
                continue
            seen[name] += 1
            recorded = {"name": name, "instance": instance, "parent": parent, "input": stored, "history": events}
            file = folder / f"{name}__{seen[name]}.json"
            file.write_text(json.dumps(recorded, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
