#!/bin/sh
# Runs the benchmarks and keeps their output under bench/results, in the format
# of Go benchmarks, which benchstat reads. COUNT repeats each; BENCH selects.
# Those that are a story of their own (a restart, neighbours that attack, hundreds
# of Functions) run once at the end; STORIES selects them.
set -eu
cd "$(dirname "$0")"
: "${GO:=go}" "${COUNT:=6}" "${BENCH:=Invoke|HTTP|Worker$|WorkerProgram|WorkerReset}" "${STORIES:=Restart|Neighbours|Deploy|Functions|Workers|IsolationStart}" "${NAME:=$(date -u +%Y-%m-%d)}"
mkdir -p results
{
	echo "machine: $(uname -srm), $(getconf _NPROCESSORS_ONLN) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)"
	echo "commit: $(git describe --always --dirty)"
	"$GO" test -run='^$' -bench="$BENCH" -count="$COUNT" -timeout=60m .
	"$GO" test -run='^$' -bench="$STORIES" -benchtime=1x -timeout=60m .
} | tee "results/$NAME.txt"
