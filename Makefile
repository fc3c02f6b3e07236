# The targets; each is a line or two. PYTHON picks the interpreter that .venv is made with.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo test check format bench docs release serve clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: .venv/.ready ## watch an agent use tools on real files, then sub-agents research documents
	@$(BIN)/langchain-kimi demo

test: check .venv/aegra/.ready ## run all checks and tests
	$(BIN)/pytest -n 2 --dist loadfile -q

check: .venv/.ready ## lint, formatter, strict types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: .venv/.ready ## apply the formatter and the safe fixes
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: .venv/.ready ## run the benchmarks, each against named alternatives in the same run
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

docs: .venv/.ready ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "to read it: $(BIN)/python -m http.server -b 127.0.0.1 -d site, and open http://127.0.0.1:8000"

release: .venv/.ready ## build wheel and sdist, install them on each Python, old and new; write docs/release.md
	$(BIN)/python -m scripts.release_check --page

serve: .venv/.ready ## serve the graphs with LangGraph's development server
	LANGGRAPH_CLI_NO_ANALYTICS=1 LANGGRAPH_NO_VERSION_CHECK=true LANGSMITH_TRACING=false \
	$(BIN)/langgraph dev --no-browser --n-jobs-per-worker 50

clean: ## remove .venv and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .langgraph_api

.venv/aegra/.ready: .venv/.ready
	@$(PYTHON) scripts/setup.py aegra

.venv/.ready: pyproject.toml scripts/setup.py
	@$(PYTHON) scripts/setup.py
