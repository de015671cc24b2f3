"""The exact-fact evaluator counts whole facts only."""

import pytest

from evaluators.exact import score


@pytest.mark.parametrize(
    ("answer", "facts", "expected"),
    [
        ("The screen locks after 7 minutes.", ["7 minutes"], 1.0),
        ("The screen locks after 17 minutes.", ["7 minutes"], 0.0),
        ("In BUILDING C,  room 210.", ["building C", "210"], 1.0),
        ("In building C.", ["building C", "210"], 0.5),
        ("Write to report@finch.example.", ["report@finch.example"], 1.0),
        ("", ["Lumo"], 0.0),
    ],
)
def test_score_is_the_share_of_facts_in_the_answer(answer, facts, expected):
    """A fact counts when it stands in the answer as whole words, whatever the case."""
    assert score(answer, facts) == expected
