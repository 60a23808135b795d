# Targets of s2i_teach. The environment is .venv in this folder; Python 3.11 or newer, pip and make are all it needs.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-lessons test-browser screenshots lab notebooks data benchmark clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: .venv/.base  ## translate every embedded sketch; pictures and a sheet in out/
	@$(BIN)/s2i demo --out out

test: .venv/.test .venv/.browser  ## run the test suite, the browser's part included, without whole lessons
	$(BIN)/python -m pytest -m "not lessons" -n 2 --dist loadgroup

test-lessons: .venv/.test  ## run every cell of every lesson, in the student's and the teacher's edition
	$(BIN)/python -m pytest -m lessons -n 2 --dist loadgroup

test-browser: .venv/.test .venv/.browser  ## run what is tested in a real browser, in JupyterLab and with Colab's versions
	$(BIN)/python -m pytest tests/browser -n 2 --dist loadgroup

lab: .venv/.lab  ## open JupyterLab at the first lesson
	$(BIN)/s2i lab

screenshots: .venv/.test .venv/.browser  ## take the README's pictures of pad and studio anew
	S2I_PICTURES=build/screens $(BIN)/python -m pytest tests/browser -k "traced or learner"
	cp build/screens/pad-lab.webp docs/pad.webp
	cp build/screens/studio-lab.webp docs/studio.webp

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
	$(PIP) --no-deps --upgrade --target .venv/gdown5 gdown==5.2.2
	@touch $@

# A second environment with Colab's versions of what notebooks run on; all else it takes from the first.
.venv/.browser: .venv/.test tests/browser/colab.txt
	$(PYTHON) -m venv .venv/colab
	.venv/colab/bin/python -m pip install --quiet --disable-pip-version-check -r tests/browser/colab.txt
	$(BIN)/python -m tests.browser.install
	@touch $@

.venv/.lab: .venv/.base
	$(PIP) -e ".[lab]"
	@touch $@
