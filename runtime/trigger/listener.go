package trigger

import (
	"net"
	"sync"

	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// listener makes a conn of each connection, and turns away those that are too many.
type listener struct {
	net.Listener
	timeouts *timeouts
	metrics  *telemetry.Metrics
	crowd    *crowd

	ending   sync.WaitGroup // those that are turned away
	lingered chan struct{}  // one for each of them
}

// maxLingering is how many connections that are turned away may be waited for;
// more are closed at once, and may lose what was said to them.
const maxLingering = 64

func newListener(ln net.Listener, h *HTTP) *listener {
	return &listener{Listener: ln, timeouts: h.timeouts(), metrics: h.cfg.Metrics, crowd: h.crowd, lingered: make(chan struct{}, maxLingering)}
}

// What connections are told that are too many.
const (
	tooManyOfAddress = "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
	tooMany          = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
)

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		nc := newConn(c, l.timeouts, nil)
		seat := l.crowd.newSeat(nc)
		nc.closed = seat.leave
		refusal := seat.take(c)
		if refusal == "" {
			return nc, nil
		}
		l.metrics.Refuse(telemetry.RefusedConnection)
		l.turnAway(nc, refusal)
	}
}

// turnAway tells a connection why, without waiting for it here.
func (l *listener) turnAway(c *conn, refusal string) {
	c.Conn.Write([]byte(refusal)) //nolint:errcheck // it fits into the empty buffer of a new connection
	select {
	case l.lingered <- struct{}{}:
	default:
		c.Close()
		return
	}
	c.refused.Store(true)
	l.ending.Go(func() {
		c.Close()
		<-l.lingered
	})
}
