# `make` lists the targets. Everything runs from the checkout in .venv; nothing is installed outside it except
# the system packages that tools/system-packages names.
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

python := .venv/bin/python
pip := $(python) -m pip --quiet --disable-pip-version-check --no-input install --require-hashes
compile := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
           --no-header --no-emit-index-url --no-emit-find-links

.PHONY: help setup demo serve test check lint types bench bench-http torture requirements clean browser programs servers

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: .venv/bus-ready  ## Fetch a real page with a real browser, from the submit to the verdict on power
	@$(python) -m examples.demo

serve: .venv/bus-ready  ## Serve on http://127.0.0.1:8000 until Ctrl-C; jobs are kept in ./var
	@$(python) -m gunicorn -c gunicorn.conf.py

# Sets of strings come in one order, so what a test draws at random here it draws on every machine.
test: export PYTHONHASHSEED ?= 0
test: .venv/tools-ready  ## Run every test: first those that share the machine, then those that need it alone
	@echo "Testing …"
	@$(python) -m pytest -n 2 -m "not alone"
	@echo "Testing, one at a time, what needs the machine alone …"
	@$(python) -m pytest -m alone

check: lint types test  ## Run all that CI runs: style, types, tests

lint: .venv/tools-ready  ## Check style and format; `.venv/bin/ruff format .` mends the latter
	@echo "Checking style …"
	@$(python) -m ruff check --quiet .
	@$(python) -m ruff format --quiet --check .

types: .venv/tools-ready  ## Check types
	@echo "Checking types …"
	@$(python) -m mypy

bench: .venv/tools-ready .venv-peers/ready | servers  ## Measure the bus beside other queues, rewrite docs/benchmarks.md (an hour; OPTIONS=--quick)
	@$(python) -m benchmarks $(OPTIONS)

bench-http: .venv/tools-ready  ## Measure polls that find nothing new beside a bare Flask route (three minutes)
	@$(python) -m benchmarks.conditional $(OPTIONS)

torture: .venv/tools-ready  ## Try every promise at whole effort, for an hour, and write docs/guarantees.md (as root)
	@$(python) -m tests.faults.torture

setup: .venv/tools-ready  ## Install everything that running, testing and checking need
	@# A service may not write here: its every start would compile all modules anew.
	@$(python) -m compileall -q actions api cloud config core queues services *.py

requirements: .venv/tools-ready  ## Compile requirements*.in to the pinned, hashed requirements*.txt
	@for name in requirements requirements-audio requirements-dev requirements-client requirements-engines \
	    requirements-peers; do \
	    echo "Compiling $$name.txt …"; $(compile) $$name.in --output-file $$name.txt || exit 1; \
	done

clean:  ## Remove what make and the tools built; jobs in ./var stay
	rm -rf .venv .venv-peers .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: a recipe runs again only when the requirements it installs have changed. The programs that come from
# system packages are looked for every time, which takes milliseconds.
.venv/bus-ready: requirements.txt | browser
	@tools/make-venv
	@echo "Installing Python packages …"
	@$(pip) -r requirements.txt
	@touch $@

.venv/tools-ready: requirements-dev.txt requirements-engines.txt requirements-audio.txt .venv/bus-ready \
                   .venv/apps-script-types/ready | programs
	@echo "Installing Python packages for tests and checks …"
	@$(pip) -r requirements.txt -r requirements-dev.txt -r requirements-engines.txt
	@# Not every machine has the recogniser ready-made; without it transcribe_audio says what to do.
	@$(pip) --only-binary :all: -r requirements-audio.txt || \
	    { echo "Not here: what transcribe_audio needs (requirements-audio.txt)." >&2; [ "$$CI" != true ]; }
	@touch $@

# TypeScript and the types of Google's services check examples/google_apps_script. Nothing of it runs in the bus.
.venv/apps-script-types/ready: tests/apps_script/types/package-lock.json .venv/bus-ready | programs
	@echo "Installing what checks the script for Google Sheets …"
	@mkdir -p $(@D)
	@cp tests/apps_script/types/package.json tests/apps_script/types/package-lock.json $(@D)
	@cd $(@D) && npm ci --silent --ignore-scripts --no-audit --no-fund || \
	    { echo "Not here: TypeScript (tests/apps_script/types)." >&2; [ "$$CI" != true ]; }
	@touch $@

# The queues that are compared with have an environment of their own: what they need is nothing to the bus.
.venv-peers/ready: requirements-peers.txt | .venv/bus-ready
	@echo "Installing the queues that the bus is measured beside …"
	@$(python) -m venv --clear .venv-peers
	@$(subst .venv/,.venv-peers/,$(pip)) -r requirements-peers.txt
	@touch $@

browser:
	@tools/system-packages chromium chromedriver

programs:
	@tools/system-packages curl systemd-analyze mkfs.xfs mkfs.ext4 strace unshare redis-server node npm espeak-ng flac lame oggenc shellcheck zsh fish

servers:
	@tools/system-packages redis-server postgres gcc mkfs.ext4 mkfs.xfs
