# Targets explain themselves: `make help`. Everything runs in .venv, which the first target that needs it creates.
PYTHON ?= python3
VENV ?= .venv
EXP ?= resnext_cardinality
SCALE ?= laptop
BUDGET ?=
EACH ?= 6
N ?= 3
ARGS ?=
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help install dev replicate suite test lint smoke report bench faults verify site clean

help:  ## show this help
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "replicate needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

install: $(VENV)/installed  ## install the package and its pinned dependencies into .venv

dev: $(VENV)/installed-dev  ## the same with what tests and lint need

replicate: $(VENV)/installed  ## replicate a table: make replicate EXP=resnext_cardinality [SCALE=smoke|laptop|paper] [BUDGET=30m]
	$(BIN)/replicate run $(EXP) scale=$(SCALE) $(if $(BUDGET),budget=$(BUDGET)) $(ARGS)

suite: $(VENV)/installed  ## the whole catalogue within a budget, the runs that decide most first: make suite BUDGET=8h
	$(BIN)/replicate suite budget=$(or $(BUDGET),8h) scale=$(SCALE) $(ARGS)

test: $(VENV)/installed-dev  ## run the test suite
	$(BIN)/pytest -n auto --dist worksteal

lint: $(VENV)/installed-dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

smoke: $(VENV)/installed  ## every experiment and variant at smoke scale, results untouched
	$(BIN)/replicate smoke

report: $(VENV)/installed  ## make results/ and the README's tables again from the records, without training
	$(BIN)/replicate report
	$(BIN)/replicate readme

bench: $(VENV)/installed-dev  ## measure Trainer, loader and processes against their plain counterparts
	$(BIN)/python -m benchmarks

faults: $(VENV)/installed-dev  ## kill, starve and damage a sweep 200 times; fills the table in docs/faults.md (EACH=25: 1,000 times)
	$(BIN)/python -m benchmarks.faults --each $(EACH)

verify: $(VENV)/installed  ## do committed runs again, taken at random, and compare: make verify [N=3]
	$(BIN)/replicate verify n=$(N)

site: $(VENV)/installed  ## the static site, in site/
	$(BIN)/replicate site

clean:  ## remove the environment, caches and the site; runs/ and results/ stay
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
