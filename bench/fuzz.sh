#!/bin/sh
# Runs every fuzz target of the module for FUZZTIME, one after the other.
set -eu
: "${GO:=go}" "${FUZZTIME:=3s}"
grep -rl --include='*_test.go' '^func Fuzz' cli host kv runtime | while read -r file; do
	dir=$(dirname "$file")
	grep -o '^func Fuzz[A-Za-z0-9_]*' "$file" | cut -d' ' -f2 | while read -r target; do
		echo "fuzz ./$dir $target"
		"$GO" test -run='^$' -fuzz="^$target\$" -fuzztime="$FUZZTIME" "./$dir" >/tmp/mayfly-fuzz.$$ 2>&1 || { cat /tmp/mayfly-fuzz.$$; exit 1; }
	done
done
rm -f /tmp/mayfly-fuzz.$$
