#!/bin/sh
# Runs every fuzz target of the module for FUZZTIME, one after the other. What a
# target finds stays in its testdata/fuzz. Inputs are hardly made smaller: where the
# code that runs varies from one time to the next, that would take up all the time.
# The targets of a package share one test binary: building it takes longer than they do.
# It sometimes fails because the time is over, with these words and no input. That is no
# finding.
set -eu
: "${GO:=go}" "${FUZZTIME:=3s}"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cache=$("$GO" env GOCACHE)/fuzz
timed_out() { grep -q '^ *context deadline exceeded$' "$tmp/log" && ! grep -q 'Failing input' "$tmp/log"; }
grep -rl --include='*_test.go' '^func Fuzz' cli host kv runtime | xargs -n1 dirname | sort -u | while read -r dir; do
	"$GO" test -c -fuzz=. -ldflags=-w -o "$tmp/fuzz.test" "./$dir"
	grep -oh '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | cut -d' ' -f2 | sort | while read -r target; do
		echo "fuzz ./$dir $target"
		(cd "$dir" && "$tmp/fuzz.test" -test.run='^$' -test.fuzz="^$target\$" -test.fuzztime="$FUZZTIME" -test.fuzzminimizetime=10x -test.fuzzcachedir="$cache/github.com/mayfly-run/mayfly/$dir") >"$tmp/log" 2>&1 ||
			timed_out || { cat "$tmp/log"; exit 1; }
	done
done
