PYTHON ?= python

.PHONY: check lint types layers test test-all test-doors test-downloads test-ray test-simulations generated bench bench-peers bench-gateway soak kills fuzz

# CI runs what `make test` ran already only once: make check TESTS=test-doors
TESTS ?= test-all
check: lint types layers $(TESTS)

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

layers:
	$(PYTHON) -c "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"

# what runs in one process: units and the simulations
test:
	$(PYTHON) -m pytest -n 2 --dist worksteal tests/unit tests/statistics -m "not downloads and not ray"

# and the command line, faults, and real clients and servers
test-all:
	$(PYTHON) -m pytest -n 2 --dist worksteal -m "not downloads and not ray"

# what `make test` leaves out of test-all: those, and units that need the extra `embeddings`
test-doors:
	$(PYTHON) -m pytest -n 2 --dist worksteal tests/cli tests/faults tests/peers -m "not downloads and not ray"
	$(PYTHON) -m pytest tests/unit -m embeddings

# what asks a package registry, once: GitHub's description of its API
test-downloads:
	$(PYTHON) -m pytest -m downloads

# runs on a Ray cluster of three nodes on this machine: needs the extra `ray`
test-ray:
	EVALKIT_REQUIRE_RAY=1 $(PYTHON) -m pytest -m ray tests/peers/test_ray.py tests/cli/test_engines.py

# minutes of draws: the tables of the gate's error rates, for half a percentage point
test-simulations:
	$(PYTHON) -m pytest -n 2 --dist worksteal tests/statistics -m full_simulation

# docs/configuration.md and docs/schema/ are made from the models; a test fails when they are stale
generated:
	$(PYTHON) -m evalkit.workflows.generated

bench:
	$(PYTHON) benchmarks/runner.py
	$(PYTHON) benchmarks/gate.py
	$(PYTHON) benchmarks/history.py
	$(PYTHON) benchmarks/ledger.py
	$(PYTHON) benchmarks/report.py
	$(PYTHON) benchmarks/session_cost.py

# installs other tools once, then each does the same work: minutes at N = 2,000, more at 10,000 without
# latency, where deepeval's cache (hours) is left out
bench-peers:
	$(PYTHON) -m benchmarks.peers
	$(PYTHON) -m benchmarks.peers --cases 10000 --latency-ms 0 --times 1 --skip deepeval-cached

# installs litellm once; ten minutes
bench-gateway:
	$(PYTHON) benchmarks/gateway.py

# minutes: 20,000 calls against a server that misbehaves; fails where the books do not agree
soak:
	$(PYTHON) benchmarks/soak.py

# half an hour: 200 kills and interruptions of runs at drawn moments, held against undisturbed runs
kills:
	$(PYTHON) -m tests.faults.killing --kills 200 --signals

# guided by coverage; needs atheris, which is no dependency: make fuzz TARGET=config SECONDS=300
TARGET ?= config
SECONDS ?= 300
fuzz:
	nice -n 19 $(PYTHON) -m tests.faults.fuzzing.coverage_guided $(TARGET) $(SECONDS)
