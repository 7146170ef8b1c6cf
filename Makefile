# The project's daily commands. `make` alone prints them.
.DEFAULT_GOAL := help
.PHONY: help setup demo stop retail flink test test-heavy bench check clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
WORKERS ?= 2
PEOPLE ?= 20000
FLINK := .flink
MVN ?= mvn

help:  ## print these lines
	@grep -hE '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*  ## /make \1\t/' | expand -t 18

setup: $(READY)  ## make .venv with what requirements.lock pins, and Tessera itself

# Made in one go: a .venv that was left half made, or that another Python made, is made anew.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "make: Tessera needs Python 3.11 or newer as $(PYTHON). Debian 12: apt-get install python3 python3-venv." \
	  "Another one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "make: $(PYTHON) cannot make virtual environments. Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)  ## a made-up shop of 5,000 people in ./demo, filled and served; ends with a link to a customer's page
	@echo 'So that the shell finds the commands that follow:  export PATH="$(CURDIR)/$(BIN):$$PATH"'
	@echo "The workspace is ./demo: its contracts in demo/sources, the made-up shop in demo/world, the lake in demo/var."
	$(BIN)/tessera demo demo --people 5000 --serve

stop:  ## end the demo's server, which also ends by itself an hour after the last look
	@test ! -e demo/tessera.yaml -o ! -x $(BIN)/tessera || $(BIN)/tessera -w demo stop

retail: $(READY)  ## a real shop: land examples/online-retail (needs ../shared or TESSERA_SHARED) and show its orders
	$(BIN)/tessera -w examples/online-retail turn
	$(BIN)/tessera -w examples/online-retail tables

flink: $(FLINK)/ready  ## make .flink, Apache Flink's own environment, which docs/flink.md uses; 850 MB

# Apart, because its pins exclude ours. Kafka's connector is the one thing that Maven fetches: without it, files alone are read.
$(FLINK)/ready: deploy/flink/requirements.lock deploy/flink/pom.xml pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null || { \
	  echo "make: Flink runs on Python 3.11 or 3.12. Another one: make flink PYTHON=python3.11" >&2; exit 1; }
	@command -v java >/dev/null || { \
	  echo "make: Flink needs Java. Debian: apt-get install openjdk-17-jre-headless" >&2; exit 1; }
	@$(FLINK)/bin/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(FLINK)
	$(FLINK)/bin/python -m pip install --quiet --disable-pip-version-check -r deploy/flink/requirements.lock
	$(FLINK)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(MVN) -q -B -f deploy/flink/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
	  -DoutputDirectory=$(CURDIR)/$(FLINK)/jars || echo "make: no Kafka connector: files alone are read" >&2
	@touch $@

test: $(READY)  ## the tests, but for those that need minutes or another engine
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not heavy"

test-heavy: $(READY)  ## the tests that need minutes or another engine
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations 20 -m heavy

bench: $(READY)  ## measure what docs/performance.md tells; takes minutes
	$(BIN)/python bench/vault.py
	$(BIN)/python bench/consent.py
	$(BIN)/python bench/world.py bench/out/world --people $(PEOPLE)
	$(BIN)/python bench/turn.py bench/out/world
	$(BIN)/python bench/gate.py bench/out/world
	$(BIN)/python bench/erasure.py 2000000
	$(BIN)/python bench/landing.py bench/out/world
	$(BIN)/python bench/chain.py
	$(BIN)/python bench/live.py
	$(BIN)/python bench/insight.py bench/out/insight --people $(PEOPLE)
	for of in attribution segments value churn propensity recommend upkeep interests; do $(BIN)/python bench/insight_$$of.py || exit 1; done

check: $(READY)  ## lint, types, and that imports go down the floors
	$(BIN)/ruff check src tests bench docs
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_house.py

clean: stop  ## remove .venv, ./demo and what tools left; never a workspace of yours
	rm -rf $(VENV) $(FLINK) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests bench docs -name __pycache__ -type d -prune -exec rm -rf {} +
