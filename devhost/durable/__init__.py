"""Durable Functions on one machine: an event-sourced task hub in SQLite and the engine that drives the real SDK."""
