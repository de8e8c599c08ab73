package js

import (
	gobytes "bytes"
	"context"
	"io"

	"github.com/mayfly-run/mayfly/host"
)

// upload begins to write data to the body of an outbound request, which the handle n
// names. Its result is null once that has been read.
func upload(q *query) (kind, error) {
	w, err := handle[host.BodyWriter](q)
	if err != nil {
		return 0, err
	}
	data := gobytes.Clone(q.data)
	if err := q.Hold(len(data)); err != nil {
		return 0, err
	}
	q.Usage.BytesOut += int64(len(data))
	call := q.Call
	k, err := q.start(q.beside, func(_ context.Context, j *job) {
		defer call.Release(len(data))
		_, j.err = w.Write(data)
		j.absent = true
	})
	if err != nil {
		call.Release(len(data))
	}
	return k, err
}

// uploadFrom begins to write the rest of the body of the handle n to the body of an
// outbound request that text names, without JavaScript between them, and ends both. Its result is null. What
// goes wrong shows where the response is waited for.
func uploadFrom(q *query) (kind, error) {
	b, w, err := ends(q)
	if err != nil {
		return 0, err
	}
	b.busy = true
	return q.start(q.beside, func(_ context.Context, j *job) {
		from := &failing{Reader: b.r}
		j.passed, _ = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{from}, make([]byte, chunkSize))
		_ = w.CloseWithError(from.err)
		j.absent = true
	})
}

// failing remembers why reading failed.
type failing struct {
	io.Reader
	err error
}

func (r *failing) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != io.EOF {
		r.err = err
	}
	return n, err
}

// cutShort ends the body of an outbound request, which the handle n names, as one that is not
// whole.
func cutShort(q *query) (kind, error) {
	w, err := handle[host.BodyWriter](q)
	if err != nil {
		return 0, err
	}
	_ = w.CloseWithError(errSource)
	return closeHandle(q)
}

var errSource = host.Errorf(host.CodeCanceled, "the request's body ended early")
