# Odyssey's tasks; `make` alone lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
TOOL := $(GO) tool -modfile=tools/go.mod

PACKAGES ?= ./...
TESTFLAGS ?=
TESTTIMEOUT ?= 30m
BENCH ?=
FUZZ ?= .
FUZZTIME ?= 30s

BIN ?= bin
ODOO_RUN ?= $(BIN)/odoo-run

MODULE := github.com/nuobit/odyssey
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS = -X $(MODULE)/internal/cli.version=$(VERSION)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: odoo-run ## build the programs into bin/, static
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/odyssey-bot ./cmd/odoo-build-image

.PHONY: odyssey-bot
odyssey-bot: ## build odyssey-bot alone
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/odyssey-bot

# It goes into runtime images, so it has no symbols, and is small.
.PHONY: odoo-run
odoo-run: ## build odoo-run alone
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -ldflags '-s -w $(LDFLAGS)' -o $(ODOO_RUN) ./cmd/odoo-run

# What a tag publishes: the programs for each architecture in one archive, which
# is the same wherever it is made, what is in it as CycloneDX, and checksums.
ARCHITECTURES ?= amd64 arm64
DIST ?= dist
PROGRAMS := odyssey-bot odoo-build-image odoo-run

.PHONY: dist
dist: ## build what a tag publishes into dist/: archives, SBOMs, SHA256SUMS
	rm -rf $(DIST)
	mkdir -p $(DIST)
	for arch in $(ARCHITECTURES); do \
		name=odyssey-$(VERSION)-linux-$$arch; \
		GOOS=linux GOARCH=$$arch $(MAKE) --no-print-directory build BIN=$(abspath $(DIST))/$$name VERSION=$(VERSION); \
		for program in $(PROGRAMS); do \
			$(GO) tool -modfile=tools/sbom/go.mod cyclonedx-gomod bin -json -std -noserial -notimestamp -version $(VERSION) \
				-output $(DIST)/$$program-$(VERSION)-linux-$$arch.cdx.json $(DIST)/$$name/$$program; \
		done; \
		install -m 0644 LICENSE NOTICE $(DIST)/$$name; \
		tar --directory $(DIST) --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=go=u,go-w --format=ustar \
			--create $$name | gzip -9n >$(DIST)/$$name.tar.gz; \
		rm -rf "$(DIST)/$$name"; \
	done
	cd $(DIST) && sha256sum *.tar.gz *.cdx.json >SHA256SUMS

.PHONY: demo
demo: setup-cc ## run the main job on a real Gitea (DEMO_EXIT=1: do not keep serving)
	$(GO) run ./test/demo

.PHONY: test
test: setup ## run every test, installing first what they need
	CGO_ENABLED=1 $(GO) test -race -timeout $(TESTTIMEOUT) $(TESTFLAGS) $(PACKAGES)

.PHONY: test-images
test-images: ## build the images and a release, and check them (part of test)
	@test/setup.sh cc pytools registry postgres buildah trixie
	$(GO) test -timeout $(TESTTIMEOUT) $(TESTFLAGS) ./test/images

.PHONY: test-chain
test-chain: ## go the whole way from an upstream commit to an Odoo that runs it (part of test)
	@test/setup.sh cc pytools postgres buildah trixie
	$(GO) test -timeout $(TESTTIMEOUT) $(TESTFLAGS) -v ./test/chain

.PHONY: bench
bench: setup-cc ## measure against what one would do without Odyssey (BENCH='cold warm': these only)
	$(GO) run ./test/bench $(BENCH)

.PHONY: fuzz
fuzz: ## run every fuzz target whose name matches FUZZ for FUZZTIME (30s) each
	@$(GO) test -list '^Fuzz' $(PACKAGES) | \
		awk '/^Fuzz/ { names[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print names[i], $$2; n = 0 }' | \
		while read -r name package; do \
			[[ $$name =~ $(FUZZ) ]] || continue; \
			echo "==> $$name in $$package"; \
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$package" </dev/null; \
		done

.PHONY: lint
lint: lint-go lint-workflows lint-modules ## check form, the walls, the workflows and the modules

.PHONY: lint-go
lint-go:
	$(GO) vet $(PACKAGES)
	$(TOOL) golangci-lint run $(PACKAGES)

.PHONY: lint-workflows
lint-workflows:
	$(GO) tool -modfile=tools/actionlint/go.mod actionlint -shellcheck= -pyflakes= -color .github/workflows/*.yml scaffolds/derived-image/.*/workflows/*.yml

.PHONY: lint-modules
lint-modules:
	$(GO) mod tidy -diff
	$(GO) mod verify

.PHONY: fmt
fmt: ## format the Go code
	$(TOOL) golangci-lint fmt

.PHONY: generate
generate: ## write the generated documents anew
	$(GO) test ./internal/config -count=1 -run '^TestSchemaFiles' -update
	$(GO) test ./cmd/odyssey-bot ./cmd/odoo-build-image ./cmd/odoo-run -count=1 -run '^TestReference' -update

.PHONY: vuln
vuln: ## look for known vulnerabilities in what is linked (asks vuln.go.dev)
	$(TOOL) govulncheck $(PACKAGES)

.PHONY: setup
setup: ## install what the tests need and this machine lacks
	@test/setup.sh

.PHONY: setup-cc
setup-cc:
	@test/setup.sh cc

.PHONY: clean
clean: ## remove what build made
	rm -rf bin
