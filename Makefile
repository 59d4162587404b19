# make cfa: set everything up and run the benchmark on the CFA-style exams.
# make test: set everything up and run the checks and the tests.
# make bench: measure beside other programs (half an hour on two idle cores).

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup cfa test lint bench clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(READY)

cfa: $(READY)
	$(BIN)/python run_all.py --task cfa

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

# The others that tests/benchmarks measures against, in an environment of their own.
.venv-bench/.ready: requirements.lock tests/benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/benchmarks/requirements.txt
	@touch .venv-bench/.ready

bench: .venv-bench/.ready
	OMP_WAIT_POLICY=PASSIVE .venv-bench/bin/python tests/benchmarks

clean:
	rm -rf .venv .venv-bench build *.egg-info
