package trigger

import (
	"bufio"
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/valyala/fasthttp"
)

// h2Handler answers the requests of a connection.
type h2Handler struct {
	server *h2Server
	conn   *h2Conn
}

// ServeHTTP implements http.Handler.
func (h *h2Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.server.begin() {
		panic(http.ErrAbortHandler)
	}
	defer h.server.end()
	defer h.conn.end()
	if !h.conn.begin() {
		panic(http.ErrAbortHandler)
	}
	x := h.server.pool.Get().(*exchange)
	s := &stream{conn: h.conn, r: r, control: http.NewResponseController(w)}
	defer s.end()
	x.ctx.Init2(s, quiet{h.server.front.cfg.Logger}, false)
	x.answer(h.server.front, r)
	complete := x.send(h.server.front, s, w)
	x.reset()
	h.server.pool.Put(x)
	if s.spent != nil || s.taken > 0 { // the answer leaves when this returns
		h.server.front.live.Go(s.settle)
	}
	if !complete {
		panic(http.ErrAbortHandler) // resets the stream
	}
}

// exchange is a request of HTTP/2 in the terms of the front end, and its answer.
// A request is written as HTTP/1.1 has it and read again, so that all rules for
// requests are those of one place.
type exchange struct {
	ctx    fasthttp.RequestCtx
	header []byte
	text   *bytes.Reader // of header
	lines  *bufio.Reader // of text
	piece  []byte        // buffer
}

func newExchange(maxHeader int) *exchange {
	x := &exchange{text: bytes.NewReader(nil)}
	x.lines = bufio.NewReaderSize(x.text, maxHeader)
	return x
}

func (x *exchange) reset() {
	x.ctx.Request.Reset()
	x.ctx.Response.Reset()
	x.ctx.ResetUserValues()
	if cap(x.header) > 64<<10 {
		x.header = nil
	}
}

func (x *exchange) answer(h *HTTP, r *http.Request) {
	x.ctx.Response.Header.SetNoDefaultContentType(true)
	if refused := checkH2(r); refused != nil {
		h.refuse(&x.ctx, refused)
		return
	}
	x.header = appendRequest(x.header[:0], r)
	x.text.Reset(x.header)
	x.lines.Reset(x.text)
	if err := x.ctx.Request.Header.Read(x.lines); err != nil {
		h.refuseUnread(&x.ctx, err)
		return
	}
	if r.ContentLength != 0 {
		x.ctx.Request.SetBodyStream(r.Body, int(r.ContentLength))
	}
	h.handle(&x.ctx)
}

// checkH2 finds what could not be written as HTTP/1.1, or would be another request
// then (RFC 9113, sections 8.3 and 10.3). What is malformed in HTTP/2, http2 has
// refused, such as a Host field beside another authority.
func checkH2(r *http.Request) *refusal {
	switch {
	case !host.IsToken([]byte(r.Method)):
		return &refusal{fasthttp.StatusBadRequest, "the method is not a token"}
	case r.TLS == nil:
		return &refusal{fasthttp.StatusBadRequest, "the request names another scheme than https"}
	case !strings.HasPrefix(r.RequestURI, "/") || !validPath([]byte(r.RequestURI)):
		return &refusal{fasthttp.StatusBadRequest, "the request target holds what must be percent-encoded, or a % without two digits"}
	case !validHost([]byte(r.Host)):
		return &refusal{fasthttp.StatusBadRequest, "the request names no host"}
	}
	if length := r.Header["Content-Length"]; len(length) > 0 && r.ContentLength == 0 && length[0] != "0" {
		return &refusal{fasthttp.StatusBadRequest, "the request's body is not as long as it says"}
	}
	return nil
}

// appendRequest writes the header of a request that checkH2 found no fault with.
// The order of its fields is lost; those of one name keep theirs.
func appendRequest(b []byte, r *http.Request) []byte {
	b = append(append(append(b, r.Method...), ' '), r.RequestURI...)
	b = append(b, " HTTP/1.1\r\n"...)
	b = appendLine(b, "Host", r.Host)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if name == "Host" || name == "Transfer-Encoding" {
			continue
		}
		for _, value := range r.Header[name] {
			b = appendLine(b, name, value)
		}
	}
	if r.ContentLength < 0 { // as long as it turns out to be
		b = appendLine(b, "Transfer-Encoding", "chunked")
	}
	return append(b, "\r\n"...)
}

func appendLine(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), "\r\n"...)
}
