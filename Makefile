# SPDX-License-Identifier: MIT OR Apache-2.0
# Entry points. Each sets up what it needs (tools/setup.sh); `make help` lists them.
.DEFAULT_GOAL := help
BUILD := build/release
JOBS := $(shell nproc)
PREFIX ?= /usr/local
PROMPT ?= river
# CMake reads it when a build folder is made: every stage compiles through ccache where it is installed.
export CMAKE_CXX_COMPILER_LAUNCHER ?= $(shell command -v ccache)

# Two benches at once would measure each other.
.NOTPARALLEL:
.PHONY: help setup build run test check bench bench-inference bench-memory bench-ops bench-peers install clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 21

setup:
	@tools/setup.sh build

build: setup ## build a release: build/release/bin/bitnet
	@cmake --preset release -DBITNET_BUILD_TESTS=OFF -DBITNET_BUILD_EXAMPLES=OFF > build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build $(BUILD) -j $(JOBS)
	@echo "built: $(BUILD)/bin/bitnet"

run: build ## build a release and let the embedded model define a word (PROMPT=river)
	@echo "\$$ $(BUILD)/bin/bitnet run -p $(PROMPT)"
	@$(BUILD)/bin/bitnet run -p "$(PROMPT)"

test: ## build and run every test (STAGES="release dev tsan aarch64 fuzz", FUZZ_SECONDS=6)
	@tools/setup.sh test
	@tools/test.sh

# make itself defines LINT=lint.
check: ## format, layers, budgets; LINT=1 adds clang-tidy
	@tools/setup.sh $(if $(filter 1,$(LINT)),lint,check)
	@tools/check $(if $(filter 1,$(LINT)),--lint)

bench: bench-inference bench-ops bench-memory ## run all three benches (15 minutes) and put them on one page: bench-results/index.html
	@/usr/bin/python3 bench/page.py

bench-inference: build ## measure the model engine (2B4T's shape, random weights; 4 minutes); bench-results/inference.html
	@tools/setup.sh bench
	@/usr/bin/python3 bench/inference/compare.py $(BUILD)/bin/bitnet

bench-memory: ## compare the memory pool with other allocators (7 minutes); bench-results/memory.html
	@tools/setup.sh bench-memory
	@cmake --preset release -B build/bench -DBITNET_BUILD_BENCHMARKS=ON -DBITNET_BUILD_TESTS=OFF -DBITNET_BUILD_EXAMPLES=OFF -DBITNET_BUILD_CLI=OFF > build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build build/bench -j $(JOBS) --target bench_memory
	@python3 bench/memory/compare.py build/bench/bin

bench-ops: ## measure ops beside OpenBLAS, oneDNN, numpy and this machine's limits (3 minutes); bench-results/ops.html
	@tools/setup.sh bench-ops
	@cmake --preset release -B build/bench -DBITNET_BUILD_BENCHMARKS=ON -DBITNET_BUILD_TESTS=OFF -DBITNET_BUILD_EXAMPLES=OFF -DBITNET_BUILD_CLI=OFF > build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build build/bench -j $(JOBS) --target bench_ops
	@/usr/bin/python3 bench/ops/compare.py build/bench/bin/bench_ops

bench-peers: build ## compare with llama.cpp and (IK=BIN BITNETCPP=BIN) its forks (10 minutes); bench-results/peers.html
	@tools/setup.sh bench-peers
	@llama=$$(/usr/bin/python3 bench/peers/llama_cpp.py build/peers) && /usr/bin/python3 bench/peers/compare.py $(BUILD)/bin/bitnet --llama-cpp $$llama $(if $(IK),--ik $(IK)) $(if $(BITNETCPP),--bitnet-cpp $(BITNETCPP))

install: build ## install to PREFIX (/usr/local)
	@cmake --install $(BUILD) --prefix $(PREFIX)

clean: ## remove build/
	@rm -rf build
