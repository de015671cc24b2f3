"""Write orchestrations of hub files as replayable histories: `record_histories.py HUB.sqlite ... tests/histories`.

Run it over the hubs of tests/end_to_end when an orchestrator was changed on purpose. The stored histories then show,
in the tests, whether what was under way before a later change would still replay. Of many that went the same way, the
smallest is kept.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

EXECUTION_COMPLETED = 1
ENDS = ("outcome", "decision", "state", "answer", "ok")  # what an orchestration's result says about its end

Recorded = dict[str, Any]


def main(hubs: Iterable[Path], folder: Path) -> None:
    """Write one file for each way an orchestrator went, numbered by orchestrator from the smallest on."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.json"):
        file.unlink()
    written: Counter[str] = Counter()
    for recorded in different(one for hub in hubs for one in ended(hub)):
        written[recorded["name"]] += 1
        file = folder / f"{recorded['name']}__{written[recorded['name']]}.json"
        file.write_text(_text(recorded) + "\n", encoding="utf-8")


def ended(hub: Path) -> Iterator[Recorded]:
    """Yield the orchestrations of a hub that came to their end."""
    with sqlite3.connect(hub) as database:
        for instance, name, stored, parent in database.execute("SELECT id, name, input, parent_id FROM instances"):
            rows = database.execute("SELECT event FROM history WHERE instance_id = ? ORDER BY position", [instance])
            events = [json.loads(text) for (text,) in rows]
            if any(event["EventType"] == EXECUTION_COMPLETED for event in events):
                yield {"name": name, "instance": instance, "parent": parent, "input": stored, "history": events}


def different(found: Iterable[Recorded]) -> Iterator[Recorded]:
    """Yield those that did something which no smaller one of the same orchestrator did, or ended in another way."""
    seen: set[tuple[str, ...]] = set()
    for recorded in sorted(found, key=lambda one: (len(_text(one)), one["instance"])):
        new = _way(recorded) - seen
        if new:
            seen |= new
            yield recorded


def _way(recorded: Recorded) -> set[tuple[str, ...]]:
    """Return what an orchestration did and how it ended, without how often and in which order."""
    name = recorded["name"]
    done = {(name, str(one["EventType"]), str(one.get("Name", ""))) for one in recorded["history"]}
    result = next(one.get("Result") for one in recorded["history"] if one["EventType"] == EXECUTION_COMPLETED)
    end = json.loads(result) if result else None
    told = {(name, word, str(end[word])) for word in ENDS if word in end} if isinstance(end, dict) else set()
    return done | told


def _text(recorded: Recorded) -> str:
    return json.dumps(recorded, indent=0, ensure_ascii=False)


if __name__ == "__main__":
    *given, target = map(Path, sys.argv[1:])
    main(given, target)
