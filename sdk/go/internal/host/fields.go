package host

import (
	"bytes"
	"strings"
)

// AppendFields appends fields as a header block: name, NUL, value, NUL, repeated.
// A NUL inside of a name or value would smuggle in another field and is refused;
// whatever else makes a field malformed is left to the node.
func AppendFields(block []byte, fields []Field) ([]byte, error) {
	for _, f := range fields {
		for _, s := range f {
			if strings.IndexByte(s, 0) >= 0 {
				return nil, &Error{Invalid, "NUL in header field " + f[0]}
			}
			block = append(append(block, s...), 0)
		}
	}
	return block, nil
}

// ParseFields reads a header block. What follows the last complete field is ignored.
func ParseFields(block []byte) []Field {
	fields := make([]Field, 0, bytes.Count(block, []byte{0})/2)
	for {
		name, rest, _ := bytes.Cut(block, []byte{0})
		value, rest, ok := bytes.Cut(rest, []byte{0})
		if !ok {
			return fields
		}
		fields = append(fields, Field{string(name), string(value)})
		block = rest
	}
}
