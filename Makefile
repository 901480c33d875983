# make run       builds Hooklatch and starts the quickstart
# make test      runs everything; what needs a program that is missing is skipped
#                and named, and with CI=true it fails
# make image     builds the container image
# make fuzz-long tries the header grammars with a hundred million random inputs and
#                the handler with ten million random deliveries
# make bench     measures what a delivery costs, beside a plain proxy in the same
#                run, and then the parts of it
# make binaries  builds for Linux on amd64 and on arm64
# make docs      writes docs/reference.md from the comments in the code

TAGS     := nobadger,nomysql,nopgx
BIN      := bin/hooklatch
FUZZTIME ?= 2s
ROUNDS   ?= 5
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: build run image binaries test vet lint unit fuzz fuzz-long e2e container bench docs

build:
	go build -trimpath -buildvcs=auto -tags $(TAGS) -o $(BIN) ./cmd/hooklatch

run: build
	@echo
	@echo 'The gateway listens on localhost:8080. Send it a first delivery from another terminal;'
	@echo 'the same line once more is a duplicate, and with --secret wrong a forgery:'
	@echo
	@grep -m 1 'webhook send' examples/quickstart/README.md
	@echo
	$(BIN) run --config examples/quickstart/Caddyfile --envfile examples/quickstart/demo.env

image:
	docker build --tag hooklatch .

# With the version in them, as `hooklatch version` prints it.
binaries:
	for arch in amd64 arm64; do \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$arch go build -trimpath -buildvcs=auto -ldflags '-s -w' \
			-tags $(TAGS) -o $(BIN)-linux-$$arch ./cmd/hooklatch || exit 1; \
	done

docs:
	cd e2e && go run ./reference

test: vet lint unit fuzz e2e container

vet:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not formatted: $$unformatted"; exit 1; }
	go vet ./...
	cd e2e && go vet ./...

lint:
	@if command -v golangci-lint > /dev/null; then \
		golangci-lint run ./... && cd e2e && golangci-lint run ./...; \
	else \
		echo 'SKIPPED lint: golangci-lint is missing; get it with: go install $(GOLANGCI)'; \
		test "$$CI" != true; \
	fi

# The race detector changes what is allocated, so that is counted without it.
unit:
	go test -race -timeout 5m ./...
	go test -timeout 5m -run Allocates ./schemes

# Making inputs smaller would otherwise take most of the time.
fuzz:
	@for package in ./schemes ./module; do \
		for target in $$(go test -list '^Fuzz' $$package | grep ^Fuzz); do \
			echo "fuzzing $$target in $$package for $(FUZZTIME)"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$package || exit 1; \
		done \
	done

fuzz-long:
	go test -timeout 2h -v -run RandomGrammars ./schemes -executions 100000000
	go test -timeout 2h -v -run RandomDeliveries ./module -executions 10000000

e2e:
	cd e2e && go test -race -timeout 20m $$(go list ./... | grep -v /container$$)

bench: build
	cd e2e && go run ./bench -binary ../$(BIN) -rounds $(ROUNDS)
	go test -run '^$$' -bench 'Verify|Body|Headers|Serve|Pairs' ./schemes ./module ./module/replay/memory

# Verbose, because it prints what it measures.
container:
	cd e2e && go test -v -timeout 30m ./container
