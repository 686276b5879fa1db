# Every target is one script, so that each runs by hand as well; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help test client lint fuzz soak e2e farm faults bench ci

help: ## list the targets
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST)

test: ## vet and test the library under the race detector; installs what is missing
	@scripts/test.sh

client: ## test the browser module of live sockets with Node; installs what is missing
	@scripts/node.sh

lint: ## gofmt, the length of lines, vet, staticcheck and tidy go.mod files, in every module
	@scripts/lint.sh

fuzz: ## run each fuzz target for FUZZTIME (20s)
	@scripts/fuzz.sh

soak: ## open, use, cut and resume SOCKETS (10000) live sockets under the race detector, in about a minute
	@scripts/soak.sh

e2e: ## the forum's own process under a real Chromium, under load, and in a farm under faults
	@scripts/module.sh e2e

farm: ## a whole site on this machine: a database, three forums and a balancer, until Ctrl-C
	@scripts/farm.sh

faults: ## each fault FAULTS_RUNS (3) times, and what was measured into docs/faults.md
	@scripts/faults.sh

ci: ## test, lint, fuzz and the nested modules, as they are run for each change
	@.ci/run

bench: ## measure beside other libraries for some minutes (SHORT=1: for two), into docs/benchmarks
	@scripts/bench.sh $(if $(SHORT),-short)
