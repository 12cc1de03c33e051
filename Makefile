# Everything runs in .venv, which `make` sets up by itself. Variables that pass through:
#   CONFIG=tiny   SET="training.steps=500 model.latent=64"   RUN=runs/mine
#   DATA="folder ~/midi --layout band"   what `musae data build` makes before training; DATA= for nothing
#   CONFIG=band DATA=band   songs played by the program mma, which is installed if root and apt-get are there
#   MODEL=exports/musae      where `musae export` publishes and servers read
#   PYTHON=python3.12

PYTHON ?= python3
CONFIG ?= voices
SET ?=
RUN ?=
DATA ?= corpus

BIN := .venv/bin
MUSAE := $(BIN)/musae
EXTRAS := train,corpus,studio$(shell nvidia-smi -L 2>/dev/null | grep -q GPU && echo ,gpu)
# The names tell what was installed from: when these files change, or a GPU appears, the stamps are others.
FILES := $(shell cat setup.py pyproject.toml | cksum | cut -d " " -f 1)
STAMP := .venv/.installed-$(EXTRAS)-$(FILES)
DEV_STAMP := .venv/.installed-dev-$(FILES)
DOCS_STAMP := .venv/.installed-docs-$(FILES)
PIP := $(BIN)/python -m pip --disable-pip-version-check
MODEL ?= exports/musae
IMAGE ?= musae-server
TF_SERVING_TAG ?= 2.21.0
WORKERS ?= 2
# In the shell: the run folder as $$run, and how to start it or go on with it as $$what.
CHOOSE_RUN = run="$(RUN)"; run="$${run:-runs/$(basename $(notdir $(CONFIG)))-$$(date +%Y%m%d-%H%M%S)}"; \
	if [ -f "$$run/run.json" ]; then what="--resume $$run"; else what="$(CONFIG) --run $$run"; fi;
SETS := $(foreach change,$(SET),--set '$(change)')

.DEFAULT_GOAL := help
.PHONY: help setup data train train-multiworker evaluate samples tensorboard export pretrained serve studio image up down
.PHONY: docs nightly mma browser litertjs screenshots latency bench test test-fast acceptance release fuzz soak beam
.PHONY: lint clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F '|' '{printf "%-24s %s\n", $$1, $$2}'

setup: $(STAMP) ## Python environment in .venv

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "musae-tf needs Python 3.10 or newer: make PYTHON=python3.11 names one"; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	$(PIP) install -e '.[$(EXTRAS)]'
	@rm -f .venv/.installed-* && touch $@

$(DEV_STAMP): | $(STAMP)
	$(PIP) install -e '.[dev]'
	@touch $@

$(DOCS_STAMP): | $(STAMP)
	$(PIP) install -e '.[docs]'
	@touch $@

data: setup $(if $(filter band,$(firstword $(DATA))),mma) ## dataset, if it is not there yet
	$(if $(DATA),$(MUSAE) data build $(DATA))

mma: # the program that plays the songs of DATA=band; where it cannot be installed, `musae data build` says what to do
	@command -v mma >/dev/null 2>&1 || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && \
		{ apt-get update && apt-get install --yes --no-install-recommends mma; }; } || true

train: data ## dataset, training with CONFIG, evaluation, samples of every genre; RUN= names the run folder
	@$(CHOOSE_RUN) $(MUSAE) train $$what $(SETS) && $(MUSAE) sample "$$run" --wav

train-multiworker: data ## the same in WORKERS=2 processes of this machine, each with its share of the cores or GPUs
	@$(CHOOSE_RUN) $(MUSAE) train $$what $(SETS) --workers $(WORKERS) && $(MUSAE) sample "$$run" --wav

evaluate: setup ## measure RUN, or the newest run
	$(MUSAE) evaluate $(RUN)

samples: setup ## a piece of every genre from RUN, or from the newest run
	$(MUSAE) sample $(RUN) --wav

tensorboard: setup ## curves, pictures and sound of RUN, or of all runs, in the browser
	$(BIN)/tensorboard --logdir $(or $(RUN),runs)

