# What a newcomer types. Each verb sets up .venv by itself; `make` alone lists them.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SLURM_TESTS := tests/slurm
DEMO_LOG := results/pretrain/soco/log.jsonl
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help install demo test test-slurm test-gpu check bench figures clean lock

help: ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

install: $(INSTALLED) ## set up .venv with every pinned package and detectron2

$(INSTALLED): envs/requirements.lock envs/install.sh pyproject.toml
	envs/install.sh $(VENV)
	@touch $@

demo: install ## photographs to an AP and a report, on real parts at a small scale
	snakemake all
	@echo "The report: results/report/report.html"

test: install ## the test suite
	python -m pytest

# Installs Slurm where it is missing and apt may; the tests say why where they are skipped.
test-slurm: install ## the same through Slurm, on a cluster of two nodes that is started here and stopped
	@command -v slurmctld >/dev/null || PATH=$$PATH:/usr/sbin command -v slurmctld >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	apt-get update -qq && apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge; fi || true
	python -m pytest -m slurm -rs $(SLURM_TESTS)

test-gpu: install ## the tests on a GPU; docs/gpu.md
	python -m pytest -m gpu -rs tests/gpu

check: install ## style, types and the workflow's lint
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check Snakefile rules
	snakemake --lint

bench: install ## the benchmarks: each prints ratios against a peer in the same run
	@for script in benchmarks/*.py; do echo "== $$script"; python $$script || exit 1; done

figures: install ## draw the figures of docs/ again
	soco show proposals tests/golden/images/coffee_half.png --side 320 --out docs/figures/proposals.png
	soco show views tests/golden/images/coffee_half.png --side 176 --out docs/figures/views.png
	@if [ -f $(DEMO_LOG) ]; then soco show loss $(DEMO_LOG) --config config.yaml --out docs/figures/loss.png; \
	else echo "docs/figures/loss.png is as it was: it needs $(DEMO_LOG), which make demo writes first."; fi

lock: ## pin again what envs/requirements.in asks for (run on a machine with room for a second environment)
	rm -rf .lock && python3.11 -m venv .lock && .lock/bin/pip install --quiet -r envs/requirements.in
	(head -n 1 envs/requirements.lock; .lock/bin/pip freeze --all | grep -v '^pip==') > envs/requirements.new
	mv envs/requirements.new envs/requirements.lock && rm -rf .lock

clean: ## remove the demo's results, its data and caches; the environment and your data stay
	rm -rf results data/demo .snakemake .pytest_cache .mypy_cache .ruff_cache
	find soco -name __pycache__ -prune -exec rm -rf {} +
