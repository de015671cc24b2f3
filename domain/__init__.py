"""Decisions: no I/O, no SDK. Everything here can be tested with plain values."""
