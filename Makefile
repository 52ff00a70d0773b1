# What each target does is in the script of its name; `make` alone lists the targets.
.DEFAULT_GOAL := help
# Ends what hangs, as in scripts/lib.sh.
within := timeout --foreground --signal QUIT --kill-after 30s
.PHONY: help tools lint test engines library seeds property mutants fuzz bench build services services-down clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

tools: ## install Redis, Kafka's jars and the linters, where missing
	@scripts/install-tools.sh

lint: tools ## gofmt, vet, staticcheck, doc comments, how the documents wrap
	@scripts/lint.sh

test: lint ## everything: lint, all tests, most with the race detector, every scenario, real servers
	@scripts/test.sh
	go build -o bin/ ./cmd/simulate
	$(within) 20m bin/simulate run all --seeds 1..2
	@scripts/library.sh --world fakes
	@scripts/library.sh --world real --servers start
	@scripts/engines.sh --others
	@scripts/cluster-node-down.sh

engines: tools ## each Redis, Valkey and Kafka of scripts/engines.txt: tests and two scenarios
	@scripts/engines.sh

library: tools ## every scenario of the library, in virtual time, on fakes and on real servers
	go run ./cmd/simulate run all --seeds 1..2
	@scripts/library.sh --world fakes
	@scripts/library.sh --world real --servers start

seeds: ## every scenario of the library, and swarm, with SEEDS (default 1..1000) in virtual time
	go run ./cmd/simulate run all --seeds $(or $(SEEDS),1..1000) --out runs/seeds

property: ## the property tests alone
	go test -run Property ./...

mutants: tools ## break the program on purpose, a change at a time: do the tests notice?
	go run ./internal/mutants

fuzz: ## every fuzz target for FUZZTIME (default 10s)
	@scripts/fuzz.sh

bench: tools ## benchmarks on real servers, medians of at least three repeats
	@scripts/bench.sh

build: ## bin/simulate and bin/run
	go build -o bin/ ./cmd/...

services: tools ## start Redis, Redis Cluster and Kafka for a developer
	@scripts/services-up.sh

services-down: ## stop them; their data stay in .services/
	@scripts/services-down.sh

clean: services-down ## remove what was built, all runs, and the services' data
	rm -rf bin runs .services/data
