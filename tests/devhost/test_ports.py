"""Ports: which are free and who holds one."""

from __future__ import annotations

import os
import socket

import pytest

from devhost.ports import free_port, holder, is_free


@pytest.fixture
def taken():
    """A port that this process listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_a_taken_port_is_not_free_and_its_holder_has_a_name(taken):
    """The message about a busy port names the program to end."""
    assert not is_free(taken)
    assert f"(process {os.getpid()})" in holder(taken)


def test_another_port_is_given_instead_of_a_taken_one(taken):
    """Side services move out of the way."""
    other = free_port(taken)

    assert other != taken
    assert is_free(other)


def test_a_free_port_is_kept(taken):
    """Who asks for a port that is free gets it."""
    other = free_port(taken)

    assert free_port(other) == other


def test_a_port_nobody_known_holds_is_still_described():
    """Without permission to look, the sentence still reads well."""
    assert holder(0) == "another program"
