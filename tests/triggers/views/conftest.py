"""Pages as a test sees them."""

from __future__ import annotations

import pytest
from selectolax.lexbor import LexborHTMLParser

from triggers.render import render


class Page:
    """A rendered page, asked by CSS selector."""

    def __init__(self, template, view):
        self.html = render(template, view)
        self.tree = LexborHTMLParser(self.html)

    def all(self, selector):
        return self.tree.css(selector)

    def one(self, selector):
        (found,) = self.all(selector)
        return found

    def text(self, selector="main"):
        return " ".join(" ".join(node.text(separator=" ") for node in self.all(selector)).split())


@pytest.fixture
def page():
    """Render a template with a view."""
    return Page
