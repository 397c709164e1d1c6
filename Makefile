# `make train`, `make test`, `make lint` and `make docs` create their own environment. PYTHON selects the interpreter.
PYTHON ?= python3
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
VENV := .venv-$(VERSION)
READY := $(VENV)/ready
DOCS_READY := $(VENV)/docs-ready

.PHONY: train test lint docs setup

train: setup
	$(VENV)/bin/python -m munit_tf.train --dataset=shapes

test: setup
	$(VENV)/bin/python -m pytest

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "mypy needs Python 3.10 or later: make lint PYTHON=python3.11")'
	$(VENV)/bin/mypy

# Builds the site in site/. Warnings of Zensical, and of griffe, which parses the docstrings, are errors.
docs: $(DOCS_READY)
	@$(VENV)/bin/zensical build --strict --clean >$(VENV)/docs.log 2>&1; status=$$?; cat $(VENV)/docs.log; \
	  ! grep -q '^griffe:' $(VENV)/docs.log && exit $$status

setup: $(READY)

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9) and "Python 3.9 or later is needed: make PYTHON=python3.11 ...")'
	@echo "Setting up $(VENV) (only once): takes a few minutes."
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@$(VENV)/bin/python -m pip install --quiet --editable '.[test]'
	@touch $(READY)

$(DOCS_READY): $(READY)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "The documentation needs Python 3.10 or later: make docs PYTHON=python3.11")'
	@$(VENV)/bin/python -m pip install --quiet --editable '.[docs]'
	@touch $(DOCS_READY)
