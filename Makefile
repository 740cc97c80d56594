# `make` alone explains itself. Everything runs in .venv; nothing is installed outside this folder
# (system packages only by `make system`, and only where this user may).
.DEFAULT_GOAL := help
# The first Python of 3.11 or newer that this machine has; `make PYTHON=/path/to/python3 …` chooses another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
  command -v $$name >/dev/null && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$name && break; done)
BIN := .venv/bin
STAMP := .venv/.ready

help:            ## show this
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' Makefile

$(STAMP): requirements/dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "newsletter needs Python 3.11 or newer; there is none on this machine."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make environments here. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@echo "Putting everything into .venv, from the hash-pinned lock (a minute or two, once) …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP)  ## make .venv with everything the project needs

demo: $(STAMP)   ## the whole story on made-up people, on this computer only
	@$(BIN)/newsletter demo demo

test: $(STAMP)   ## the suite for every day, under 5 minutes
	$(PYTEST)

# The suites that speak to the database; the others would only run a second time.
ON_POSTGRESQL := tests/audience tests/sending tests/replies tests/web tests/chaos tests/stories
# Of these, the ones whose long half asks the database anything new. Browsers, Postfix, Dovecot, the whole matrix of
# faults on the wire, the storm of 10,000 and ten times as many made-up examples do not, and run once, on SQLite.
LONG_ON_POSTGRESQL := tests/audience/test_postgresql.py tests/chaos/test_kill.py
# One worker more than there are processors: tests wait for servers and for the disk half of their time.
WORKERS := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null | awk '{print ($$1 < 7 ? $$1 + 1 : 8)}')
PYTEST := $(BIN)/pytest -n $(or $(WORKERS),2)

test-postgresql: $(STAMP)  ## the suites that use the database, on PostgreSQL
	$(PYTEST) --database postgresql $(ON_POSTGRESQL)

system:          ## install the system packages that some suites need (where this user may)
	@sh tests/system-packages

check: $(STAMP) system  ## all that CI runs: format, lint, types, import rules, tests, docs, the demo
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate --check
	$(PYTEST) --everything
	$(PYTEST) --everything --database postgresql $(LONG_ON_POSTGRESQL)
	$(PYTEST) --database postgresql $(addprefix --ignore=,$(LONG_ON_POSTGRESQL)) $(ON_POSTGRESQL)
	@folder=$$(mktemp -d) && $(BIN)/newsletter demo "$$folder/demo" && rm -rf "$$folder"

format: $(STAMP) ## put the code in order
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: $(STAMP)  ## measure side by side with others, as ratios within one run
	$(BIN)/python -m bench

chaos: $(STAMP)  ## kill senders at random, 200 times on each database, and count what everybody got
	$(BIN)/python -m tests.chaos $(RUNS)

docs: $(STAMP)   ## write the generated reference pages anew
	$(BIN)/python -m docs.generate

lock:            ## resolve requirements/*.in into the hash-pinned locks, without addresses
	$(BIN)/pip install --quiet uv
	cd requirements && for name in app dev; do ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header $$name.in -o $$name.lock; done

clean:           ## remove .venv, the demo and everything else that can be made again
	rm -rf .venv demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: help setup demo test test-postgresql system check format bench chaos docs lock clean
