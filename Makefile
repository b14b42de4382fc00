# scan     run the demonstration (or: make scan ARGS="config.toml --out DIR")
# test     everything CI runs: lint, types, tests, doctests
# check    the lint and types of it
# slow     the tests that take minutes
# bench    compare with peers
# figures  draw the papers' figures, training what is missing
# docs     build the documentation as a site, running every example in it
# theorems go through every proof and write docs/theorems.md
# presets  run the published experiments, quick, and write docs/presets.md (or: ARGS="depth lag-2")

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

# Two test workers share the cores; threads inside each would only get in each other's way. A file
# is one worker's, which makes its fixtures once; and what was compiled is kept for the processes
# that the tests start.
PYTEST := OMP_NUM_THREADS=1 GOMP_SPINCOUNT=3000 PYTHONDONTWRITEBYTECODE= \
	$(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: scan test check slow bench figures docs theorems presets

scan: $(STAMP)
	$(BIN)/landscape scan $(ARGS)

test: check
	$(PYTEST) $(ARGS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

slow: $(STAMP)
	$(PYTEST) -m slow $(ARGS)

bench: $(STAMP)
	$(BIN)/python -m benchmarks $(ARGS)

figures: $(STAMP)
	$(BIN)/landscape figures $(ARGS)

# The proofs are gone through first: the pages take them from the cache.
docs: $(STAMP)
	$(BIN)/python -c 'from theory.statements.records import all_records; all_records()'
	$(BIN)/python -m sphinx -b html -n -W --keep-going docs docs/_build/html $(ARGS)

theorems: $(STAMP)
	$(BIN)/python -m theory.export $(ARGS)

presets: $(STAMP)
	$(BIN)/python -m landscape.scanning.presets $(ARGS)

# Rerun when the requirements change; a failed install leaves no stamp.
$(STAMP): pyproject.toml constraints.txt
	rm -f $@
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev]'
	touch $@
