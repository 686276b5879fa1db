# Every target is one script, so that each runs by hand as well; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help test lint fuzz e2e ci

help: ## list the targets
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST)

test: ## vet and test the library under the race detector; installs what is missing
	@scripts/test.sh

lint: ## gofmt, vet, staticcheck and tidy go.mod files, in every module
	@scripts/lint.sh

fuzz: ## run each fuzz target for FUZZTIME (20s)
	@scripts/fuzz.sh

e2e: ## the forum's own process under a real Chromium and under load
	@scripts/module.sh e2e

ci: ## everything above, as it is run for each change
	@.ci/run
