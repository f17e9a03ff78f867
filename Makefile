# make help lists what can be made.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
BIN := bin
# The race detector needs a C compiler; CI always has one.
RACE := $(shell command -v cc >/dev/null 2>&1 && echo -race)

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## see the main job at work for 20 seconds: embedded Kafka, simulated provider, every output
	go run ./cmd/smslab demo -for 20s

.PHONY: test
test: ## run all tests that need nothing but Go
	go test $(RACE) $(TESTFLAGS) ./...

.PHONY: lint
lint: $(BIN)/golangci-lint ## run the linters
	$(BIN)/golangci-lint run ./...

$(BIN)/golangci-lint:
	GOBIN=$(CURDIR)/$(BIN) go install $(GOLANGCI_LINT)

.PHONY: check
check: lint test ## lint and test: what a change must pass

.PHONY: build
build: ## build bin/smsbridge and bin/smslab
	CGO_ENABLED=0 go build -trimpath -o $(BIN)/ ./cmd/smsbridge ./cmd/smslab

.PHONY: bench
bench: build ## measure the connector beside a lean loop without guarantees, in one run
	$(BIN)/smslab bench

.PHONY: kafka-up
kafka-up: ## start a real Apache Kafka of three brokers on this machine (Java 17, Maven)
	deploy/kafka/kafka.sh up 3

.PHONY: kafka-down
kafka-down: ## stop it and forget its data
	deploy/kafka/kafka.sh down

.PHONY: conformance
conformance: ## run kafkaio's suite on the real Kafka that kafka-up started
	KAFKA_SH=$(CURDIR)/deploy/kafka/kafka.sh go test $(RACE) $(TESTFLAGS) -count=1 -timeout 10m ./connector/kafkaio/...

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN)