export: setup ## publish RUN, or the newest run, as the next version below MODEL
	$(MUSAE) export $(RUN) --to $(MODEL) --keep 3

pretrained: setup # the model that comes with the package, of a finished and evaluated RUN
	TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m musae_tf.pretrained.package $(RUN)

serve: export ## answer gRPC and REST with RUN, or the newest run, without a container
	$(MUSAE) serve $(MODEL) --enable-batching --batching-parameters-file serving/config/batching.config \
		--monitoring-config-file serving/config/monitoring.config

studio: setup ## explore RUN, or the newest run, by ear in the browser
	$(MUSAE) studio $(RUN)

image: export ## container image of the server with the model in it
	docker build serving --build-context model=$(MODEL) --build-arg TF_SERVING_TAG=$(TF_SERVING_TAG) --tag $(IMAGE)

up: export ## server, Prometheus and Grafana in containers
	MUSAE_MODEL=$(abspath $(MODEL)) TF_SERVING_TAG=$(TF_SERVING_TAG) \
		docker compose --file serving/compose.yaml up --build --detach --wait

down: ## stop them
	docker compose --file serving/compose.yaml down

lint: $(DEV_STAMP) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy

# Tests of the studio drive the system's Chromium; without one they are skipped.
browser: ## Chromium for the tests of the studio, where this may install Debian's
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
		echo "no Chromium: tests of the studio will be skipped"

litertjs: ## LiteRT.js for the page in examples/browser, where npm can install it
	@test -d examples/browser/node_modules/@litertjs/core || { command -v npm >/dev/null && \
		npm install --prefix examples/browser --silent --no-audit --no-fund --fetch-retries 1 --fetch-timeout 30000; } || \
		echo "no LiteRT.js: tests of the page in examples/browser will be skipped"

screenshots: $(DEV_STAMP) browser ## pictures of the studio in docs/images
	$(BIN)/python -m docs.screenshots $(RUN)

latency: $(DEV_STAMP) browser ## seconds from click to sound in the studio
	$(BIN)/python -m benchmarks.studio_latency $(RUN)

bench: $(DEV_STAMP) ## speed against the authors' graph, PyTorch and the machine's own limit: results/bench.json and bench.md
	$(BIN)/python -m benchmarks.run

test-fast: lint ## the tests that are done in three minutes, for daily work
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not acceptance and not slow"

test: lint browser litertjs ## all tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 15

docs: $(DOCS_STAMP) ## the documentation, in build/site; a dead link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# What a line of the ledger needs and this machine has: NEEDS="minutes network docker"
nightly: $(DEV_STAMP) ## commands of the documentation that take long; writes the day into tests/docs/ledger.yaml
	$(BIN)/python -m tests.docs.nightly $(NEEDS)

acceptance: $(DEV_STAMP) ## what would be published, in fresh environments: a client machine, and one that trains
	$(BIN)/python -m pytest -m acceptance -s tests/acceptance

release: $(DEV_STAMP) ## wheel and sdist in dist/, both installed into fresh environments and tried
	rm -rf dist
	$(BIN)/python -m build
	MUSAE_DIST=dist $(BIN)/python -m pytest -m acceptance -s tests/acceptance

fuzz: $(DEV_STAMP) ## 2,000 mutated MIDI files and others through the dataset builder; 100,000 hostile requests to the server
	$(BIN)/python -m tests.fuzz --files 2000 --requests 100000

soak: $(DEV_STAMP) ## 64 clients ask the server for a minute, while ten versions are swapped and others attack it
	$(BIN)/python -m tests.fuzz.soak

# Its packages do not stand beside TensorFlow's, so they get an environment of their own.
beam: $(DEV_STAMP) ## the dataset builder under Apache Beam's local runner: the same bytes as with processes
	@test -x .venv-beam/bin/python || $(PYTHON) -m venv .venv-beam
	.venv-beam/bin/python -m pip install --disable-pip-version-check --quiet -e '.[beam]'
	$(BIN)/python -m pytest tests/data/test_beam.py

clean: ## remove what tools leave behind; keeps .venv, datasets and runs
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find musae_tf tests -name __pycache__ -type d -exec rm -rf {} +
