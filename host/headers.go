package host

import (
	"bytes"
	"iter"
)

// Headers is a block of HTTP fields in the form in which it crosses the native
// ABI: name NUL value NUL, repeated. The order of fields is kept; a name may
// occur more than once. A nil block is empty. Compare names without regard to
// case; the front end hands them to guests in lower case.
type Headers []byte

// Add appends one field.
func (h Headers) Add(name, value string) Headers {
	return append(append(append(append(h, name...), 0), value...), 0)
}

// All iterates over the fields of a well-formed block. The slices point into h.
func (h Headers) All() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for rest := []byte(h); len(rest) > 0; {
			name, value, next, ok := cutField(rest)
			if !ok || !yield(name, value) {
				return
			}
			rest = next
		}
	}
}

// MaxHeaders is the length of the longest block that a guest may make, in bytes.
const MaxHeaders = 128 << 10

// Get returns the first value of name, which may be in any case.
func (h Headers) Get(name string) (value []byte, ok bool) {
	for n, v := range h.All() {
		if equalFold(n, name) {
			return v, true
		}
	}
	return nil, false
}

// Joined is the values of all fields of a name as one (RFC 9110, section 5.3), and
// whether there is any.
func (h Headers) Joined(name string) (value string, ok bool) {
	var values []byte
	for n, v := range h.All() {
		if !equalFold(n, name) {
			continue
		}
		if ok {
			values = append(values, ", "...)
		}
		values, ok = append(values, v...), true
	}
	return string(values), ok
}

// Check says what is wrong with a block that a guest made, or nil: it has at
// most MaxHeaders bytes, every name must be a token and every value free of
// control characters (RFC 9110, sections 5.1 and 5.5).
func (h Headers) Check() *Error {
	if len(h) > MaxHeaders {
		return Errorf(CodeTooLarge, "header block of %d bytes exceeds the limit of %d", len(h), MaxHeaders)
	}
	for rest := []byte(h); len(rest) > 0; {
		name, value, next, ok := cutField(rest)
		if !ok {
			return Errorf(CodeInvalid, "header block does not end with NUL after a value")
		}
		if !IsToken(name) {
			return Errorf(CodeInvalid, "header name %q is not an HTTP token", clip(name))
		}
		if !isFieldValue(value) {
			return Errorf(CodeInvalid, "value of header %q holds a control character or begins or ends with white space", clip(name))
		}
		rest = next
	}
	return nil
}

func cutField(b []byte) (name, value, rest []byte, ok bool) {
	name, rest, ok = bytes.Cut(b, []byte{0})
	if !ok {
		return nil, nil, nil, false
	}
	value, rest, ok = bytes.Cut(rest, []byte{0})
	return name, value, rest, ok
}

// IsHopByHop reports whether a field belongs to one connection (RFC 9110,
// section 7.6.1) or to the framing, so that a guest never sets it.
func IsHopByHop(name []byte) bool {
	switch len(name) {
	case 2:
		return equalFold(name, "te")
	case 7:
		return equalFold(name, "trailer") || equalFold(name, "upgrade")
	case 10:
		return equalFold(name, "connection") || equalFold(name, "keep-alive")
	case 14:
		return equalFold(name, "content-length") // the host counts for itself
	case 16:
		return equalFold(name, "proxy-connection")
	case 17:
		return equalFold(name, "transfer-encoding")
	}
	return false
}

// IsToken reports whether a header name or method is one (RFC 9110, section 5.6.2).
func IsToken(name []byte) bool {
	for _, c := range name {
		if !tokenBytes[c] {
			return false
		}
	}
	return len(name) > 0
}

func isFieldValue(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	n := len(value)
	return n == 0 || !isBlank(value[0]) && !isBlank(value[n-1])
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// tokenBytes marks the tchar of RFC 9110, section 5.6.2.
var tokenBytes = func() (t [256]bool) {
	for _, c := range "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		t[c] = true
	}
	return t
}()

// equalFold compares ASCII without regard to case; lower is in lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range b {
		if ASCIILower(b[i]) != ASCIILower(lower[i]) {
			return false
		}
	}
	return true
}

// ASCIILower maps A-Z to a-z and leaves other bytes alone.
func ASCIILower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// clip keeps a guest's text short in messages.
func clip(b []byte) []byte { return b[:min(len(b), 64)] }
