# Everything a developer runs. Each target sets up what it needs first; the second time that costs nothing.
#
#   make PYTHON=python3.12 test     another interpreter (3.11 or newer, with pip)
#   make VENV=/some/where demo      another place for the virtual environment
#   make test ARGS="-k redact -x"   arguments for pytest, for the demo, for the bench
#   make TORCH_INDEX=https://download.pytorch.org/whl/cpu torch    where torch for the CPU comes from, if not from your own index

PYTHON = python3
VENV = .venv
ARGS =
TORCH_INDEX =

SHELL := /bin/bash
BIN := $(VENV)/bin
# What is installed is known by what was asked for, not by time stamps, which a checkout makes anew.
KEY := $(shell cat pyproject.toml constraints.txt requirements/* | cksum | tr ' ' '-')
PIP_FLAGS := --disable-pip-version-check --no-input install --quiet --progress-bar off
PIP = $(PYTHON) -m pip --python "$(BIN)/python" $(PIP_FLAGS) -c constraints.txt
CLIENTS := .make/clients
CLIENTS_PIP = $(PYTHON) -m pip --python "$(CLIENTS)/bin/python" $(PIP_FLAGS) -c requirements/clients.lock
NODE := tests/clients/node
AUDIT := .make/audit
TORCH := .make/torch
SCHEMAS := .make/schemas
SCHEMAS_NODE := tests/deploy/node
TORCH_PIP = $(PYTHON) -m pip --python "$(TORCH)/bin/python" $(PIP_FLAGS) -c constraints.txt -c requirements/torch.lock
BUILD_TOOLS := hatchling editables setuptools wheel

.DEFAULT_GOAL := help
.PHONY: help demo test check format quality bench fuzz failures soak audit clients torch setup setup-clients setup-schemas setup-torch clean
.DELETE_ON_ERROR:
# A stranger's shell must not reach into the environment we build.
unexport PYTHONPATH PYTHONHOME PYTHONOPTIMIZE PYTHONWARNINGS VIRTUAL_ENV PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV PIP_NO_DEPS PIP_CONSTRAINT

help:  ## Show this list
	@echo 'make TARGET'; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-9s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.ready/demo-$(KEY)  ## The proxy in front of an embedded model; prints what to paste (ARGS=--show for a guided tour)
	@"$(BIN)/sluicegate" demo $(ARGS)

test: $(VENV)/.ready/dev-$(KEY)  ## All tests
	@"$(BIN)/python" -m pytest $(ARGS)

check: $(VENV)/.ready/dev-$(KEY)  ## Format, lint, types, import contract, freshness of the policy schema
	"$(BIN)/ruff" format --check
	"$(BIN)/ruff" check
	"$(BIN)/python" -m mypy
	"$(BIN)/lint-imports" --no-cache
	"$(BIN)/sluicegate" policy schema --check

format: $(VENV)/.ready/dev-$(KEY)  ## Put the code into shape
	"$(BIN)/ruff" format
	"$(BIN)/ruff" check --fix

quality: $(VENV)/.ready/bench-$(KEY)  ## How good the classifiers are, on labelled sets (writes bench/quality.md)
	@"$(BIN)/python" -m bench.quality $(ARGS)

bench: $(VENV)/.ready/dev-$(KEY)  ## What speed is measured with (see bench/README.md)
	@"$(BIN)/python" -m bench.run $(ARGS)

fuzz: $(VENV)/.ready/dev-$(KEY)  ## Fuzzing, twenty times as long as in the tests (ARGS="-k policies")
	@SLUICEGATE_FUZZ=20 "$(BIN)/python" -m pytest tests/fuzz $(ARGS)

failures: $(VENV)/.ready/dev-$(KEY)  ## What becomes of requests when things break (writes bench/failures.md)
	@"$(BIN)/python" -m bench.failures $(ARGS)

soak: $(VENV)/.ready/dev-$(KEY)  ## Ten minutes of mixed load, and whether memory stays flat (ARGS="--minutes 3")
	@"$(BIN)/python" -m bench.soak $(ARGS)

# Asks PyPI for known vulnerabilities, which not every network reaches.
audit: $(VENV)/.ready/dev-$(KEY)  ## Known vulnerabilities of what we install; fails where it cannot tell
	@"$(AUDIT)/bin/python" -c '' 2>/dev/null || $(PYTHON) -m venv --clear --without-pip "$(AUDIT)"
	@$(PYTHON) -m pip --python "$(AUDIT)/bin/python" $(PIP_FLAGS) 'pip-audit>=2.7'
	@"$(AUDIT)/bin/python" requirements/audit.py $(ARGS)

clients: $(CLIENTS)/.ready-$(KEY)  ## Tests with third-party clients: LangChain, LlamaIndex, pydantic-ai, LiteLLM, openai-node
	@"$(CLIENTS)/bin/python" -m pytest -m clients tests/clients $(ARGS)

torch: $(TORCH)/.ready-$(KEY)  ## Tests with torch: Detoxify's package as the reference, and converting its models
	@"$(TORCH)/bin/python" -m pytest -m torch tests/classifiers/toxicity tests/cli $(ARGS)

setup-clients: $(CLIENTS)/.ready-$(KEY)
	@:

setup-torch: $(TORCH)/.ready-$(KEY)
	@:

setup-schemas: $(SCHEMAS)/.ready-$(shell cat Makefile $(SCHEMAS_NODE)/package-lock.json | cksum | tr ' ' '-')
	@:

setup: $(VENV)/.ready/dev-$(KEY)  ## The virtual environment with all that development needs
	@:

clean:  ## Remove what these targets made
	rm -rf "$(VENV)" .make .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Debian's python3 has pip but not always `ensurepip`: the environment is made without pip, and the interpreter's own pip fills it.
$(VENV)/.ready/tools-$(KEY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Sluicegate needs Python 3.11 or newer: make PYTHON=python3.11 …' >&2; exit 1; }
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { echo '$(PYTHON) has no pip: apt-get install python3-pip' >&2; exit 1; }
	@"$(BIN)/python" -c '' 2>/dev/null || $(PYTHON) -m venv --clear --without-pip "$(VENV)"
	@$(PIP) $(BUILD_TOOLS)
	@mkdir -p "$(@D)" && touch "$@"

$(VENV)/.ready/demo-$(KEY): | $(VENV)/.ready/tools-$(KEY)
	@echo 'Setting up $(VENV) (once) …'
	@$(PIP) --no-build-isolation -e '.[pii]'
	@touch "$@"

$(VENV)/.ready/dev-$(KEY): | $(VENV)/.ready/tools-$(KEY)
	@echo 'Setting up $(VENV) for development (once) …'
	@$(PIP) --no-build-isolation -e '.[pii,lang,postgres,otel,dev,fuzz]'
	@touch "$(@D)/demo-$(KEY)" "$@"

$(VENV)/.ready/bench-$(KEY): | $(VENV)/.ready/dev-$(KEY)
	@$(PIP) 'matplotlib>=3.8'
	@touch "$@"

# The clients want an older openai package than we do: they are tested in an environment of their own.
$(CLIENTS)/.ready-$(KEY): | $(VENV)/.ready/dev-$(KEY)
	@echo 'Setting up $(CLIENTS) with third-party clients (once) …'
	@"$(CLIENTS)/bin/python" -c '' 2>/dev/null || $(PYTHON) -m venv --clear --without-pip "$(CLIENTS)"
	@$(CLIENTS_PIP) $(BUILD_TOOLS)
	@$(CLIENTS_PIP) --no-build-isolation -r requirements/clients.txt -e '.[pii,lang,postgres,dev]'
	@if command -v npm >/dev/null && [ -f $(NODE)/package.json ]; then \
		npm --prefix $(NODE) ci --no-audit --no-fund --loglevel=error; fi
	@touch "$@"

# What others publish about their formats, for tests/deploy: of check-jsonschema only a file that it carries is wanted.
$(SCHEMAS)/.ready-%:
	@echo 'Setting up $(SCHEMAS) and $(SCHEMAS_NODE)/node_modules (once) …'
	@rm -rf $(SCHEMAS) && mkdir -p $(SCHEMAS)
	@$(PYTHON) -m pip $(PIP_FLAGS) --no-deps --target $(SCHEMAS) check-jsonschema==0.39.0
	@npm --prefix $(SCHEMAS_NODE) ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch "$@"

# With torch and transformers at hand Presidio would import them, and take seconds to start: they have an environment of their own.
$(TORCH)/.ready-$(KEY):
	@echo 'Setting up $(TORCH) with torch (once, 1.5 GB) …'
	@"$(TORCH)/bin/python" -c '' 2>/dev/null || $(PYTHON) -m venv --clear --without-pip "$(TORCH)"
	@$(TORCH_PIP) $(BUILD_TOOLS)
	@$(TORCH_PIP) --no-build-isolation $(addprefix --extra-index-url ,$(TORCH_INDEX)) -e '.[toxicity,convert,dev]'
	@touch "$@"
