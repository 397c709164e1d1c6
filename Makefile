# `make train` and `make test` do all of their own set-up. PYTHON chooses the interpreter.
PYTHON ?= python3
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
VENV := .venv-$(VERSION)
READY := $(VENV)/ready

.PHONY: train test lint setup

train: setup
	$(VENV)/bin/python -m munit_tf.train --dataset=shapes

test: setup
	$(VENV)/bin/python -m pytest

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

setup: $(READY)

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9) and "Python 3.9 or later is needed: make PYTHON=python3.11 ...")'
	@echo "Setting up $(VENV), once: a minute or a few."
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@$(VENV)/bin/python -m pip install --quiet --editable '.[test]'
	@touch $(READY)
