# hanse: all there is to know. `make` alone tells the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup check test docs demo bench lock clean

help: ## tell the targets
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("hanse needs Python 3.11 or newer; name one with make PYTHON=…" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python requirements/run.txt pyproject.toml
	@echo "installing hanse into $(VENV)" >&2
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@echo "installing the tools of development" >&2
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

setup: $(VENV)/.dev ## make .venv with hanse and the tools of development
	@if [ -d .git ]; then $(BIN)/pre-commit install >/dev/null; fi

check: $(VENV)/.dev ## format, lint, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: $(VENV)/.dev ## every test, on all cores
	$(BIN)/pytest -n auto $(ARGS)

docs: $(VENV)/.dev ## write docs/reference from the code
	$(BIN)/python -m docs.generate

demo: $(VENV)/.run ## a whole mesh on this machine (ARGS=--once: ask, print, end)
	@$(BIN)/hanse demo $(ARGS)

bench: $(VENV)/.dev ## every benchmark, one JSON line each
	@for file in benchmarks/[a-z]*.py; do $(BIN)/python $$file $(ARGS) || exit 1; done

lock: $(BIN)/python ## renew the requirement locks (hashes, no addresses)
	@$(PIP) install uv
	$(BIN)/uv pip compile -q pyproject.toml --group build --group dev --extra postgres --extra s3 --extra adbc --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements/dev.txt
	$(BIN)/uv pip compile -q pyproject.toml --group build -c requirements/dev.txt --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements/run.txt

clean: ## remove what make made
	rm -rf $(VENV) hanse-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
