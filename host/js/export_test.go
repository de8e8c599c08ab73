package js

import "io"

// Operations is how many there are.
var Operations = len(operations)

// Inflate decompresses what comes in pieces, at most a megabyte.
func Inflate(format string, pieces ...[]byte) ([]byte, error) {
	d := newInflater(format)
	defer d.close()
	var out []byte
	for i := 0; len(out) < 1<<20; {
		b, err := d.read()
		switch {
		case err == io.EOF:
			return out, nil
		case err != nil:
			return nil, err
		case len(b) > 0:
			out = append(out, b...)
		case i < len(pieces):
			d.write(pieces[i])
			i++
		default:
			d.end()
		}
	}
	return out[:1<<20], nil
}
