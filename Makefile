# Two commands: `make demo` builds a model you can talk to, `make test` runs the tests.
# Both set up .venv first; both may be interrupted and run again.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test setup check clean

demo: setup
	$(BIN)/smol run quickstart

test: setup
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

setup: .venv/ready

# The stamp is written last, so an interrupted installation is taken up again; a half-made
# environment without a working pip is made anew.
.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "smolforge needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "Installing into .venv (once; torch is the largest part) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch .venv/ready

clean:
	rm -rf .venv
