# Targets of s2i_teach. The environment is .venv in this folder; Python 3.11 or newer, pip and make are all it needs.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test lab notebooks data benchmark clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: .venv/.base  ## translate every embedded sketch; pictures and a sheet in out/
	@$(BIN)/s2i demo --out out

test: .venv/.test  ## run the whole test suite
	$(BIN)/python -m pytest

lab: .venv/.lab  ## open JupyterLab at the first lesson
	$(BIN)/s2i lab

notebooks: .venv/.test  ## make notebooks/*.ipynb and notebooks/teacher/*.ipynb from notebooks/source/*.py
	$(BIN)/python -m notebooks.build

data: .venv/.test  ## build data/pairs and data/sketches anew (needs npm and the network)
	$(BIN)/s2i train data

benchmark: .venv/.test  ## print the miniature's figures
	$(BIN)/python -m benchmarks.miniature

clean:  ## remove the environment and what was made
	rm -rf .venv out build dist

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; this is `$(PYTHON) --version`. Use: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.base: .venv/.python pyproject.toml constraints.txt
	$(PIP) -e .
	@touch $@

.venv/.test: .venv/.base
	$(PIP) -e ".[test,train]"
	@touch $@

.venv/.lab: .venv/.base
	$(PIP) -e ".[lab]"
	@touch $@
