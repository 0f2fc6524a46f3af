# Everything is a target here; CI runs check and test and nothing else.
.DEFAULT_GOAL := help
.PHONY: help setup run test check unit prove e2e bench delivery build generate fmt lock clean

VENV := .venv
PY := $(VENV)/bin/python
NODE_PATH_PREFIX := PATH="$(CURDIR)/$(VENV)/node/bin:$$PATH"
NPM := $(NODE_PATH_PREFIX) npm --prefix tracker_js
# tests of one file share servers and browsers; proofs of promises, and what is marked so, have the machine to themselves
BOTH_CORES := --numprocesses=2 --dist=loadfile
# browsers' stories. A browser does more than it is told, and not always in the same time: what fails is told once more, with
# the machine to itself, and fails there or passes: both are printed
define stories
$(VENV)/bin/pytest --quiet $(2) -m "$(1)" e2e \
		|| $(VENV)/bin/pytest --quiet --last-failed --last-failed-no-failures none -m "$(1)" e2e
endef
# the proofs start servers hundreds of times: without compiled modules each start takes 0.2 s longer
unexport PYTHONDONTWRITEBYTECODE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- environment: each step leaves a mark, so that it is done once for each lock file ----

.make/run: requirements/run.txt pyproject.toml tools/make_venv.sh
	@tools/make_venv.sh $(VENV) requirements/run.txt
	@mkdir -p .make && touch $@

.make/dev: requirements/dev.txt pyproject.toml tools/make_venv.sh
	@tools/make_venv.sh $(VENV) requirements/dev.txt
	@mkdir -p .make && touch $@ .make/run

.make/node: tracker_js/package-lock.json tools/find_node.sh .make/dev
	@tools/find_node.sh $(VENV)
	$(NPM) ci --no-audit --no-fund --loglevel=error
	@mkdir -p .make && touch $@

.make/segment: tests/segment_clients/package-lock.json .make/node
	$(NODE_PATH_PREFIX) npm --prefix tests/segment_clients ci --no-audit --no-fund --loglevel=error
	@mkdir -p .make && touch $@

.make/browsers: tools/find_browsers.sh .make/dev
	@tools/find_browsers.sh $(VENV) $@

.make/strace: tools/find_strace.sh
	@tools/find_strace.sh $@

setup: .make/dev .make/node .make/segment ## the whole environment: .venv, the tracker's packages, Segment's clients

# ---- use ----

run: .make/run ## the server with the demo shop; prints addresses, snippet and password
	@$(VENV)/bin/footfall demo

build: .make/node ## the tracker's bundle, which is committed
	$(NPM) run --silent build

generate: .make/dev ## what is derived from the catalogue and the settings
	$(PY) tools/generate.py

fmt: .make/dev ## fix what a program can fix
	$(VENV)/bin/ruff check --fix-only --quiet .
	$(VENV)/bin/ruff format --quiet .

# ---- proof ----

check: .make/node ## format, lint, types, layers, generated files, bundle, sizes
	$(VENV)/bin/ruff format --check --quiet .
	$(VENV)/bin/ruff check --quiet .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo
	$(PY) tools/generate.py --check
	$(PY) tools/check_locks.py
	$(NPM) run --silent check
	$(NODE_PATH_PREFIX) tools/check_bundle.sh
	$(NPM) run --silent size

unit: .make/dev .make/node ## unit tests of server and tracker
	$(VENV)/bin/pytest --quiet $(BOTH_CORES) -m "not promise"
	$(NPM) test --silent

prove: .make/dev .make/segment .make/strace ## the promises: real servers, killed; ARGS=--write puts the figures into docs
	@rm -f .make/figures.jsonl
	PROMISE_FIGURES=$(CURDIR)/.make/figures.jsonl $(VENV)/bin/pytest --quiet -m promise
	$(if $(filter --write,$(ARGS)),$(PY) -m tools.write_reliability .make/figures.jsonl)

e2e: .make/browsers .make/node .make/segment ## the demo shop and the tracker in real browsers
	$(call stories,not alone,$(BOTH_CORES))
	$(call stories,alone)

test: .make/browsers .make/node .make/segment .make/strace ## everything but the long forms, which `make prove` and `make e2e` have
	$(VENV)/bin/pytest --quiet -m "promise and not long"
	$(VENV)/bin/pytest --quiet $(BOTH_CORES) -m "not promise"
	$(NPM) test --silent
	$(call stories,not long and not alone,$(BOTH_CORES))
	$(call stories,not long and alone)

bench: .make/dev ## what is told rightly, then speed, memory and size as ratios in one run; ARGS=--write puts both into docs
	$(PY) -m bench.accuracy $(filter --write,$(ARGS))
	$(PY) -m bench $(ARGS)

delivery: .make/browsers ## what arrives when the network fails, in each engine; ARGS=--write puts it into README.md
	@$(PY) -m bench.delivery $(ARGS)

lock: .make/dev ## resolve the dependencies anew
	tools/lock.sh $(VENV)

clean: ## remove everything that was made
	rm -rf $(VENV) .make tracker_js/node_modules tracker_js/dist tests/segment_clients/node_modules .mypy_cache .ruff_cache .pytest_cache
