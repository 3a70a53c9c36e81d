# `make quickstart` sets up and runs the main job; `make test` sets up and runs the tests. Both need Python 3.11+ only.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := crop_reasoning data_builders tests benchmarks

.PHONY: quickstart test test-slow lint clean

quickstart: $(VENV)/installed
	$(BIN)/crop-reasoning quickstart

test: $(VENV)/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(VENV)/installed
	$(BIN)/python -m pytest -m slow --timeout 1200

lint: $(VENV)/installed
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

# torch first and by its exact version: a plain `torch` would fetch gigabytes of CUDA libraries
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[train,serve,samples,subjects,dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
