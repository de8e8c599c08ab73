package tomlfile

import (
	"maps"
	"slices"
	"strings"
)

// near returns the known key that key was most likely meant to be, or "".
func near(key string, known Fields) string { return Nearest(key, slices.Collect(maps.Keys(known))) }

// Nearest returns which of the known words a word was most likely meant to be, or
// "": one that differs in few letters, or has a unit behind it.
func Nearest(key string, known []string) string {
	best, least := "", max(1, len(key)/3)+1 // a third of the letters may be wrong
	for _, candidate := range slices.Sorted(slices.Values(known)) {
		if strings.HasPrefix(candidate, key+"_") {
			return candidate
		}
		if diff := len(candidate) - len(key); diff >= least || -diff >= least {
			continue
		}
		if n := distance(key, candidate); n < least {
			best, least = candidate, n
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b (optimal string alignment).
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	before, last, row := rows[0], rows[1], rows[2]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
