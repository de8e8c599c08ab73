# make run    build everything and serve examples/hello for development
# make test   everything there is to pass
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X github.com/mayfly-run/mayfly/cli.version=$(VERSION)

.PHONY: all run build test check unit race isolated sdk e2e examples fuzz cross torture bench peers clean

all: build

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/mayfly ./cli/mayfly

run: build
	bin/mayfly build examples/hello
	bin/mayfly dev examples/hello

test: check unit race isolated sdk e2e cross fuzz

# As mayfly is built; and what all of these compile is compiled once. The race detector
# needs cgo.
check unit isolated sdk e2e cross fuzz: export CGO_ENABLED = 0

# Formatting, vet, and that nothing generated is out of date.
check:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt needed: $$unformatted"; exit 1; }
	$(GO) vet ./...
	GOOS=wasip1 GOARCH=wasm $(GO) -C sdk/go vet .

unit:
	$(GO) test -timeout 8m ./...

# Tests of ./runtime that ask one Worker after another.
ONE_WORKER = Test(Worker[A-Z]|EventWorkers|ServiceWorker|LargeWorker|WorkersAreDifferences|Platform|Scheduled|Engine|Anchored|Within|Heap|QueueMalformed|TimedRewriter)

# The packages in which goroutines meet; runtime/wasm has none, and a Worker is one:
# of those only the tests of many at once are run.
race:
	$(GO) test -race -short -timeout 8m ./kv/... ./host/... $$($(GO) list ./runtime/... | grep -v -e /runtime/wasm -e '/runtime$$')
	$(GO) test -race -short -timeout 8m -skip '$(ONE_WORKER)' ./runtime

# Whole packages again with guests in worker processes, but for the tests of how clusters
# come together, which have none; see isolation in docs/node.toml.
isolated:
	MAYFLY_ISOLATION=process $(GO) test -short -timeout 8m -skip 'TestCluster|TestCopyRefused|TestStartWithout|TestStaleNode|OtherKey' ./runtime/node ./runtime/trigger

sdk:
	$(GO) -C sdk/go vet ./...
	$(GO) -C sdk/go test ./...

# Cloudflare's Go SDK against a node. It is a module of its own.
e2e:
	$(GO) -C e2e/cloudflare-go vet .
	$(GO) -C e2e/cloudflare-go test -count=1 . # the cache knows nothing of the node

# web-platform-tests, whose checkout WPT_DIR names, against what e2e/wpt/expected has of
# each. WPT_UPDATE=1 writes that anew.
wpt:
	@test -n "$(WPT_DIR)" || { echo "WPT_DIR must name a checkout of https://github.com/web-platform-tests/wpt"; exit 1; }
	cd e2e/wpt && WPT_DIR='$(abspath $(WPT_DIR))' WPT_UPDATE='$(WPT_UPDATE)' $(GO) test -count=1 -timeout 60m

# Every platform must at least build; see docs/operating.md for what needs Linux.
cross:
	for p in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do \
		echo "build $$p"; GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 $(GO) build -o /dev/null ./cli/mayfly || exit 1; done

# A second for each fuzz target; FUZZTIME=5m for more.
FUZZTIME ?= 1s
fuzz:
	GO='$(GO)' FUZZTIME=$(FUZZTIME) sh bench/fuzz.sh

# What tries to break a node, for as long as it takes to be believed: attacks by a
# tenant and by clients, kills, full disks. make test has a short form of it.
torture:
	MAYFLY_TORTURE=1 $(GO) test -count=1 -v -timeout 90m ./torture ./runtime/trigger ./runtime/node ./kv/natskv ./kv/natsserver ./e2e/wrangler
	MAYFLY_TORTURE=1 $(GO) test -count=1 -v -timeout 30m -run TestKilledDuringKVTriggers ./cli

bench:
	sh bench/run.sh

# Beside wasmtime, workerd and fasthttp alone; needs a C compiler, Node.js and npm.
peers:
	GO='$(GO)' sh bench/peers/run.sh

clean:
	rm -rf bin dist
