package mayflyhttp

import (
	"io"
	"net/http"
	"strconv"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// keep is how much of a response is kept back before it is streamed, and how
// much of a streamed response is gathered between flushes: each piece costs a
// crossing to the node and a write to the client.
const keep = 64 << 10

// responseWriter implements http.ResponseWriter and http.Flusher.
type responseWriter struct {
	header http.Header
	status int           // 0 before WriteHeader
	sent   mayfly.Header // the header as it was at WriteHeader
	buf    []byte        // written, not yet on its way
	stream io.WriteCloser
	err    error // why streaming failed
}

func (w *responseWriter) Header() http.Header { return w.header }

func (w *responseWriter) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic("mayflyhttp: invalid status " + strconv.Itoa(status))
	}
	if status < 200 {
		return
	}
	if w.status != 0 {
		mayfly.Log(mayfly.LevelWarn, "mayflyhttp: superfluous WriteHeader("+strconv.Itoa(status)+")")
		return
	}
	w.status, w.sent = status, fromHeader(w.header)
}

func (w *responseWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.status == http.StatusNoContent || w.status == http.StatusNotModified {
		return 0, http.ErrBodyNotAllowed
	}
	n := len(p)
	for len(w.buf)+len(p) > keep {
		room := keep - len(w.buf)
		w.buf = append(w.buf, p[:room]...)
		if err := w.FlushError(); err != nil {
			return 0, err
		}
		p = p[room:]
	}
	w.buf = append(w.buf, p...)
	return n, w.err
}

// Flush implements http.Flusher.
func (w *responseWriter) Flush() { w.FlushError() }

// FlushError sends what was written, for http.ResponseController.
func (w *responseWriter) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.stream == nil && w.err == nil {
		w.sniff()
		w.stream, w.err = host.RespondStream(w.status, w.sent)
	}
	if w.err == nil && len(w.buf) > 0 {
		_, w.err = w.stream.Write(w.buf)
		w.buf = w.buf[:0]
	}
	return w.err
}

// sniff sets the content type that the handler didn't, as net/http does.
func (w *responseWriter) sniff() {
	_, set := w.header["Content-Type"]
	if !set && len(w.buf) > 0 && w.sent.Get("Content-Encoding") == "" {
		w.sent.Add("content-type", http.DetectContentType(w.buf))
	}
}

// end sends what is left when the handler has returned.
func (w *responseWriter) end() {
	if w.stream != nil {
		w.FlushError()
		w.stream.Close()
		return
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.sniff()
	if w.err == nil {
		w.err = host.Respond(w.status, w.sent, w.buf)
	}
	if w.err != nil {
		mayfly.Log(mayfly.LevelError, "respond: "+w.err.Error())
		host.Respond(http.StatusInternalServerError, nil, nil) // if this fails too, there was an answer already
	}
}
