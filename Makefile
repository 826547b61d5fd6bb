# One line a job; what takes more is a script, most of them in scripts/. Recipes run at the top of the repository.
#
#   ARGS    handed on to the job's command: make test ARGS="-k wasi"
#   PORT    of the demo's page; 0 = any
#   PYTHON  interpreter of .venv, else python3; PYTHON310 that of .venv-wasmer, else it is searched for

export PYTHON PYTHON310

.PHONY: help setup demo test fuzz soak soak-topics lint format bench functions proto schema check lock clean

help: ## list the jobs
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

setup: ## make .venv, and .venv-wasmer where there is a CPython 3.10
	@scripts/setup

demo: setup ## serve the functions, turn a picture grey, say what to try next
	@.venv/bin/wasm-grpc demo $(if $(PORT),--port $(PORT)) $(ARGS)

test: ## get what the tests need and run them
	@scripts/test $(ARGS)

fuzz: ## feed changed inputs to all that reads them, for a minute: ARGS="--seconds 600 --only module --seed 7"
	@scripts/setup dev && PYTHONPATH=tests:. .venv/bin/python -m fuzz $(ARGS)

soak: ## call echo 100,000 times in parts, and see that the server stays as it is: ARGS="--hostile --calls 10000"
	@scripts/setup dev && PYTHONPATH=tests:. .venv/bin/python -m hostile.soak $(ARGS)

soak-topics: ## send 20,000 messages through servers that are killed, and find each again
	@LOSS_MESSAGES=20000 scripts/test tests/end_to_end/test_topics_loss.py $(ARGS)

lint: ## check format, rules, types and the direction of imports
	@scripts/lint

format: ## format the code and mend what the rules can mend by themselves
	@scripts/setup dev && .venv/bin/ruff check --fix-only --quiet && .venv/bin/ruff format

bench: ## measure ours against bare gRPC, native apps and other ways to run WebAssembly
	@scripts/setup dev && .venv/bin/python -m benchmarks $(ARGS)

functions: ## rebuild every committed .wasm from its source
	@functions/build $(ARGS)$(if $(ARGS),, && for guests in guests wapc/guests bindgen/guests tensorflowlite/guests demo; do tests/conformance/$$guests/build || exit; done)

proto: ## generate src/wasm_grpc/v1 anew from proto/
	@scripts/proto

schema: ## write docs/function.schema.json anew from the manifest's definitions
	@scripts/schema

check: ## all that CI runs
	@CI=true .ci/run

lock: ## lock the dependencies anew: ARGS=--upgrade takes the newest
	@scripts/lock $(ARGS)

clean: ## remove all that make has made, the committed files aside
	@rm -rf .venv .venv-tflite .venv-wasmer .tools demo-output test-artefacts dist .*_cache .hypothesis
	@rm -rf functions/target functions/Cargo.lock tests/conformance/guests/*/node_modules tests/conformance/wapc/guests/*/node_modules
