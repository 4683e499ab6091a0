# Every target does its own set-up: Debian packages, virtual environment, the lab's mail server.
# As root or with sudo, on Debian 12 or a current Ubuntu, from any state, again and again.
SHELL   := /bin/bash
VENV    := .venv
PY      := $(VENV)/bin/python
SUDO    := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E)
WORKERS ?= 2
LIVELY ?= 3

.PHONY: help setup demo test unit golden integration e2e faults lint bench accuracy corpus coverage clean

help:
	@echo "make demo          a whole hosting platform and its guard on this machine, until Ctrl-C"
	@echo "make demo ONCE=1   plays the story once and ends 0 only if every step held"
	@echo "make test          every test: lint, unit, golden, integration, faults, browser"
	@echo "make bench         the figures of the README     make coverage  what the tests reach"

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml debian-packages.txt packaging/install-debian.sh
	$(SUDO) packaging/install-debian.sh debian-packages.txt
	[ -x $(PY) ] || python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(SUDO) $(PY) -m fwguard.lab.packages
	@touch $@

demo: setup
	$(SUDO) $(VENV)/bin/fwguard demo $(if $(ONCE),--once) $(if $(RUN),--run $(RUN))

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# Coverage makes Python three times as slow: it is shown of the rooms that decide and remember, and `make
# coverage` shows it of all. Real daemons and browsers wait more than they work: there are more workers than
# cores. What failed while they shared two cores is asked once more, alone: a fault fails again.
PYTEST := $(PY) -m pytest -q
DECIDING := $(addprefix tests/unit/,approvals flows listen mail store work)
REST := $(filter-out $(DECIDING) %/conftest.py %/__pycache__,$(wildcard tests/unit/*)) tests/golden
ALIVE := tests/integration tests/faults tests/e2e
AGAIN := --last-failed --last-failed-no-failures=none
test: lint
	$(SUDO) $(PYTEST) -n $(WORKERS) $(REST) || $(SUDO) $(PYTEST) $(AGAIN) $(REST)
	$(SUDO) $(VENV)/bin/coverage erase
	$(SUDO) $(PYTEST) -n $(WORKERS) --cov --cov-report=term $(DECIDING) || $(SUDO) $(PYTEST) $(AGAIN) $(DECIDING)
	$(SUDO) $(PYTEST) -n $(LIVELY) --dist loadgroup $(ALIVE) || $(SUDO) $(PYTEST) $(AGAIN) $(ALIVE)

unit golden integration e2e faults: setup
	$(SUDO) $(PY) -m pytest -n $(WORKERS) --dist loadgroup tests/$@

bench: setup
	$(SUDO) $(VENV)/bin/fwguard bench all --json

accuracy: setup
	$(PY) -m fwguard.bench.accuracy ../shared/corpus/pcap

corpus: setup
	$(PY) -m fwguard.bench.corpus ../shared/corpus/firewalls

coverage: setup
	$(SUDO) $(PY) -m pytest -n $(WORKERS) --dist loadgroup --cov --cov-report=html tests

clean:
	rm -rf $(VENV) htmlcov .coverage*
