# Two commands for a fresh machine: make demo, make test. Both first make .venv with everything in it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test test-fast lint gradcheck hostile chapters bench clean

help:
	@echo "make demo       three minutes: prove an LSTM's gradients, train it, write runs/demo/report.html"
	@echo "make test       every test (under 8 minutes on two cores)"
	@echo "make test-fast  the tests that take seconds"
	@echo "make gradcheck  every operation, cell, layer and loss against finite differences"
	@echo "make hostile    10,000 wrong arguments, damaged files, failing disks, and 100 kills of runs of every model"
	@echo "make chapters   run and store the notebooks"
	@echo "make bench      speed, against PyTorch if it is installed in $(VENV)"

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $(READY)

demo: $(READY)
	$(BIN)/minirnn demo

test: $(READY) lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-fast: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow"

lint: $(READY)
	$(BIN)/ruff check .

gradcheck: $(READY)
	$(BIN)/minirnn gradcheck --all --jobs 2

hostile: $(READY)
	$(BIN)/python tests/hostile/attack.py --tries 10000 --seed 0 --kills 100 --json tests/hostile/figures.json

chapters: $(READY)
	$(BIN)/minirnn chapters build

bench: $(READY)
	$(BIN)/minirnn bench $$($(BIN)/python -c 'import torch' 2>/dev/null && echo --against torch --torch-m)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
