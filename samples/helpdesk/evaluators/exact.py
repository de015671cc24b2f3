"""The exact-fact evaluator: of the facts a right answer must contain, the share that this answer contains."""

import re


def score(answer: str, facts: list[str]) -> float:
    """Return the share of `facts` that stand in `answer` word by word, ignoring case."""
    text = normal(answer)
    return sum(bool(re.search(rf"(?<!\w){re.escape(normal(fact))}(?!\w)", text)) for fact in facts) / len(facts)


def normal(text: str) -> str:
    """Return the text in lower case with single spaces."""
    return " ".join(text.lower().split())
