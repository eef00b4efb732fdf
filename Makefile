# Parley. `make demo` and `make test` do their own set-up on a bare Debian or Ubuntu machine.
.DEFAULT_GOAL := help
PARLEY := .venv/bin/parley
PYTHON := .venv/bin/python
export OMP_NUM_THREADS := 1

.PHONY: help setup setup-dev demo up test test-training test-deploy lint format proto bench web banks faces animated mind load load-full chaos soak fuzz audit clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup:  ## install system packages, Python packages, and build the page
	@scripts/setup system
	@scripts/setup python
	@scripts/setup web

setup-dev:
	@scripts/setup system test
	@scripts/setup python dev
	@scripts/setup web

demo: setup  ## ask a recorded question; write the answer as answer.mp4; stay up for the browser
	@$(PARLEY) demo

up: setup  ## start everything; open the printed address, talk, and make an avatar of your own
	@scripts/setup python data
	@$(PARLEY) up

test: setup-dev lint  ## lint, then every test (real Redis, real processes, real browser)
	@timeout --signal=ABRT --kill-after=60 45m env PYTHONFAULTHANDLER=1 $(PYTHON) -m pytest

test-training: setup-dev  ## the trainers' tests (installs PyTorch)
	@scripts/setup python train
	@$(PYTHON) -m pytest tests/training

test-deploy: setup-dev  ## the composed stack and the cluster's manifests (needs Docker and kubectl)
	@$(PYTHON) -m pytest tests/deploy

lint: setup-dev  ## ruff, mypy, freshness of generated code, the page's types
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .
	@.venv/bin/mypy
	@$(PYTHON) scripts/proto.py --check
	@cd web && PATH="$(CURDIR)/.venv/bin:$$PATH" npm run check --silent

format:  ## format the code
	@.venv/bin/ruff check --fix . && .venv/bin/ruff format .

proto:  ## generate the gRPC code
	@$(PYTHON) scripts/proto.py

bench: setup  ## measure this machine: latency, barge-in, A/V, one Redis hop
	@$(PARLEY) bench all

web:  ## build the page
	@scripts/setup web

banks:  ## render the default avatars' faces again (half an hour on two cores)
	@scripts/setup system render
	@scripts/setup python render
	@for a in mira theo; do $(PYTHON) -m training.data.synthetic_faces.bank --avatar $$a; done

FACES := training/configs/sda-128.yaml
GAN := services/sda/weights/gan
faces:  ## render, train and export the generated face again (some hours on two cores)
	@scripts/setup system render
	@scripts/setup python train
	@$(PARLEY) data render --minutes 6 --out data/clips --size 208 --supersample 1 --workers 2
	@$(PYTHON) -m training.sda.prepare data/clips data/faces-128 --size 128
	@$(PYTHON) -m training.sda.speech data/speech --minutes 40
	@.venv/bin/torchrun --nproc-per-node 2 -m training.sda.train $(FACES)
	@$(PYTHON) -m training.sda.evaluate $(FACES) --also reconstruction=data/runs/sda-128/reconstruct.pt
	@.venv/bin/torchrun --nproc-per-node 2 -m training.sda.ablate $(FACES)
	@$(PYTHON) -m training.sda.export data/runs/sda-128/state.pt $(GAN) --faces data/faces-128
	@$(PYTHON) -m training.sda.lips $(FACES)
	@$(PYTHON) -m training.sda.card $(FACES) $(GAN)
	@for a in mira theo; do $(PYTHON) -m training.sda.still --avatar $$a; done
	@$(PYTHON) -m training.sda.show docs/images/face

ANIMATED := training/configs/animated.yaml
STYLES := services/sda/weights/animated
animated:  ## train and export the drawn avatar's face again (an hour or two on two cores)
	@scripts/setup system render
	@scripts/setup python train
	@$(PYTHON) -m training.animated.heads data/heads.npz
	@$(PYTHON) -m training.sda.speech data/speech --minutes 40
	@$(PYTHON) -m training.animated.reader data/runs/animated/reader.pt
	@$(PYTHON) -m training.animated.reader data/runs/animated/gauge.pt --seed 2
	@$(PYTHON) -m training.animated.sync data/runs/animated/sync.pt
	@$(PYTHON) -m training.animated.train $(ANIMATED)
	@$(PYTHON) -m training.animated.ablate $(ANIMATED)
	@$(PYTHON) -m training.animated.evaluate $(ANIMATED)
	@$(PYTHON) -m training.animated.export data/runs/animated/state.pt $(STYLES)
	@$(PYTHON) -m training.data.cartoon.bank --avatar juno
	@$(PYTHON) -m training.animated.still --avatar juno
	@$(PYTHON) -m training.animated.card $(ANIMATED) $(STYLES)
	@$(PYTHON) -m training.animated.show $(ANIMATED) docs/images/animated

mind:  ## train, measure and export the small transformer mind again (half an hour of one core)
	@scripts/setup system words
	@scripts/setup python train
	@$(PYTHON) -m training.llm.base data/llm/base
	@$(PARLEY) train llm training/configs/llm-base.yaml
	@$(PYTHON) -m training.llm.prepare training/configs/llm-avatars-corpus.yaml
	@$(PARLEY) train llm training/configs/llm-avatars.yaml
	@$(PYTHON) -m training.llm.evaluate training/configs/llm-avatars.yaml
	@$(PYTHON) -m training.llm.export model data/runs/llm-avatars/model data/llm/served
	@$(PYTHON) -m services.llm.compare --model transformer=data/llm/served

load: setup-dev  ## short load test: each service and the whole, with 1 and 2 clients (two minutes)
	@$(PYTHON) -m tests.load run --seconds 10 --clients 1 --clients 2

load-full: setup-dev  ## up to the knee of each service and of the whole (half an hour); see artifacts/load
	@$(PYTHON) -m tests.load run --seconds 60 --most 24

chaos: setup-dev  ## the table of faults: processes and links broken while it speaks (a quarter of an hour)
	@$(PYTHON) -m pytest tests/chaos tests/chaos/table

soak: setup-dev  ## three people talk for half an hour, and nothing may grow; see artifacts/soak
	@$(PYTHON) -m tests.chaos.soak

fuzz: setup-dev  ## fuzz framing, events and both HTTP APIs, five minutes each
	@scripts/setup python fuzz
	@for t in framing events schema; do $(PYTHON) -m tests.fuzz $$t --seconds 300 || exit 1; done
	@$(PYTHON) -m tests.fuzz.http --seconds 300
	@$(PYTHON) -m tests.fuzz.review --seconds 300

audit: setup-dev  ## licences and known weaknesses of what is installed; see artifacts/audit
	@scripts/setup python audit
	@scripts/audit

clean:  ## remove what was built
	rm -rf .venv .cache gateway/static training/studio/static web/node_modules artifacts
