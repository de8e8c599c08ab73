package js_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/mayfly-run/mayfly/host/js"
)

// FuzzInflate compares the decompressor, given its input in two pieces, with
// the library given all of it.
func FuzzInflate(f *testing.F) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, "text and text and text")
	w.Close()
	for cut := range b.Len() {
		f.Add(b.Bytes(), cut)
	}
	f.Add(append(bytes.Clone(b.Bytes()), b.Bytes()...), 1000)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		cut = max(0, min(cut, len(data)))
		got, err := js.Inflate("gzip", data[:cut], data[cut:])
		want, wantErr := inflate(data)
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Errorf("got %q, %v, want %q, %v", got, err, want, wantErr)
		}
	})
}

// inflate is for one member, with nothing behind it.
func inflate(data []byte) ([]byte, error) {
	in := bytes.NewReader(data)
	r, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	r.Multistream(false)
	out, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err == nil && in.Len() > 0 {
		return nil, io.ErrNoProgress
	}
	return out, err
}
