"""What GitHub takes: how long a text may be, and what a name must look like."""

from __future__ import annotations

import re

from domain.errors import Invalid

COMMENT = 65_536  # characters
SUMMARY = 65_535  # characters, of a check run
DESCRIPTION = 140  # characters, of a status
REMARK = 65_536  # bytes, of an annotation's message


def check_sha(text: str) -> str:
    """Give a commit's full sha back. Raises Invalid for anything else."""
    if not re.fullmatch(r"[0-9a-f]{40}", text):
        raise Invalid(f"{text!r} is not a commit's full sha.")
    return text


def short(text: str) -> str:
    """Make one line of a text, as long as GitHub takes for a description."""
    line = " ".join(clean(text).split())
    return line if len(line) <= DESCRIPTION else f"{line[: DESCRIPTION - 1]}…"


def remark(text: str) -> str:
    """Leave of a remark on a line what GitHub takes; the report that it belongs to has all of it."""
    whole = clean(text)
    kept = whole.encode()[: REMARK - len("…".encode())].decode(errors="ignore")
    return whole if len(whole.encode()) <= REMARK else f"{kept}…"


def clean(text: str) -> str:
    """Leave out what JSON can carry to nobody: halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode()


def cut(text: str, most: int, link: str) -> str:
    """Cut Markdown after a whole line, if it is too long, and say where the rest stands."""
    if len(text) <= most:
        return text
    rest = f": [read the rest]({link})" if link else ""
    note = f"\n\n*… cut here, GitHub takes no longer texts{rest}*"
    kept = text[: most - len(note) - len("\n```")]
    kept = kept[: kept.rfind("\n")] if "\n" in kept[-1000:] else kept
    # Inside an open code block the note would be code.
    return f"{kept}\n```{note}" if kept.count("\n```") % 2 else f"{kept}{note}"
