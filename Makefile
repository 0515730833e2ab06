# Everything here sets itself up. Steps are told on stderr; stdout belongs to what was asked for.
.DEFAULT_GOAL := help
.PHONY: help install build generate check test bench run wheel
BENCH ?= overhead

help: ## Say what can be made.
	@sed -n -E 's/^([a-z]+):.*## (.*)/make \1	\2/p' Makefile

install: ## Make .venv with the server and its plugins.
	@scripts/setup.sh run

build: ## Build the Rust core into .venv again, whether it changed or not.
	@scripts/setup.sh run --rebuild

generate: ## Write the generated code and docs again.
	@scripts/setup.sh dev
	@.venv/bin/python scripts/generate.py

check: ## Lint, types, wire rules and generated files.
	@scripts/setup.sh dev
	@scripts/check.sh

test: ## Everything: check, the Rust tests and the Python tests.
	@scripts/setup.sh dev
	@scripts/test.sh $(ARGS)

bench: ## Measure: make bench BENCH=overhead ARGS=--quick
	@scripts/setup.sh run
	@.venv/bin/alejo bench $(BENCH) $(ARGS)

run: ## Talk with the assistant: make run ARGS="..."
	@scripts/setup.sh run
	@.venv/bin/alejo chat $(ARGS)

wheel: ## Build wheels of alejo and its plugins into dist/; where they are installed, no Rust is needed.
	@scripts/setup.sh dev
	@scripts/wheel.sh dist
