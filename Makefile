# `make demo` and `make test` need Python 3.11 or newer and make; everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: demo quick test test-all coverage check docs clean
demo: $(STAMP)
	$(BIN)/edgekit compress --data digits --recipe distill-channels-qat -o demo/bundle --force
	$(BIN)/edgekit bench demo/bundle --processes 5 --min-seconds 0.3 --out demo/records

PYTEST := $(BIN)/pytest -q --numprocesses auto --maxprocesses 4 --dist worksteal

# Everything that needs neither TensorFlow nor processes of its own: less than a minute.
quick: $(STAMP)
	$(PYTEST) --quick

# Everything but whole commands, trainings and searches from end to end; how long each folder and the slowest tests took
# is in build/durations.txt.
test: $(STAMP)
	$(PYTEST) -m 'not e2e' --durations-file=build/durations.txt

# Everything.
test-all: $(STAMP)
	$(PYTEST) --durations-file=build/durations.txt

# Everything, slower, and which lines of each room they ran, in build/coverage.txt.
coverage: $(STAMP)
	mkdir -p build
	$(PYTEST) --durations-file=build/durations.txt --cov --cov-report=
	$(BIN)/python -m tests.support.coverage

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(STAMP)
	$(BIN)/python -m tests.docs

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "edgekit needs Python 3.11 or newer; make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	# compat: a script in the folder above would else find this folder, `edgekit`, in place of the package.
	$(BIN)/pip install --quiet --constraint constraints.txt --config-settings editable_mode=compat --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv demo
