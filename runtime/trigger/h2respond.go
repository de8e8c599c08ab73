package trigger

import (
	"context"
	"io"
	"net/http"
	"strconv"

	"github.com/mayfly-run/mayfly/host"
	"github.com/valyala/fasthttp"
)

// send hands an answer to the client, and reports whether all of it went.
func (x *exchange) send(h *HTTP, s *stream, w http.ResponseWriter) bool {
	answer := &x.ctx.Response
	header := w.Header()
	for name, value := range answer.Header.All() {
		if !host.IsHopByHop(name) {
			header.Add(string(name), string(value))
		}
	}
	if len(header["Content-Type"]) == 0 {
		header["Content-Type"] = nil // it is not guessed
	}
	s.limitWrite(h.cfg.ResponseTimeout)
	if body := answer.BodyStream(); body != nil {
		if n := answer.Header.ContentLength(); n >= 0 {
			header.Set("Content-Length", strconv.Itoa(n))
		}
		return x.stream(s, w, body)
	}
	status, body := answer.StatusCode(), answer.Body()
	if !hasBody(status) {
		w.WriteHeader(status)
		return true
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if x.ctx.IsHead() {
		return true
	}
	_, err := w.Write(body)
	return err == nil
}

// hasBody: RFC 9110, section 6.4.1.
func hasBody(status int) bool {
	return status >= 200 && status != fasthttp.StatusNoContent && status != fasthttp.StatusNotModified
}

// streamPiece is how much is read of a streamed answer at a time, in bytes.
const streamPiece = 32 << 10

// stream sends what a guest writes as it comes, until the guest or the client ends.
func (x *exchange) stream(s *stream, w http.ResponseWriter, body io.Reader) bool {
	defer x.ctx.Response.CloseBodyStream() //nolint:errcheck // nothing of it is needed any more
	if closer, ok := body.(io.Closer); ok {
		defer context.AfterFunc(s.r.Context(), func() { closer.Close() })()
	}
	w.WriteHeader(x.ctx.Response.StatusCode())
	control := http.NewResponseController(w)
	if control.Flush() != nil {
		return false
	}
	if x.ctx.IsHead() || !hasBody(x.ctx.Response.StatusCode()) {
		return true
	}
	if x.piece == nil {
		x.piece = make([]byte, streamPiece)
	}
	for {
		n, err := body.Read(x.piece)
		if n > 0 {
			if _, failed := w.Write(x.piece[:n]); failed != nil || control.Flush() != nil {
				return false
			}
		}
		if err != nil {
			return err == io.EOF
		}
	}
}
