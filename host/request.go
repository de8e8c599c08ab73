package host

import (
	"io"
	"net/netip"
)

// Request is the HTTP request that an Invocation answers. Its slices stay valid
// until the Call ends.
type Request struct {
	Method  []byte
	URL     []byte // absolute
	Headers Headers
	Client  netip.Addr
	Traced  bool // its traceparent is the node's own, see FetchRequest
	// Body is nil when there is none. A Read fails with an *Error, and returns
	// by the Invocation's deadline. If Body is an io.Closer, Close may be called
	// during a Read, and ends it.
	Body io.Reader
}

// BodyWriter is a body that is being written, such as an *io.PipeWriter.
type BodyWriter interface {
	io.Writer
	// CloseWithError ends the body; with an error, in a way that lets the
	// reader see that it is not whole.
	CloseWithError(err error) error
}

// Responder takes the answer of an Invocation. A Call uses it from one
// goroutine at a time. Statuses are 200..599 and headers are well formed. It drops
// hop-by-hop fields, and bodies where HTTP has none (HEAD, 204, 304).
type Responder interface {
	// Respond sets the whole answer. It copies what it is given.
	Respond(status int, headers Headers, body []byte) error
	// Stream sends status and headers now; what is written goes out without
	// delay. A write fails with CodeCanceled once the client is gone.
	Stream(status int, headers Headers) (BodyWriter, error)
	// Detach sends the answer that Respond set, so that the guest may work on.
	// The request's body can't be read afterwards.
	Detach() error
}
