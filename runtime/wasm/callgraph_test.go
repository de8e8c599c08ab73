package wasm_test

import (
	"slices"
	"testing"
)

// graph is a module of functions () -> () whose bodies are given. Those in table
// can be called indirectly, and one of another type.
func graph(table []int, bodies ...string) []byte {
	var types, codes, elements []string
	for i, body := range bodies {
		typ := "\x00"
		if i == otherType {
			typ = "\x01"
		}
		body = noLocals + body + "\x0b"
		types, codes = append(types, typ), append(codes, leb(len(body))+body)
	}
	for _, f := range table {
		elements = append(elements, leb(f))
	}
	return []byte(header + section(1, vec(nothing, "\x60\x01\x7f\x00", nothing)) + section(3, vec(types...)) +
		section(4, vec("\x70\x00"+leb(len(table)))) + section(9, vec("\x00\x41\x00\x0b"+vec(elements...))) + section(10, vec(codes...)))
}

const (
	otherType = 4 // the function (i32) -> ()

	call0, call1, call2, call3 = "\x10\x00", "\x10\x01", "\x10\x02", "\x10\x03"

	indirect      = "\x41\x00\x11\x00\x00"         // of type () -> ()
	indirectAgain = "\x41\x00\x11\x02\x00"         // of another that is the same
	indirectOther = "\x41\x00\x41\x00\x11\x01\x00" // of type (i32) -> ()
)

// TestRecursive finds the functions on cycles of calls, and those alone.
func TestRecursive(t *testing.T) {
	tests := []struct {
		name   string
		table  []int
		bodies []string
		want   []int
	}{
		{"chain", nil, []string{call1, call2, ""}, nil},
		{"itself", nil, []string{call1, call1, ""}, []int{1}},
		{"pair", nil, []string{call1, call2, call1}, []int{1, 2}},
		{"two cycles", nil, []string{call1, call0 + call2, call3, call2}, []int{0, 1, 2, 3}},
		{"diamond", nil, []string{call1 + call2, call3, call3, ""}, nil},
		{"figure of eight", nil, []string{call1, call0 + call2, call1, ""}, []int{0, 1, 2}},
		{"indirectly itself", []int{0}, []string{indirect}, []int{0}},
		{"through the table", []int{0}, []string{call1, call2, indirect}, []int{0, 1, 2}},
		{"not in the table", []int{1}, []string{indirect, ""}, nil},
		{"the same type twice", []int{0}, []string{indirectAgain}, []int{0}},
		{"of another type", []int{0, 1, 4}, []string{indirectOther, "", "", "", ""}, nil},
		{"by way of another type", []int{4}, []string{indirectOther, "", "", "", call0}, []int{0, 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []int
			for f, recursive := range mustParse(t, graph(tt.table, tt.bodies...)).Recursive() {
				if recursive {
					got = append(got, f)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestDeepest adds up the frames of the longest way that is not a cycle.
func TestDeepest(t *testing.T) {
	tests := []struct {
		name   string
		bodies []string
		want   []int // the functions that are on it
	}{
		{"one", []string{""}, []int{0}},
		{"chain", []string{call1, call2, ""}, []int{0, 1, 2}},
		{"the longer way", []string{call3 + call1, call2, "", ""}, []int{0, 1, 2}},
		{"around a cycle", []string{call1, call2 + call1, ""}, []int{0, 2}},
		{"cycle", []string{call1, call0}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := mustParse(t, graph(nil, tt.bodies...))
			want := 0
			for _, f := range tt.want {
				want += int(m.Frames()[f])
			}
			if got := m.Deepest(); got != want {
				t.Errorf("got %d bytes, want %d", got, want)
			}
		})
	}
}

// TestLongChain: the search does not recurse.
func TestLongChain(t *testing.T) {
	const n = 150_000
	m := mustParse(t, doubling(n))
	if slices.Contains(m.Recursive(), true) {
		t.Error("a chain is a cycle")
	}
	if got := m.Deepest(); got < n*100 {
		t.Errorf("got %d bytes", got)
	}
}
