package mayfly

import (
	"slices"
	"strings"
)

// Header is a list of header fields, each a name and a value. Names are
// compared without regard to case; those that a node gives are in lower case.
// The zero value is an empty header, and a literal is a list of pairs:
//
//	mayfly.Header{{"Content-Type", "text/html"}, {"Vary", "Accept"}}
type Header [][2]string

// Get returns the first value of the named field, or "".
func (h Header) Get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f[0], name) {
			return f[1]
		}
	}
	return ""
}

// Values returns all values of the named field.
func (h Header) Values(name string) []string {
	var values []string
	for _, f := range h {
		if strings.EqualFold(f[0], name) {
			values = append(values, f[1])
		}
	}
	return values
}

// Add appends a field.
func (h *Header) Add(name, value string) { *h = append(*h, [2]string{name, value}) }

// Set replaces all fields of that name with one.
func (h *Header) Set(name, value string) {
	h.Del(name)
	h.Add(name, value)
}

// Del removes all fields of that name.
func (h *Header) Del(name string) {
	*h = slices.DeleteFunc(*h, func(f [2]string) bool { return strings.EqualFold(f[0], name) })
}
