#!/bin/sh
# Measures what several nodes cost, in the format of Go benchmarks: into
# bench/results/cluster.txt how long changes, reads, messages and events take, and into
# bench/results/fanout.txt what a simulation of 1,000 nodes is made of, and says.
set -eu
cd "$(dirname "$0")"
: "${GO:=go}"
mkdir -p results
machine() {
	echo "machine: $(uname -srm), $(getconf _NPROCESSORS_ONLN) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)"
	echo "commit: $(git describe --always --dirty)"
}
measure() { "$GO" test -run='^$' -timeout=60m "$@"; }
{
	machine
	measure -bench='Cluster|Cron|Queues' -benchtime=1x .
} | tee results/cluster.txt
{
	machine
	measure -bench=Delivery -benchtime=300x .
	measure -bench=ServerMemory -benchtime=1000000x .
	measure -bench=Join -benchtime=100000x ../kv/natskv
	measure -bench=FanOut -benchtime=1x .
} | tee results/fanout.txt
