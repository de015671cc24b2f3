"""The table of contents: everything in it can be served beside the rest."""

from __future__ import annotations

import function_app


def test_every_function_has_a_name_of_its_own() -> None:
    """The host refuses an app in which two functions share one, and then serves nothing."""
    names = [function.get_function_name() for function in function_app.app.get_functions()]

    assert len(names) == len(set(names)) > 0
