# Two commands: `make demo` builds a model you can talk to, `make test` runs the tests.
# Both set up .venv first; both may be interrupted and run again.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test setup check lock clean

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
.venv/ready: pyproject.toml constraints.txt requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "smolforge needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "Installing into .venv (once; torch is the largest part) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch .venv/ready

# Every file that `make setup` may install, by its hash, for every system; of torch and what comes with it
# there are builds for each kind of accelerator, so those are pinned by version alone (constraints.txt).
WITH_TORCH := torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti nvidia-cuda-nvrtc \
  nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver nvidia-cusparse \
  nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx
lock: setup
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev -c constraints.txt --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate $(WITH_TORCH:%=--no-emit-package %) --quiet -o requirements.lock

clean:
	rm -rf .venv
