package hosttest

import (
	"slices"

	"github.com/mayfly-run/mayfly/host"
)

// Recorder is a Responder that keeps the answer. After the Invocation its
// fields may be read.
type Recorder struct {
	Status  int // zero until there is an answer
	Headers host.Headers
	Body    []byte

	Answers  int      // calls of Respond and Stream
	Streamed bool     // the answer was a stream
	Writes   []string // to the stream, one by one
	Closed   bool     // the stream was closed
	CloseErr error    // what the stream was closed with
	Detached bool     // the guest went on after its answer was sent

	// Gone makes writes to the stream fail as if the client had left.
	Gone bool
}

// Header is the first value of a header of the answer, or empty.
func (r *Recorder) Header(name string) string {
	v, _ := r.Headers.Get(name)
	return string(v)
}

// Respond implements host.Responder.
func (r *Recorder) Respond(status int, headers host.Headers, body []byte) error {
	r.Answers++
	r.Status, r.Headers, r.Body = status, slices.Clone(headers), slices.Clone(body)
	return nil
}

// Stream implements host.Responder.
func (r *Recorder) Stream(status int, headers host.Headers) (host.BodyWriter, error) {
	r.Answers++
	r.Status, r.Headers, r.Streamed = status, slices.Clone(headers), true
	return (*stream)(r), nil
}

// Detach implements host.Responder.
func (r *Recorder) Detach() error {
	r.Detached = true
	return nil
}

type stream Recorder

func (s *stream) Write(p []byte) (int, error) {
	if s.Gone {
		return 0, host.Errorf(host.CodeCanceled, "the client has gone away")
	}
	s.Body = append(s.Body, p...)
	s.Writes = append(s.Writes, string(p))
	return len(p), nil
}

func (s *stream) CloseWithError(err error) error {
	s.Closed, s.CloseErr = true, err
	return nil
}
