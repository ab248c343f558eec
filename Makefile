# make demo   sets everything up in .venv and ends with a report about a force field trained in minutes
# make test   sets everything up and passes all tests
# make docs   builds the documentation into site/
# Needs python3 (3.11 or newer) with venv and pip, and a C++ compiler.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# one thread a process: the demo and the tests run side by side on the cores themselves
export OMP_NUM_THREADS ?= 1

.PHONY: demo test check docs clean

demo: $(VENV)/installed
	$(BIN)/mdaug demo --overwrite --out runs/demo

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest

check: $(VENV)/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/installed-dev
	$(BIN)/mkdocs build --strict --quiet

# an editable install follows the code by itself; it is made anew when what it needs changes
$(VENV)/installed: pyproject.toml | $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[xtb]'
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/installed

$(VENV):
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) site .pytest_cache .ruff_cache .mypy_cache .hypothesis
