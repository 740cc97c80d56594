# `make` alone explains itself. Everything runs in .venv; nothing is installed outside this folder
# (system packages only by `make system`, and only where this user may).
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready

help:            ## show this
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

$(STAMP): requirements/dev.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP)  ## make .venv with everything the project needs

demo: $(STAMP)   ## the whole story on made-up people, on this computer only
	$(BIN)/newsletter demo demo

test: $(STAMP)   ## the default test suite, under 5 minutes
	$(BIN)/pytest

system:          ## install the system packages some suites need (where this user may)
	@sh tests/system-packages

check: $(STAMP) system  ## all that CI runs: format, lint, types, import rules, tests, docs, the demo
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --everything
	$(BIN)/newsletter demo "$$(mktemp -d)/demo"

format: $(STAMP) ## put the code in order
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: $(STAMP)  ## measure side by side with others, in ratios
	$(BIN)/python -m bench

docs: $(STAMP)   ## write the generated reference pages anew
	$(BIN)/python -m docs.generate

lock:            ## resolve requirements/*.in anew into the hash-pinned locks, without addresses
	$(BIN)/pip install --quiet uv
	cd requirements && for name in app dev; do ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header $$name.in -o $$name.lock; done

.PHONY: help setup demo test system check format bench docs lock
