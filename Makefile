PYTHON ?= python

.PHONY: check lint types layers test generated bench

check: lint types layers test

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

layers:
	$(PYTHON) -c "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"

test:
	$(PYTHON) -m pytest -n 2

# docs/configuration.md and docs/schema/ are made from the models; a test fails when they are stale
generated:
	$(PYTHON) -m evalkit.workflows.generated

bench:
	$(PYTHON) benchmarks/runner.py
