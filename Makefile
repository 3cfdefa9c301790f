# make demo, make test: all that a fresh clone needs. Everything lands in .venv; nothing else on the machine is touched.
VENV := .venv
INSTALLED_BY := pyproject.toml constraints.txt scripts/install
PYTEST := $(VENV)/bin/pytest
ARGS ?=
export PYTHON

.PHONY: help demo test coverage coverage-core bench science check docs image testbed-up testbed-down testbed-shell clean distclean

help:
	@echo "make demo      install idleq into .venv and run a training job in the idle gaps of a small busy cluster"
	@echo "make test      install what development needs too, and run every test (ARGS=... is passed to pytest)"
	@echo "make check     formatting, lint, types, layers, dependencies, then the tests"
	@echo "make coverage  which lines and branches the quick tests reach; the core must be reached whole"
	@echo "make coverage-core"
	@echo "               the core's unit tests alone, which must reach every branch of it"
	@echo "make bench     run the benchmarks; the table is also written to bench/results.json"
	@echo "make science   train, generate and judge images and time-ordered data through idleq, and print the figures beside the papers'"
	@echo "               (ARGS=--tiny to try it, ARGS=\"--part main\" for the main models alone, which takes about an hour; ARGS=\"--part seeds\" for other seeds too)"
	@echo "make docs      write the pages that are made from the code"
	@echo "make image     build the image of the workloads (BASE=NAME to start from another image, ENGINE=podman, WHEELS=FOLDER)"
	@echo "make testbed-up|testbed-down|testbed-shell"
	@echo "               a real Slurm cluster on this machine, for tests (Debian, as root; ARGS=\"--compute 5\" for more nodes, ARGS=\"n1 --user=bob\" for a shell elsewhere)"
	@echo "make clean     remove what builds, tests and tools have left (distclean: .venv as well)"

demo: $(VENV)/.installed-demo
	$(VENV)/bin/idleq demo $(ARGS)

test: $(VENV)/.installed-dev
	scripts/test $(ARGS)

coverage: $(VENV)/.installed-dev
	$(PYTEST) -n 2 --dist loadgroup --cov --cov-report= tests/unit tests/contract tests/property $(ARGS)
	$(VENV)/bin/coverage report
	$(VENV)/bin/coverage report --include='scheduler/core/*' --fail-under=100

coverage-core: $(VENV)/.installed-dev
	$(PYTEST) -n 0 -q -p no:cacheprovider -m "not hypothesis" --cov=scheduler/core --cov-report=term-missing:skip-covered --cov-fail-under=100 tests/unit/scheduler/core

check: $(VENV)/.installed-dev
	scripts/check

bench: $(VENV)/.installed-dev
	$(VENV)/bin/python -m bench.run $(ARGS)

science: $(VENV)/.installed-dev
	$(VENV)/bin/python -m bench.science $(ARGS)

docs: $(VENV)/.installed-dev
	$(VENV)/bin/python scripts/lifecycle-diagram
	$(VENV)/bin/python scripts/exit-codes
	$(VENV)/bin/python scripts/cli-reference
	$(VENV)/bin/python scripts/workload-reference
	$(VENV)/bin/python scripts/configuration-reference

image:
	ENGINE=$(or $(ENGINE),docker) BASE=$(BASE) WHEELS=$(WHEELS) scripts/image

testbed-up testbed-down testbed-shell: testbed-%: $(VENV)/.installed-dev
	PYTHONPATH=tests $(VENV)/bin/python -m testbed $* $(ARGS)

clean:
	rm -rf build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)

$(VENV)/.installed-demo: $(INSTALLED_BY)
	@scripts/install demo

$(VENV)/.installed-dev: $(INSTALLED_BY)
	@scripts/install dev
