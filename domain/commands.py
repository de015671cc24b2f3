"""Commands that people write in comments, and only those: never what they quote, show as code or hide."""

from __future__ import annotations

import re

MINIMAL, FULL = "minimal", "full"
KINDS = (MINIMAL, FULL)
HELP = "help"  # somebody tried: the answer says how it is written

# A line that shares itself with one of these is not exactly a command, so they leave a mark behind.
_HIDDEN = re.compile(r"<!--.*?(?:-->|\Z)|<(pre|blockquote)\b.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_MARK = "\0"
_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}(?=[^`]*$)|~{3,})(?P<info>.*)")
_CODE = ("    ", "\t", " \t", "  \t", "   \t")
_QUOTE = re.compile(r" {0,3}>")
# Where a mail program begins to quote. The line about who wrote when may be broken once or twice.
_TAIL = re.compile(
    r"^(?:"
    r"On\b[^\n]{0,200}(?:\n[^\n]{1,200}){0,2}?\bwrote:"
    r"|Am\b[^\n]{0,200}(?:\n[^\n]{1,200}){0,2}?\bschrieb\b[^\n]{0,200}:"
    r"|Le\b[^\n]{0,200}(?:\n[^\n]{1,200}){0,2}?\ba écrit\s?:"
    r"|El\b[^\n]{0,200}(?:\n[^\n]{1,200}){0,2}?\bescribió:"
    r"|-{3,} ?(?:Original Message|Ursprüngliche Nachricht|Forwarded message) ?-{3,}"
    r"|_{20,}"
    r"|From: [^\n]+\n(?:Sent|Date|To): [^\n]+"
    r")[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)


def read_command(body: str) -> str | None:
    """Return what a comment asks for: "minimal", "full", HELP for an `/evaluate` with other words, or None.

    A command is a line of its own; the first one counts. Where Markdown leaves a doubt, there is no command.
    """
    text = body.replace("\r\n", "\n").replace("\r", "\n")
    text = _TAIL.split(_HIDDEN.sub(_MARK, text), maxsplit=1)[0]
    for line in _own_lines(text):
        first, *words = line.lower().split() or [""]
        if first == "/evaluate" and _MARK not in line and not line.startswith(_CODE):
            return words[0] if len(words) == 1 and words[0] in KINDS else HELP
    return None


def _own_lines(text: str) -> list[str]:
    """Return the lines that are neither quoted nor code."""
    lines: list[str] = []
    fence, quoted = "", False
    for line in text.split("\n"):
        mark = _FENCE.fullmatch(line)
        if fence:
            closes = mark and mark["fence"].startswith(fence) and not mark["info"].strip()
            fence = "" if closes else fence
        elif _QUOTE.match(line):
            quoted = True
        elif not line.strip():
            quoted = False
        elif quoted:
            continue  # a quoted paragraph goes on until an empty line, with or without its `>`
        elif mark:
            fence = mark["fence"]
        else:
            lines.append(line)
    return lines
