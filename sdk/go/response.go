package mayfly

import (
	"errors"
	"io"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// Response is what a [Handler] answers.
type Response struct {
	Status int // 200 to 599; 0 means 200
	Header Header
	Body   []byte

	// stream replaces Body. It is a field so that the import of
	// respond_stream, which costs a thread, is in a module only if Stream is called.
	stream func(*Response) error
}

// Text is a response of plain text.
func Text(status int, body string) *Response {
	return Bytes(status, "text/plain; charset=utf-8", []byte(body))
}

// HTML is a response of HTML.
func HTML(status int, body string) *Response {
	return Bytes(status, "text/html; charset=utf-8", []byte(body))
}

// Bytes is a response of any type.
func Bytes(status int, contentType string, body []byte) *Response {
	return &Response{Status: status, Header: Header{{"content-type", contentType}}, Body: body}
}

// Redirect is a response that sends the client elsewhere; status is one of 301,
// 302, 303, 307 and 308.
func Redirect(status int, location string) *Response {
	return &Response{Status: status, Header: Header{{"location", location}}}
}

// Stream is a response whose body is what write writes: each Write goes to the
// client at once, so wrap w in a bufio.Writer if the pieces are small. The
// response ends when write returns. If it returns an error, the connection is
// cut, so that the client doesn't take the body for complete, and the
// invocation ends; only when the client was the one who left, all is well.
func Stream(status int, write func(w io.Writer) error) *Response {
	return &Response{Status: status, stream: func(r *Response) error { return r.sendStream(write) }}
}

// With sets a header field and returns r.
func (r *Response) With(name, value string) *Response {
	r.Header.Set(name, value)
	return r
}

func (r *Response) send() error {
	if r.stream != nil {
		return r.stream(r)
	}
	return fail("respond", host.Respond(r.status(), r.Header, r.Body))
}

func (r *Response) status() int {
	if r.Status == 0 {
		return 200
	}
	return r.Status
}

func (r *Response) sendStream(write func(io.Writer) error) error {
	w, err := host.RespondStream(r.status(), r.Header)
	if err != nil {
		return fail("respond", err)
	}
	err = write(streamWriter{w})
	if err != nil && !errors.Is(err, ErrCanceled) {
		host.Abort("stream response: " + err.Error())
	}
	w.Close()
	return nil
}

type streamWriter struct{ w io.Writer }

func (s streamWriter) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	return n, fail("write response", err)
}
