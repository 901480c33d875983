# `make help` says what there is to make.

TAGS     := nobadger,nomysql,nopgx
BIN      := bin/hooklatch
FUZZTIME ?= 2s
ROUNDS   ?= 5
KILLS    ?= 200
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.2.0
CADDY_VERSION ?= master

# What `make test` and .ci/run consist of, in this order.
PARTS := vet lint unit fuzz e2e container

.PHONY: help parts build run image test $(PARTS) fuzz-long differential bench docs release reproducible linters vulnerabilities next-caddy reliability inbox-faults screenshots

build: ## builds Hooklatch into bin/
	go build -trimpath -buildvcs=auto -tags $(TAGS) -o $(BIN) ./cmd/hooklatch

run: build ## builds Hooklatch and starts the quickstart
	@echo
	@echo 'The gateway listens on localhost:8080. Send it a first delivery from another terminal;'
	@echo 'the same line once more is a duplicate, and with --secret wrong a forgery:'
	@echo
	@grep -m 1 'webhook send' examples/quickstart/README.md
	@echo
	$(BIN) run --config examples/quickstart/Caddyfile --envfile examples/quickstart/demo.env

image: ## builds the container image
	docker build --tag hooklatch .

# With the commit in them, from which `hooklatch version` has its version and
# the archives have their dates.
release: ## builds what is published, into dist/
	rm -rf dist
	@for platform in $(PLATFORMS); do \
		os=$${platform%/*}; arch=$${platform#*/}; name=hooklatch; \
		if [ $$os = windows ]; then name=hooklatch.exe; fi; \
		echo "building for $$platform"; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch go build -trimpath -buildvcs=true -ldflags '-s -w' \
			-tags $(TAGS) -o dist/$${os}_$$arch/$$name ./cmd/hooklatch || exit 1; \
	done
	cd e2e && go run ./release ../dist

# The second time with an empty cache, so that everything is compiled there.
reproducible: ## builds the last commit in two places and compares
	@place=$$(mktemp -d); trap 'rm -rf "$$place"' EXIT; set -e; \
	git clone --quiet . "$$place/one"; \
	git clone --quiet . "$$place/at/another"; \
	$(MAKE) -C "$$place/one" release PLATFORMS=linux/amd64; \
	GOCACHE="$$place/cache" $(MAKE) -C "$$place/at/another" release PLATFORMS=linux/amd64; \
	diff "$$place/one/dist/SHA256SUMS" "$$place/at/another/dist/SHA256SUMS"; \
	echo 'the same twice:'; cat "$$place/one/dist/SHA256SUMS"

first-delivery: build ## measures the way to a first verified delivery: with the binary, and from a clone with empty caches
	e2e/firstdelivery.sh binary $(BIN)
	e2e/firstdelivery.sh clone .

docs: ## writes docs/reference.md, docs/providers.md and the table in the README from the code
	go run ./schemes/schemestest/providers
	cd e2e && go run ./reference

test: $(PARTS) ## runs everything; what needs a missing program is skipped and named, and with CI=true it fails

help: ## prints this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

parts: ## prints what make test consists of
	@echo $(PARTS)

vet: ## looks for code that is not formatted or that go vet rejects
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not formatted: $$unformatted"; exit 1; }
	go vet ./...
	cd e2e && go vet ./...

lint: ## runs golangci-lint and actionlint
	@if command -v golangci-lint > /dev/null; then \
		golangci-lint run ./... && cd e2e && golangci-lint run ./...; \
	else \
		echo 'SKIPPED lint: golangci-lint is missing; get it with: make linters'; \
		test "$$CI" != true; \
	fi
	@if command -v actionlint > /dev/null; then \
		actionlint; \
	else \
		echo 'SKIPPED lint of the workflows: actionlint is missing; get it with: make linters'; \
		test "$$CI" != true; \
	fi

linters: ## installs what make lint needs
	go install $(GOLANGCI)
	go install $(ACTIONLINT)

vulnerabilities: ## looks for known vulnerabilities in what is used
	go run $(GOVULNCHECK) -tags $(TAGS) ./...

# In a copy, whose go.mod may change.
next-caddy: ## tests the last commit with Caddy's main branch, or with CADDY_VERSION
	@copy=$$(mktemp -d); trap 'rm -rf "$$copy"' EXIT; set -e; \
	git clone --quiet . "$$copy"; cd "$$copy"; \
	go get github.com/caddyserver/caddy/v2@$(CADDY_VERSION); go mod tidy; \
	CADDY_VERSION=$(CADDY_VERSION) $(MAKE) vet unit e2e

# THOROUGH makes some tests try more than a plain go test does. The race detector
# changes what is allocated, and bbolt races with itself in a damaged file: these
# two run without it.
unit: ## tests each package, with the race detector
	THOROUGH=1 go test -race -timeout 20m ./...
	go test -timeout 20m -run Allocates ./schemes
	go test -timeout 20m -run TestDamagedFile ./module/inbox/file

# Making inputs smaller would otherwise take most of the time. On a busy machine
# Go's fuzzer may fail with "context deadline exceeded" when its time is over;
# what it has really found is kept, and fails the second time too.
fuzz: ## fuzzes each target for FUZZTIME, 2s unless given
	@for package in ./schemes ./schemes/internal/engine ./schemes/providers ./module ./caddyfile/definition ./schemes/explain ./cmd/webhook; do \
		for target in $$(go test -list '^Fuzz' $$package | grep ^Fuzz); do \
			echo "fuzzing $$target in $$package for $(FUZZTIME)"; \
			fuzz="go test -run ^$$ -fuzz ^$$target$$ -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$package"; \
			$$fuzz || $$fuzz || exit 1; \
		done \
	done

fuzz-long: ## tries the header grammars with a hundred million random inputs, the handler with ten million random deliveries
	go test -timeout 2h -v -run RandomGrammars ./schemes -executions 100000000
	go test -timeout 2h -v -run RandomDeliveries ./module -executions 10000000

differential: ## compares half a million random deliveries with the providers' own libraries
	cd e2e && go test -timeout 2h -v -run TestDifferential . -executions 500000

e2e: ## tests the real binary from outside
	cd e2e && go test -race -timeout 40m $$(go list ./... | grep -v /container$$)

reliability: build ## puts the gateway under load and faults for about half an hour
	cd e2e && go run ./reliability -binary ../$(BIN)

inbox-faults: build ## puts the inbox under load and faults, with KILLS times kill -9, 200 unless given
	cd e2e && go run ./reliability -binary ../$(BIN) -only inbox -rounds $(KILLS)

screenshots: build ## makes the pictures of the page in docs/images, with Chromium
	cd e2e && go run ./screenshots -binary ../$(BIN)

bench: build ## measures what a delivery costs beside a plain proxy, and then its parts
	cd e2e && go run ./bench -binary ../$(BIN) -rounds $(ROUNDS)
	go test -run '^$$' -bench 'Verify|Body|Headers|Serve|Pairs' ./schemes ./module ./module/internal/bodies ./module/replay/memory

# Verbose, because it prints what it measures.
container: ## tests the container image and examples/sidecar
	cd e2e && go test -v -timeout 30m ./container
