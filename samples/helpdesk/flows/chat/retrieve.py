"""Find the passages of the articles that fit a question best (BM25, in plain Python)."""

import math
import re
from collections import Counter
from functools import cache
from pathlib import Path

from promptflow.core import tool

ARTICLES = Path(__file__).parent / "articles"
PASSAGES = 1  # how many the model gets to read
K1, B = 1.2, 0.75  # the usual BM25 constants
STOP_WORDS = frozenset(
    "a an and are at be by can do does for from has have how i in is it may must my of on our the to we what when "
    "where which who whom with you".split()
)


@tool
def retrieve(question: str) -> str:
    """Return the best passages for the question, best first."""
    return " ".join(search(question, PASSAGES))


def search(question: str, count: int) -> list[str]:
    """Return up to `count` passages that share a word with the question, best first."""
    wanted = words(question)
    scored = [(score(wanted, bag), -place, text) for place, (text, bag) in enumerate(passages())]
    return [text for value, _, text in sorted(scored, reverse=True)[:count] if value > 0]


def score(wanted: list[str], bag: Counter) -> float:
    """Score one passage, given as its word counts, for the wanted words."""
    rarity, mean_length = statistics()
    length = B * bag.total() / mean_length + 1 - B
    return sum(rarity[word] * bag[word] * (K1 + 1) / (bag[word] + K1 * length) for word in wanted if word in bag)


def words(text: str) -> list[str]:
    """Split text into lower-case words without the most common ones."""
    found = re.findall(r"[a-z0-9][a-z0-9@.-]*[a-z0-9]|[a-z0-9]", text.lower())
    return [word for word in found if word not in STOP_WORDS]


@cache
def passages() -> list[tuple[str, Counter]]:
    """Read every paragraph of every article with its word counts. The words of the title count as well."""
    found = []
    for file in sorted(ARTICLES.glob("*.md")):
        title, *paragraphs = file.read_text(encoding="utf-8").strip().split("\n\n")
        found += [(text, Counter(words(title) + words(text))) for text in paragraphs]
    return found


@cache
def statistics() -> tuple[dict[str, float], float]:
    """Compute how rare each word is, and the mean number of words in a passage."""
    bags = [bag for _, bag in passages()]
    seen = Counter(word for bag in bags for word in bag)
    rarity = {word: math.log(1 + (len(bags) - count + 0.5) / (count + 0.5)) for word, count in seen.items()}
    return rarity, sum(bag.total() for bag in bags) / len(bags)
