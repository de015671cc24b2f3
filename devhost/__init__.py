"""Runs the app on one machine: a Functions host, a model server, a GitHub double. For development only."""
