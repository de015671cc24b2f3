# Everything a person runs. The set-up itself is scripts/setup.py; it takes milliseconds when nothing changed.
PYTHON ?= python3
RUN = .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup demo up test lint bench preview audit-verify onboard

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1 \2/' | awk '{printf "  %s %-13s", $$1, $$2; $$1 = $$2 = ""; print}'

setup:  ## virtual environment, pinned packages, Azurite, the model (about 3 minutes the first time)
	@command -v $(PYTHON) >/dev/null || { echo "setup: $(PYTHON) was not found: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) scripts/setup.py

demo: setup  ## the main job, start to end: one release goes out, one pays a debt first, one is stopped
	@$(RUN) -m devhost.demo

up: setup  ## keep the whole system running, to merge and approve by hand (PORT=7071)
	@$(RUN) -m devhost.up $(if $(PORT),--port $(PORT))

test: setup  ## all tests
	@$(RUN) -m pytest -n auto --maxprocesses 4 --dist loadgroup

lint: setup  ## ruff, mypy, import directions
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy .
	@$(RUN) -m pytest tests/test_imports.py

bench: setup  ## the benchmarks of docs/benchmarks.md
	@$(RUN) -m benchmarks

preview: setup  ## render every page with sample data to preview/
	@$(RUN) -m scripts.preview_pages

audit-verify: setup  ## read the whole audit log and name what was altered or is missing (EXPECT=number:hash, STATE=.drawbridge/demo)
	@$(RUN) -m scripts.audit_verify $(if $(EXPECT),--expect $(EXPECT)) $(if $(STATE),--state $(STATE))

onboard: setup  ## make a GitHub repository ready: config, checklist, labels, webhook (REPO=owner/name, FLOW=flows/chat)
	@test -n "$(REPO)" || { echo "onboard: which repository? make onboard REPO=owner/name" >&2; exit 1; }
	@$(RUN) -m scripts.onboard "$(REPO)" $(if $(FLOW),--flow "$(FLOW)")
