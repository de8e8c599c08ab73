package router

import (
	"slices"
	"strings"
)

// prefixes is an immutable map from strings to values that finds all keys a
// text begins with, longest first, in one binary search.
//
// It works because in sorted order every key between a prefix of a text and
// the text itself begins with that prefix: the keys we look for are the
// greatest key not above the text, or ancestors of it.
type prefixes[V any] struct {
	keys   []string // sorted
	values []V      // beside keys
	parent []int32  // beside keys: the longest other key that this one begins with, or -1
}

func newPrefixes[V any](m map[string]V) prefixes[V] {
	var s prefixes[V]
	for key := range m {
		s.keys = append(s.keys, key)
	}
	slices.Sort(s.keys)
	for i, key := range s.keys {
		j := int32(i) - 1
		for j >= 0 && !strings.HasPrefix(key, s.keys[j]) {
			j = s.parent[j]
		}
		s.parent = append(s.parent, j)
		s.values = append(s.values, m[key])
	}
	return s
}

// longest returns the index of the longest key that text begins with, or -1.
// parent leads to the shorter ones.
func (s *prefixes[V]) longest(text []byte) int32 {
	lo, hi := 0, len(s.keys)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if s.keys[mid] <= string(text) { // compared without a copy
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	i := int32(lo) - 1
	if i < 0 {
		return -1
	}
	common := commonPrefix(s.keys[i], text)
	for i >= 0 && len(s.keys[i]) > common {
		i = s.parent[i]
	}
	return i
}

func commonPrefix(a string, b []byte) int {
	n := min(len(a), len(b))
	if a[:n] == string(b[:n]) { // the usual case, many bytes at a time
		return n
	}
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
