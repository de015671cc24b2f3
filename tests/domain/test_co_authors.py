"""Co-authors in the trailers of a commit's message."""

from __future__ import annotations

import pytest

from domain.co_authors import addresses, login_in


def test_every_trailer_names_one_address() -> None:
    """As GitHub writes them below a squash, in any case; not what a sentence says."""
    message = (
        "Together (#7)\r\n\r\nCo-authored-by: me <not a trailer>, said <a@b.c> nobody\r\n\r\n"
        "Co-authored-by: Sam S. <7+sam@users.noreply.github.com>\r\n"
        "co-authored-by: Kim <Kim@acme.example>\r\nCo-Authored-By: Kim again <kim@acme.example>"
    )

    assert addresses(message) == ("7+sam@users.noreply.github.com", "kim@acme.example")


@pytest.mark.parametrize(
    ("address", "login"),
    [
        ("7+sam-s@users.noreply.github.com", "sam-s"),
        ("sam@users.noreply.github.com", "sam"),
        ("49699333+dependabot[bot]@users.noreply.github.com", "dependabot[bot]"),
        ("7+sam@users.noreply.github.acme.example", "sam"),
        ("sam@acme.example", ""),
        ("7+sam@users.noreply.github.com@evil.example", ""),
    ],
)
def test_githubs_own_addresses_hold_the_login(address: str, login: str) -> None:
    """Others hold none."""
    assert login_in(address) == login
