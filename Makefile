# The everyday commands, thin over CMake presets (CMakePresets.json). "make help" lists them.
MODEL ?= models/tiny
PROMPT ?= What is three plus four?
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 20
PEER_PYTHON ?= python3
BENCH ?= --quick
LOAD ?= --connections 16 --prompt-tokens 512 --max-tokens 128 --duration 60
GEMMA3N = build/release/bin/gemma3n
export MODEL PROMPT

.DEFAULT_GOAL := build
.PHONY: help build test test-all test-arm run bench bench-serve fuzz asan tsan clang format install deps deps-clients deps-dev clean

help:            ## this list
	@sed -nE 's/^([a-z][a-z -]*):[^#=]*## */\1\t/p' $(MAKEFILE_LIST) | expand -t 18

deps:
	@tools/install_deps.sh test

deps-clients:
	@tools/install_deps.sh clients

deps-dev:
	@tools/install_deps.sh dev

# $(call configure_and_build,preset)
define configure_and_build
	@cmake --preset $(1) $(2)
	@cmake --build --preset $(1)
endef

build: deps      ## the program, in build/release/bin/gemma3n
	$(call configure_and_build,release)

test: deps-clients build  ## the fast tests, and the kernels' for 64-bit ARM under emulation
	@ctest --preset release --label-exclude slow
	@tools/test_arm.sh kernels

test-all: deps-clients build  ## every test, the slow ones too
	@ctest --preset release

test-arm:        ## unit and golden tests for 64-bit ARM, under emulation
	@tools/test_arm.sh

run: build       ## a picture, a clip and a video through the model of this repository; or PROMPT through MODEL
ifeq ($(origin MODEL)$(origin PROMPT),filefile)
	@tools/demo.sh $(GEMMA3N) $(MODEL)
else
	@$(GEMMA3N) run --model "$$MODEL" --prompt "$$PROMPT" --stats
endif

bench: deps-dev  ## a GGUF file as MODEL beside llama.cpp, BENCH=--full for 16K; without one, micro-benchmarks
	$(call configure_and_build,release,-DGEMMA3N_BUILD_BENCH=ON)
ifeq ($(origin MODEL),file)
	@set -e; for b in build/release/bin/*_bench; do \
	  case $$b in *linear_bench) shape='512 2048 2048 1';; *) shape=;; esac; echo "== $$b $$shape"; $$b $$shape; done
	@echo 'A model beside llama.cpp: make bench MODEL=model.gguf PEER_PYTHON=peers/bin/python (see bench/README.md)'
else
	@python3 bench/compare_peers.py "$$MODEL" --gemma3n $(GEMMA3N) --python $(PEER_PYTHON) $(BENCH)
endif

bench-serve: build ## many users at once on MODEL: LOAD is what they ask for
	@python3 bench/serve_load.py --serve "$(GEMMA3N) serve --model '$$MODEL' --port 0" $(LOAD)

fuzz: deps-dev   ## each parser's fuzzer for FUZZ_SECONDS
	$(call configure_and_build,fuzz)
	@tools/run_fuzzers.sh build/fuzz/bin $(FUZZ_SECONDS)

asan tsan clang: deps-dev  ## fast tests under sanitizers, or built with clang
	$(call configure_and_build,$(@:asan=asan-ubsan))
	@ctest --preset $(@:asan=asan-ubsan) --label-exclude slow

format: deps-dev ## clang-format all sources
	@git ls-files '*.cc' '*.h' '*.c' | xargs clang-format -i

install: build   ## into PREFIX
	@cmake --install build/release --prefix $(PREFIX)

clean:           ## remove build/
	@rm -rf build
