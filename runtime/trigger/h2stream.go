package trigger

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// stream is what a RequestCtx has in place of a connection for a request of HTTP/2.
// It is safe for concurrent use but for afterwards, and for use after the end.
type stream struct {
	afterwards
	conn *h2Conn
	r    *http.Request

	mu      sync.Mutex // guards what follows
	control *http.ResponseController
	writeBy time.Time // as set; zero if it was not
}

// Gone implements host.Client.
func (s *stream) Gone() bool { return s.r.Context().Err() != nil }

// end: from here on, nothing that is asked for has an effect.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.control = nil
}

// SetReadDeadline implements net.Conn.
func (s *stream) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.control == nil {
		return net.ErrClosed
	}
	return s.control.SetReadDeadline(t)
}

// SetWriteDeadline implements net.Conn.
func (s *stream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.control == nil {
		return net.ErrClosed
	}
	s.writeBy = t
	return s.control.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// limitWrite sets a deadline for the answer if there is none.
func (s *stream) limitWrite(d time.Duration) {
	s.mu.Lock()
	set := !s.writeBy.IsZero()
	s.mu.Unlock()
	if !set {
		s.SetWriteDeadline(time.Now().Add(d)) //nolint:errcheck // fails after the end only
	}
}

// LocalAddr implements net.Conn.
func (s *stream) LocalAddr() net.Addr { return s.conn.LocalAddr() }

// RemoteAddr implements net.Conn.
func (s *stream) RemoteAddr() net.Addr { return s.conn.RemoteAddr() }

// Read implements net.Conn, and always fails: a body is read as such.
func (s *stream) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Write implements net.Conn, and always fails.
func (s *stream) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Close implements net.Conn. The connection stays.
func (s *stream) Close() error { return nil }
