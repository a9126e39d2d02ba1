# Ekiden's commands. `make help` lists them; INTERFACE: what each one promises.

.DEFAULT_GOAL := help
.ONESHELL:
.SHELLFLAGS := -euc
MAKEFLAGS += --no-print-directory
export PIP_DISABLE_PIP_VERSION_CHECK := 1

VENV := .venv
BIN := $(VENV)/bin
PROJECTS := $(patsubst %/pyproject.toml,%,$(wildcard shared/pyproject.toml services/*/pyproject.toml clients/*/pyproject.toml cli/pyproject.toml deploy/native/pyproject.toml))
PYPROJECTS := $(addsuffix /pyproject.toml,$(PROJECTS))
STAMP := $(VENV)/.ekiden-setup
PEERS := $(VENV)/bench
PEERS_STAMP := $(PEERS)/.ekiden-setup

THEME ?= AIと働き方
REAL ?=
SERVICE ?=
PART ?=
QUICK ?=
CHAOS_SEED ?=
EXAMPLES ?= 50
CHAOS_TABLE ?= $(VENV)/chaos-table.md
export THEME

# docker or native. Asked for only where a recipe uses it.
STACK ?= $(shell if [ -f docker-compose.yml ] && docker info >/dev/null 2>&1; then echo docker; else echo native; fi)

# What `make scale gpt-worker=2` names: the variables of the command line that are none of ours.
SCALES = $(filter-out THEME=% REAL=% SERVICE=% STACK=% EKIDEN_%,$(MAKEOVERRIDES))

# Settings of .env count where the environment says nothing, as Compose does it.
WITH_ENV = $(if $(wildcard .env),$(BIN)/dotenv -f .env run --no-override --)
NATIVE = $(WITH_ENV) $(BIN)/python -m ekiden_native
COMPOSE = $(WITH_ENV) $(BIN)/python -m ekiden_native.compose
WITHOUT_KEYS := env -u OPENAI_API_KEY -u OPENAI_BASE_URL -u PERPLEXITY_API_KEY -u PERPLEXITY_BASE_URL

up_native = $(NATIVE) up
up_docker = $(COMPOSE) up --detach --build --wait
down_native = $(NATIVE) down
down_docker = $(COMPOSE) down
ps_native = $(NATIVE) ps
ps_docker = $(COMPOSE) ps
logs_native = $(NATIVE) logs $(SERVICE)
logs_docker = $(COMPOSE) logs $(SERVICE)
scale_native = $(NATIVE) scale $(SCALES)
# Named, so that the others stay as many as they are.
scale_docker = $(COMPOSE) up --detach --wait $(addprefix --scale ,$(SCALES)) $(foreach scale,$(SCALES),$(firstword $(subst =, ,$(scale))))
on_stack = $(or $($(1)_$(STACK)),$(error STACK=$(STACK): there are docker and native))

define with_engine
if ! docker info >/dev/null 2>&1; then
	echo "No Docker engine answers: $@ is skipped."
else
	$(WITHOUT_KEYS) $(BIN)/pytest $(1)
fi
endef

.PHONY: help setup browser demo up down ps logs scale check test test-browser test-docker test-cluster chaos bench isolation conformance capacity listeners latency lock format docs samples screenshots

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## install everything that is missing: virtual environment, locked dependencies, RabbitMQ, mongod, Prometheus

# Chromium is large, and of no use to who only runs Ekiden.
browser: setup
	@$(BIN)/python -m ekiden_native setup --browser

demo: setup ## run one session from THEME= to three drafts; the simulator answers unless REAL=1
	@$(WITH_ENV) $(BIN)/ekiden demo $(if $(filter 1,$(REAL)),--real) -- "$$THEME"

up: setup ## start the stack, return when all of it is healthy (STACK=docker|native)
	@$(call on_stack,up)

down: setup ## stop the stack, keep its data
	@$(call on_stack,down)

ps: setup ## list the stack's processes
	@$(call on_stack,ps)

logs: setup ## print the stack's logs, or those of SERVICE=
	@$(call on_stack,logs)

scale: setup ## change how many processes run: make scale perplexity-worker=4 gpt-worker=2
	@$(if $(strip $(SCALES)),,$(error Say what to scale, for example: make scale perplexity-worker=4 gpt-worker=2))
	$(call on_stack,scale)

