package js

import (
	"context"
	"io"
	"slices"
	"strconv"

	"github.com/mayfly-run/mayfly/host"
)

var bodyOps = []operation{
	{"opRequestBody", requestBody},
	{"opBodyAll", bodyAll},
	{"opBodyRead", bodyRead},
	{"opWrite", write},
	{"opCancelBody", cancelBody},
	{"opPipe", pipe},
	{"opUpload", upload},
	{"opUploadFrom", uploadFrom},
	{"opCutShort", cutShort},
	{"opResult", result},
	{"opClose", closeHandle},
	{"opTimer", setTimer},
}

// readable is a body that the guest reads, by one job at a time.
type readable struct {
	r    io.Reader
	busy bool
	size int64 // bytes; 0 if nobody knows
}

// Close gives up the rest.
func (b *readable) Close() error {
	if c, ok := b.r.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// requestBody gives the handle of the request's body, once.
func requestBody(q *query) (kind, error) {
	if q.Request.Body == nil || q.BodyTaken {
		return 0, host.Errorf(host.CodeState, "the request's body was taken already, or it has none")
	}
	if err := q.Handles.Room(); err != nil {
		return 0, err
	}
	q.BodyTaken = true
	return q.open(&readable{r: q.Request.Body, size: announced(q.Request.Headers)})
}

// announced is the length of a body that its headers have, in bytes, or 0.
func announced(h host.Headers) int64 {
	text, _ := h.Joined("content-length")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// idle is the body of the handle n, of which nobody reads.
func idle(q *query) (*readable, error) {
	b, err := handle[*readable](q)
	if err == nil && b.busy {
		return nil, host.Errorf(host.CodeState, "this body is being read already")
	}
	return b, err
}

// bodyAll begins to read the rest of a body.
func bodyAll(q *query) (kind, error) {
	b, err := idle(q)
	if err != nil {
		return 0, err
	}
	b.busy = true
	return q.start(q.beside, func(_ context.Context, j *job) { j.err = j.readAll(b.r) })
}

// readAll reads to the end, and holds what it reads.
func (j *job) readAll(r io.Reader) error {
	for {
		if len(j.value) == cap(j.value) {
			j.value = slices.Grow(j.value, max(chunkSize/16, len(j.value)))
		}
		n, err := r.Read(j.value[len(j.value):cap(j.value)])
		j.value = j.value[:len(j.value)+n]
		j.bytes += int64(n)
		if holdErr := j.hold(n); holdErr != nil {
			return holdErr
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// chunkSize is how much of a body one read gives at most, in bytes.
const chunkSize = 64 << 10

// bodyRead begins to read a piece of a body; its result is null at the end.
func bodyRead(q *query) (kind, error) {
	b, err := idle(q)
	if err != nil {
		return 0, err
	}
	b.busy = true
	return q.start(q.beside, func(_ context.Context, j *job) {
		p, n := make([]byte, chunkSize), 0
		for n == 0 && j.err == nil {
			n, j.err = b.r.Read(p)
		}
		j.bytes = int64(n)
		if j.value = p[:n]; n > 0 || j.err == io.EOF {
			j.err = nil
		}
		j.absent = n == 0 && j.err == nil
		b.busy = false
	})
}

// cancelBody gives up the rest of a body. Its handle stays, so that who reads it finds
// that out, and closes it.
func cancelBody(q *query) (kind, error) {
	b, err := handle[*readable](q)
	if err != nil {
		return 0, err
	}
	return noValue, b.Close()
}

// beside is a starter.
func (q *query) beside(_ context.Context, work func(context.Context)) host.Task { return q.Start(work) }

// ends are the body of the handle n, which nothing else reads, and the one to which it
// is to be written: that of the handle which text names.
func ends(q *query) (*readable, host.BodyWriter, error) {
	from, err := idle(q)
	if err != nil {
		return nil, nil, err
	}
	n, err := strconv.ParseUint(string(q.text), 10, 32)
	if err != nil {
		return nil, nil, host.Errorf(host.CodeInvalid, "%q is not a handle", q.text)
	}
	to, handleErr := host.Get[host.BodyWriter](&q.Handles, host.Handle(n))
	if handleErr != nil {
		return nil, nil, handleErr
	}
	return from, to, nil
}

// pipe begins to copy the rest of the body of the handle n to that which text names,
// without JavaScript between them. Its result is null.
func pipe(q *query) (kind, error) {
	b, w, err := ends(q)
	if err != nil {
		return 0, err
	}
	b.busy = true
	return q.start(q.beside, func(_ context.Context, j *job) {
		to := &toClient{Writer: w}
		j.passed, j.err = io.CopyBuffer(to, struct{ io.Reader }{b.r}, make([]byte, chunkSize))
		if to.gone {
			j.err = errGone
		}
		j.absent = j.err == nil
	})
}

// errGone: the client went away before it had all of the answer.
var errGone = host.Errorf(host.CodeCanceled, "the client no longer reads the answer")

// toClient notes whether it was the writing that failed.
type toClient struct {
	io.Writer
	gone bool
}

func (w *toClient) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.gone = w.gone || isGone(err)
	return n, err
}

// isGone: a pipe whose reader is gone has no error of ours.
func isGone(err error) bool {
	return err != nil && (host.CodeOf(err) == host.CodeInternal || host.CodeOf(err) == host.CodeCanceled)
}

// write writes data to the body that the handle n names.
func write(q *query) (kind, error) {
	w, err := handle[host.BodyWriter](q)
	if err != nil || len(q.data) == 0 {
		return noValue, err
	}
	q.Pause()
	n, writeErr := w.Write(q.data)
	q.Resume()
	q.Usage.BytesOut += int64(n)
	if isGone(writeErr) {
		q.gone = true
		return 0, errGone
	}
	return noValue, writeErr
}
