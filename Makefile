# make cfa: set everything up and run the benchmark on the CFA-style exams.
# make test: set everything up and run the checks and the tests.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup cfa test lint clean

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

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

clean:
	rm -rf .venv build *.egg-info