check: setup ## format, lint, types, import rules, workflows, unit and contract tests
	@set -x
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/ekiden workflow check workflows/*/
	$(WITHOUT_KEYS) $(BIN)/pytest -n 2 --dist loadfile tests/unit tests/contract

test: browser ## all tests that need no Docker, against a real RabbitMQ and a real MongoDB (STACK=docker: in containers)
	@$(WITHOUT_KEYS) STACK=$(STACK) $(BIN)/pytest -n 4 --dist loadfile -m 'not long' tests/unit tests/contract tests/integration tests/e2e tests/browser
	$(WITHOUT_KEYS) $(BIN)/pytest -m 'not long' tests/chaos

test-browser: browser ## the web page as people use it, in Chromium
	@$(WITHOUT_KEYS) $(BIN)/pytest tests/browser

test-docker: setup ## the Compose path: build, up, load, scale, down, up again; skipped where no Docker engine answers
	@$(call with_engine,tests/docker/test_stack.py)

test-cluster: setup ## three brokers, three mongods in containers: one of each is killed during load
	@$(call with_engine,tests/docker/test_cluster.py)

chaos: setup ## all fault tests, or PART= of them (kills, queue, …); ends with a table of faults and outcomes, which CHAOS_TABLE= keeps (CHAOS_SEED=: the same again)
	@$(WITHOUT_KEYS) CHAOS_SEED=$(CHAOS_SEED) CHAOS_TABLE=$(CHAOS_TABLE) $(BIN)/pytest $(if $(PART),tests/chaos/test_$(PART).py,tests/chaos)

# The peers' packages and their PostgreSQL are of no use to who only runs Ekiden.
bench: setup $(if $(PART),,$(PEERS_STAMP)) ## Ekiden and its peers side by side (QUICK=1: in 2 minutes); PART=ekiden (alone, a minute), backlog or scaling
	@$(WITHOUT_KEYS) $(BIN)/python -m benchmarks.bench $(PART) $(if $(QUICK),--quick)

isolation: setup ## measure whether a thousand searches in flight slow the GPT calls down (15 minutes)
	@$(WITHOUT_KEYS) $(BIN)/python -m benchmarks.isolation

conformance: setup ## Schemathesis over a gateway of a whole stack: all checks, 50 examples of each operation (EXAMPLES=)
	@$(WITHOUT_KEYS) EXAMPLES=$(EXAMPLES) $(BIN)/pytest -s tests/conformance

capacity: setup ## measure what a session costs in processor time, memory, connections and disk (a minute)
	@$(WITHOUT_KEYS) $(BIN)/python -m benchmarks.capacity

listeners: setup ## measure a thousand listeners to live events at one gateway, and kill it (2 minutes)
	@$(WITHOUT_KEYS) $(BIN)/python -m benchmarks.listeners

latency: setup ## measure create and async-status while a thousand sessions run (3 minutes)
	@$(WITHOUT_KEYS) $(BIN)/python -m benchmarks.latency

lock: setup ## make requirements.lock again from the pyproject files, and that of the peers in the benchmark
	@[ -x $(BIN)/uv ] || $(BIN)/pip install -qq uv
	compile="$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11"
	$$compile --no-emit-package ekiden --no-emit-package ekiden-client pyproject.toml $(PYPROJECTS) -o requirements.lock
	$$compile benchmarks/requirements.in -o benchmarks/requirements.lock

format: setup ## format the code
	@$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

docs: setup ## make the generated documents again
	@$(BIN)/python -m ekiden.domain.diagram > $(VENV)/state-diagram.md
	mv $(VENV)/state-diagram.md docs/state-diagram.md
	for name in openapi.json asyncapi.json problems.md; do
		$(BIN)/python -m ekiden_gateway.documents $$name > $(VENV)/$$name
		mv $(VENV)/$$name docs/$$name
	done
	$(BIN)/python -m ekiden.metrics_page > $(VENV)/metrics.md
	mv $(VENV)/metrics.md docs/metrics.md
	$(BIN)/python -m tests.samples
	$(BIN)/python -m ekiden.workflow.reference_page docs/workflows.md

screenshots: setup ## make the pictures of the web page in docs/screenshots again
	@$(BIN)/python -m ekiden_native setup --pictures
	$(WITHOUT_KEYS) $(BIN)/python -m tests.browser.screenshots

samples: setup ## make the sample reports and drafts in docs/samples again, in both languages
	@$(BIN)/python -m tests.samples
	@$(WITHOUT_KEYS) $(BIN)/python -m tests.sample_reports

# The stamp is older than the lock or a pyproject.toml: what they name has changed.
$(STAMP): requirements.lock $(PYPROJECTS) | $(BIN)/python
	@echo "Installing dependencies …"
	$(BIN)/pip install -qq --require-hashes -r requirements.lock
	$(BIN)/pip install -qq --no-deps --no-build-isolation $(addprefix -e ./,$(PROJECTS))
	$(BIN)/python -m ekiden_native setup
	touch $@

$(PEERS_STAMP): benchmarks/requirements.lock | $(STAMP)
	@echo "Installing what the peers need …"
	$(BIN)/python -m venv $(PEERS)
	$(PEERS)/bin/pip install -qq --require-hashes -r $<
	$(BIN)/python -m ekiden_native setup --postgresql
	touch $@

$(BIN)/python:
	@for python in python3 python3.13 python3.12 python3.11 ''; do
		if [ -z "$$python" ]; then
			echo "Ekiden needs Python 3.11 or newer, and there is none on the PATH. Install one, for example: apt-get install python3" >&2
			exit 1
		fi
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
	done
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then
		package="python$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
		if [ "$$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
			echo "Python's venv module is missing. Run: sudo apt-get install $$package" >&2
			exit 1
		fi
		echo "Installing $$package …"
		apt-get update -qq
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$$package" >/dev/null
	fi
	"$$python" -m venv $(VENV)
