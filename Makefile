# Everything that a clone needs. `make demo` and `make test` do their own set-up.

PY := .venv/bin/python
SUPPORT := tests/support tests/conftest.py tests/live/conftest.py

.DEFAULT_GOAL := help
.PHONY: help demo test check unit long bench venv servers prosody clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: venv prosody ## play the main job beside a private Prosody (ONCE=1: end by itself)
	@ONCE=$(ONCE) $(PY) deploy/demo/play.py

test: venv servers check ## check, then every test beside real servers
	@$(PY) -m pytest

check: venv ## style, types and the direction of imports
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@MYPYPATH=tests:component .venv/bin/mypy --explicit-package-bases $(SUPPORT)
	@MYPYPATH=deploy/demo:component .venv/bin/mypy --explicit-package-bases deploy/demo/play.py
	@.venv/bin/lint-imports

unit: venv ## the tests that need no server: seconds
	@$(PY) -m pytest tests/unit --hypothesis-profile quick

long: venv servers ## the full sizes of what `make test` does in small
	@$(PY) -m pytest -m long

bench: venv ## measure what stanzas and sessions cost
	@for script in tests/bench/*.py; do echo "$$script" && $(PY) "$$script" || exit; done

venv: .venv/installed ## make .venv and install the project into it
	@:

.venv/installed: pyproject.toml constraints.txt
	@deploy/make-venv

servers: ## install Prosody, ejabberd and PostgreSQL from Debian's packages; starts none
	@deploy/install-servers all

prosody:
	@deploy/install-servers prosody

clean: ## remove .venv and every cache
	@rm -rf .venv .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
