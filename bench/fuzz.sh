#!/bin/sh
# Runs every fuzz target of the module for FUZZTIME, one after the other. What a
# target finds stays in its testdata/fuzz. Inputs are hardly made smaller: where the
# code that runs varies from one time to the next, that would take up all the time.
# The go command sometimes fails because the time is over, with these words and no input.
# That is no finding.
set -eu
: "${GO:=go}" "${FUZZTIME:=3s}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
timed_out() { grep -q '^ *context deadline exceeded$' "$log" && ! grep -q 'Failing input' "$log"; }
grep -rl --include='*_test.go' '^func Fuzz' cli host kv runtime | sort | while read -r file; do
	dir=$(dirname "$file")
	grep -o '^func Fuzz[A-Za-z0-9_]*' "$file" | cut -d' ' -f2 | while read -r target; do
		echo "fuzz ./$dir $target"
		"$GO" test -run='^$' -fuzz="^$target\$" -fuzztime="$FUZZTIME" -fuzzminimizetime=10x "./$dir" >"$log" 2>&1 || timed_out || { cat "$log"; exit 1; }
	done
done
