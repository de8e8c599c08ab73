#!/bin/sh
# Measures Mayfly and its peers with the same guests in one run, and writes
# bench/results/peers.txt. ROUNDS is how often, ROUND_SECONDS for how long a
# server is loaded each time; the default takes about 7 minutes. (SECONDS is taken:
# some shells count in it.)
# The requirements of this module follow those of Mayfly's: go mod tidy, after
# those have changed. Needs Go with a C compiler (wasmtime is a C library), Node.js and npm.
set -eu
cd "$(dirname "$0")"
: "${GO:=go}" "${ROUNDS:=5}" "${ROUND_SECONDS:=3}"
npm ci --ignore-scripts --no-audit --no-fund
npm ci --ignore-scripts --no-audit --no-fund --prefix ../guests/workers
CGO_ENABLED=0 "$GO" build -C ../.. -trimpath -o bench/peers/bin/mayfly ./cli/mayfly
CGO_ENABLED=0 "$GO" build -trimpath -o bin/bare ./bare
CGO_ENABLED=1 "$GO" build -trimpath -o bin/peers .
mkdir -p ../results
# workerd itself rather than the script that starts it, which would outlive a signal
exec bin/peers -rounds "$ROUNDS" -seconds "$ROUND_SECONDS" -commit "$(git describe --always --dirty)" \
	-workerd "$(node -p 'require("workerd").default')" -wizer node_modules/.bin/wizer
