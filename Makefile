# Targets of s2i_teach. The environment is .venv in this folder; Python 3.11 or newer, pip and make are all it needs.

# On Windows make needs a shell such as Git's.
ifeq ($(OS),Windows_NT)
PYTHON ?= python
SCRIPTS := Scripts
else
PYTHON ?= python3
SCRIPTS := bin
endif
BRANCH ?= main
BIN := .venv/$(SCRIPTS)
INSTALL := -m pip install --quiet --disable-pip-version-check
PIP := $(BIN)/python $(INSTALL) -c constraints.txt
CORE := $(addprefix tests/test_,theory.py images.py plan.py translate.py control.py)
PROSE := git ls-files '*.py' '*.js' '*.css' '*.md' '*.toml' '*.yml' '*.cff' Makefile

.DEFAULT_GOAL := help
.PHONY: help check demo test test-lessons test-library test-offline test-core test-lowest test-colab test-colab-lessons test-browser screenshots lab notebooks book test-book fork fork-check map data benchmark clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

check: .venv/.check  ## format, lint, types, spelling, workflows, links, and whether the notebooks are fresh
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/codespell $$($(PROSE))
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/python -m tests.links
	$(BIN)/python -m notebooks.fork --check
	$(BIN)/python -m notebooks.build --check

demo: .venv/.base  ## translate every embedded sketch; pictures and a sheet in out/
	@$(BIN)/s2i demo --out out

test: .venv/.test .venv/.browser  ## run the test suite, the browser's part included, without whole lessons
	$(BIN)/python -m pytest -m "not lessons" -n 2 --dist loadgroup

test-lessons: .venv/.test  ## run every cell of every lesson, in the student's and the teacher's edition
	$(BIN)/python -m pytest -m lessons -n 2 --dist loadgroup

test-library: .venv/.test  ## run what `make test` runs, the browser's part left out
	$(BIN)/python -m pytest -m "not lessons" -n 2 --dist loadgroup --ignore tests/browser

test-offline: .venv/.test .venv/.browser  ## run what `make test` runs with every way to other machines closed (Linux)
	unshare --net --map-root-user sh -c \
		'ip link set lo up && exec $(BIN)/python -m pytest -m "not lessons" -n 2 --dist loadgroup'

test-core: .venv/.test  ## run the tests of theory and main job alone
	$(BIN)/python -m pytest $(CORE)

test-lowest: .venv/.lowest  ## run the same with the oldest versions that pyproject.toml allows
	.venv/lowest/$(SCRIPTS)/python -m pytest $(CORE)

test-colab: .venv/.colab  ## run the same with Colab's versions
	.venv/colab-core/$(SCRIPTS)/python -m pytest $(CORE)

test-colab-lessons: .venv/.test .venv/.colab  ## run every cell of every lesson with Colab's versions
	S2I_KERNEL=$(CURDIR)/.venv/colab-core/$(SCRIPTS)/python $(BIN)/python -m pytest -m lessons -n 2 --dist loadgroup

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

book: .venv/.book  ## build the course as a web book that reads offline: build/book/index.html (needs npm once)
	$(BIN)/python -m book.build

test-book: .venv/.book .venv/.browser  ## look at the built book in a real browser
	S2I_BOOK=build/book $(BIN)/python -m pytest tests/test_book.py tests/browser/test_book.py

fork: .venv/.test  ## lead badges, set-up cells and links to a copy of your own: make fork REPO=owner/name BRANCH=main
	@$(BIN)/python -m notebooks.fork "$(REPO)" --branch "$(BRANCH)"

fork-check: .venv/.test  ## name what leads to another repository or branch, and notebooks that are not fresh
	$(BIN)/python -m notebooks.fork --check
	$(BIN)/python -m notebooks.build --check

map: .venv/.test  ## draw docs/lessons.svg, which lesson needs which
	$(BIN)/python -m notebooks.map

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

.venv/.check: .venv/.test
	$(PIP) -e ".[check]"
	@touch $@

.venv/.book: .venv/.test
	$(PIP) -e ".[book]"
	@touch $@

# pip takes the newest version that fits, uv can take the oldest.
.venv/.lowest: .venv/.python pyproject.toml
	$(BIN)/python $(INSTALL) uv
	$(PYTHON) -m venv --clear .venv/lowest
	$(BIN)/uv pip install --quiet --python .venv/lowest --resolution lowest-direct -e ".[test]"
	@touch $@

.venv/.colab: .venv/.python pyproject.toml tests/colab.txt
	$(BIN)/python $(INSTALL) uv
	$(PYTHON) -m venv --clear .venv/colab-core
	$(BIN)/uv pip install --quiet --python .venv/colab-core -r tests/colab.txt -e . pytest hypothesis
	@touch $@

.venv/.lab: .venv/.base
	$(PIP) -e ".[lab]"
	@touch $@
