package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"

	"github.com/mayfly-run/mayfly/host"
)

// explain maps what went wrong to what a guest may know: nothing of it tells of
// the Node's addresses, resolvers or files.
func (x *exchange) explain(err error) *host.Error {
	ended := x.caller.Err() // first: what derives from it ends in no particular order
	if ended == nil {
		ended = x.ctx.Err()
	}
	switch {
	case errors.Is(ended, context.DeadlineExceeded):
		return host.Errorf(host.CodeTimeout, "the time allowed passed while waiting for %s", x.target)
	case ended != nil:
		return host.Errorf(host.CodeCanceled, "the exchange with %s was canceled", x.target)
	}
	if x.upload != nil {
		if failed := x.upload.failed.Load(); failed != nil {
			return failed
		}
	}
	if refused, ok := errors.AsType[*host.Error](err); ok {
		return refused
	}
	if isTimeout(err) {
		return host.Errorf(host.CodeTimeout, "%s did not answer in time", x.target)
	}
	return host.Errorf(host.CodeUnavailable, "%s %s", x.target, reason(err))
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, os.ErrDeadlineExceeded)
}

// reason completes "example.com ...".
func reason(err error) string {
	// Such an error speaks of the upstream's certificate only.
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "has a certificate that was not accepted: " + cert.Err.Error()
	}
	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		return "refused the TLS handshake: " + alert.Error()
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "does not speak TLS on this port"
	}
	for _, f := range failures {
		if errors.Is(err, f.err) {
			return f.reason
		}
	}
	return "broke off, or sent what is not HTTP, or too many headers"
}

var failures = []struct {
	err    error
	reason string
}{
	{http.ErrSchemeMismatch, "does not speak TLS on this port"},
	{syscall.ECONNREFUSED, "refused the connection"},
	{syscall.EHOSTUNREACH, "cannot be reached from this node"},
	{syscall.ENETUNREACH, "cannot be reached from this node"},
	{syscall.ECONNRESET, "closed the connection early"},
	{syscall.EPIPE, "closed the connection early"},
	{io.ErrUnexpectedEOF, "closed the connection early"},
	{io.EOF, "closed the connection early"},
}

// asError returns the host.Error that err carries, or else a new one.
func asError(err error, code host.Code, msg string) *host.Error {
	if e, ok := errors.AsType[*host.Error](err); ok {
		return e
	}
	return &host.Error{Code: code, Msg: msg}
}
