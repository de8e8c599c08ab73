package mayfly

import "io"

// bodyReader gives the errors of a body their public type.
type bodyReader struct {
	io.ReadCloser
	name string
}

func (b bodyReader) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	return n, fail(b.name, err)
}

// failed is a body that couldn't be opened.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }
