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
	go test $(RACE) -timeout 30m $(TESTFLAGS) ./...

.PHONY: lint
lint: $(BIN)/golangci-lint ## run the linters
	$(BIN)/golangci-lint run --allow-parallel-runners ./...

$(BIN)/golangci-lint:
	GOBIN=$(CURDIR)/$(BIN) go install $(GOLANGCI_LINT)

.PHONY: check
check: lint test ## lint and test: what a change must pass

.PHONY: build
build: ## build bin/smsbridge and bin/smslab
	CGO_ENABLED=0 go build -trimpath -o $(BIN)/ ./cmd/smsbridge ./cmd/smslab

VERSION ?= development
OUT ?= $(BIN)

.PHONY: release
release: ## build smsbridge and smslab as a release of VERSION into OUT: the same source gives the same bytes everywhere
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.release=$(VERSION)' -o $(OUT)/ ./cmd/smsbridge ./cmd/smslab

.PHONY: reproducible
reproducible: ## build the release twice, in two folders and without a cache, and compare the bytes
	deploy/reproducible.sh

.PHONY: bench
bench: build ## measure the connector beside a lean loop without guarantees, in one run
	$(BIN)/smslab bench

.PHONY: torture
torture: build ## kill, freeze and restart connectors for five minutes, then check every promise
	$(BIN)/smslab torture -for 5m -commands 100000 -kills 20 -freezes 8 -restarts 6 -joins 4 -broker-kills 3 -kafka-outages 1 $(TORTUREFLAGS)

E2E_COMMANDS ?= 100000
E2E_FOR ?= 2m

.PHONY: e2e
e2e: build ## carry 100,000 commands over a real Kafka with SASL and TLS, a broker killed, a connector restarted
	deploy/kafka/kafka.sh with bash -c 'eval "$$(deploy/kafka/kafka.sh env sasl)" && exec $(BIN)/smslab torture \
	  -admin-brokers "$$KAFKA_BROKERS" -broker-kill "deploy/kafka/kafka.sh kill {n}" -broker-start "deploy/kafka/kafka.sh start {n}" \
	  -for $(E2E_FOR) -commands $(E2E_COMMANDS) -connectors 2 -in-flight 256 \
	  -kills 0 -freezes 0 -joins 0 -restarts 1 -broker-kills 1 -provider-faults=false $(E2EFLAGS)'

.PHONY: mutants
mutants: ## break the guarantee in every known way and see which test notices
	go run ./deploy/mutants

.PHONY: kafka-up
kafka-up: ## start a real Apache Kafka of three brokers on this machine (Java 17, Maven)
	deploy/kafka/kafka.sh up 3

.PHONY: kafka-down
kafka-down: ## stop it and forget its data
	deploy/kafka/kafka.sh down

.PHONY: conformance
conformance: ## run kafkaio's tests on a real Kafka: that of kafka-up, else one for the occasion
	deploy/kafka/kafka.sh with go test $(RACE) $(TESTFLAGS) -tags realkafka -count=1 -timeout 10m ./connector/kafkaio

.PHONY: rights
rights: ## run what smsbridge topics prints on a real Kafka, and take each right away once
	deploy/kafka/kafka.sh with go test $(TESTFLAGS) -tags realkafka -count=1 -timeout 15m -run OnRealKafka ./cmd/smsbridge

.PHONY: consumers
consumers: build ## run other programs on a real Kafka: kcat and jq, Python, Java, Kafka Connect write commands and read results
	deploy/kafka/kafka.sh with go test -tags realkafka -count=1 -v -timeout 10m ./deploy/consumers

.PHONY: page
page: ## see that the status page works in a real browser (Chromium); PAGE_SHOTS=DIR takes pictures
	go test -tags chromium -count=1 -run Chromium ./connector/telemetry

.PHONY: alerts
alerts: ## test the alert rules' times with promtool (package prometheus)
	promtool check config --syntax-only deploy/prometheus/prometheus.yaml
	promtool test rules deploy/prometheus/alerts_test.yaml

.PHONY: monitoring
monitoring: build alerts ## let a real Prometheus see every alert fire by its cause, and ask it every query of the dashboard
	go test -tags monitoring -count=1 -v -timeout 20m ./deploy/prometheus

COLLECTOR_BUILDER := go.opentelemetry.io/collector/cmd/builder@v0.160.0

.PHONY: trace
trace: build $(BIN)/otelcol/otelcol ## let a real OpenTelemetry Collector see one trace from a producer to the delivery report
	go test -tags collector -count=1 -v -timeout 5m ./deploy/trace

$(BIN)/otelcol/otelcol: deploy/trace/builder.yaml
	CGO_ENABLED=0 go run $(COLLECTOR_BUILDER) --config=$<

.PHONY: vuln
vuln: ## look for known vulnerabilities in what is called (asks vuln.go.dev)
	CGO_ENABLED=0 go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./cmd/...

.PHONY: licenses
licenses: ## list the licences of everything in the program anew
	CGO_ENABLED=0 go run github.com/google/go-licenses@v1.6.0 report --ignore smsbridge ./cmd/smsbridge 2>/dev/null | cut -d, -f1,3 | LC_ALL=C sort >deploy/licenses.csv

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN)
