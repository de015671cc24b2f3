"""The retrieval finds what people ask for."""

import pytest

import retrieve


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("Which extension do I dial to call the help desk?", "4400"),
        ("What is the name of the VPN client?", "TideLink"),
        ("How much does a lost security key cost?", "35 euros"),
        ("Who is the head of security?", "Amara Okafor"),
    ],
)
def test_the_best_passage_has_the_fact(question, fact):
    """A question in the words of an article finds the passage that answers it."""
    assert fact in retrieve.search(question, 1)[0]


def test_a_rare_word_counts_more_than_a_common_one():
    """Many passages mention days, only one mentions a poster."""
    assert "poster" in retrieve.search("days poster", 1)[0]


def test_no_passage_for_a_question_about_nothing_we_know():
    """Nothing is better than something unrelated."""
    assert retrieve.search("xylophone", 3) == []


def test_every_article_has_a_title_and_passages():
    """Each article starts with a heading, followed by paragraphs of one sentence."""
    articles = sorted(retrieve.ARTICLES.glob("*.md"))

    assert len(articles) >= 30
    for article in articles:
        title, *paragraphs = article.read_text(encoding="utf-8").split("\n\n")
        assert title.startswith("# ")
        assert paragraphs
