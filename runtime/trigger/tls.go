package trigger

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// ServeTLS answers what ln accepts over TLS until Shutdown: HTTP/2 to clients that
// negotiate it, HTTP/1.1 to others. It is called once, beside Serve or alone. config
// decides about certificates and versions; its NextProtos name both.
func (h *HTTP) ServeTLS(ln net.Listener, config *tls.Config) error {
	l := &tlsListener{Listener: ln, front: h, config: config, ready: make(chan net.Conn), closed: make(chan struct{})}
	defer l.shaking.Wait()
	defer l.Close()
	l.shaking.Go(l.run)
	return h.serve(l)
}

// tlsListener accepts connections, negotiates each on a goroutine of its own so that
// nobody waits for another's handshake, and hands on those of HTTP/1.1.
type tlsListener struct {
	net.Listener
	front   *HTTP
	config  *tls.Config
	shaking sync.WaitGroup // run, and handshakes

	ready  chan net.Conn // each a conn
	closed chan struct{}
	once   sync.Once
	err    error // why closed is closed
}

// Accept implements net.Listener.
func (l *tlsListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.closed:
		return nil, l.err
	}
}

// Close implements net.Listener.
func (l *tlsListener) Close() error {
	l.end(net.ErrClosed)
	return l.Listener.Close()
}

func (l *tlsListener) end(why error) {
	l.once.Do(func() {
		l.err = why
		close(l.closed)
	})
}

// run accepts until that fails, which ends handshakes that are under way.
func (l *tlsListener) run() {
	ctx, cancel := context.WithCancel(l.front.base)
	defer cancel()
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			l.end(err)
			return
		}
		l.shaking.Go(func() { l.take(ctx, c) })
	}
}

// take negotiates with a client, and leaves it to whoever speaks its protocol.
func (l *tlsListener) take(ctx context.Context, raw net.Conn) {
	begun := &handshake{conn: raw}
	begun.since.Store(time.Now().UnixNano())
	seat := l.front.crowd.newSeat(begun)
	begun.leave = seat.leave
	if seat.take(raw) != "" {
		l.front.cfg.Metrics.Refuse(telemetry.RefusedConnection)
		raw.Close()
		return
	}
	c, err := l.shake(ctx, raw)
	if err != nil || !begun.end() {
		l.front.cfg.Logger.Debug("TLS handshake", "client", raw.RemoteAddr().String(), "err", err)
		raw.Close()
		seat.leave()
		return
	}
	if c.ConnectionState().NegotiatedProtocol == protocolH2 {
		h2 := &h2Conn{Conn: c, leave: seat.leave, idleSince: time.Now().UnixNano()}
		seat.pass(h2)
		l.front.h2.take(h2)
		return
	}
	plain := newConn(c, l.front.timeouts(), seat.leave)
	seat.pass(plain)
	select {
	case l.ready <- plain:
	case <-l.closed:
		plain.Close()
	}
}

// handshake is a connection that is not negotiated yet. Where there are too many
// connections, it counts as idle.
type handshake struct {
	conn  net.Conn
	leave func()
	since atomic.Int64
}

func (h *handshake) idleFrom() int64 { return h.since.Load() }

func (h *handshake) giveUp(since int64) {
	if h.since.CompareAndSwap(since, givenUp) {
		h.conn.Close()
		h.leave()
	}
}

// end reports whether the connection may go on.
func (h *handshake) end() bool { return h.since.Swap(0) > 0 }

// protocolH2 is what HTTP/2 is called in a handshake (RFC 9113, section 3.1).
const protocolH2 = "h2"

// shake negotiates within the time for a header.
func (l *tlsListener) shake(ctx context.Context, raw net.Conn) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, l.front.cfg.HeaderTimeout)
	defer cancel()
	c := tls.Server(raw, l.config)
	err := c.HandshakeContext(ctx)
	if wrong, ok := errors.AsType[tls.RecordHeaderError](err); ok && wrong.Conn != nil && speaksHTTP(wrong.RecordHeader) {
		wrong.Conn.Write([]byte(notTLS)) //nolint:errcheck // it fits into the empty buffer of a new connection
	}
	return c, err
}

const notTLS = "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nThis address speaks HTTPS; write https:// in front of it.\n"

// speaksHTTP looks at the beginning of a request line.
func speaksHTTP(begin [5]byte) bool {
	switch string(begin[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET", "PATCH":
		return true
	}
	return false
}
