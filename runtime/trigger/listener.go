package trigger

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// listener makes a conn of each connection, and turns away those that are too
// many. Where there are too many in all, those that have been idle for longest make
// room first.
type listener struct {
	net.Listener
	timeouts *timeouts
	metrics  *telemetry.Metrics
	// most there may be, and from one address; 0 is as many as it likes.
	most, mostOfAddress int

	ending   sync.WaitGroup // those that are turned away
	lingered chan struct{}  // one for each of them

	mu      sync.Mutex // guards what follows
	open    map[*conn]struct{}
	address map[netip.Addr]int
}

// maxLingering is how many connections that are turned away may be waited for;
// more are closed at once, and may lose what was said to them.
const maxLingering = 64

func newListener(ln net.Listener, t *timeouts, cfg *HTTPConfig) *listener {
	return &listener{Listener: ln, timeouts: t, metrics: cfg.Metrics, most: cfg.MaxConns, mostOfAddress: cfg.MaxConnsPerIP,
		lingered: make(chan struct{}, maxLingering), open: map[*conn]struct{}{}, address: map[netip.Addr]int{}}
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
		refusal := l.admit(nc)
		if refusal == "" {
			return nc, nil
		}
		l.metrics.Refuse(telemetry.RefusedConnection)
		l.turnAway(nc, refusal)
	}
}

// admit counts a connection until it is closed, or says why not.
func (l *listener) admit(c *conn) (refusal string) {
	var addr netip.Addr
	if l.mostOfAddress > 0 {
		if addr = addrOf(c.Conn); !l.enter(addr) {
			return tooManyOfAddress
		}
	}
	leave := func() {
		if l.mostOfAddress > 0 {
			l.leave(addr)
		}
	}
	if l.most > 0 && !l.add(c) {
		leave()
		return tooMany
	}
	c.closed = func() {
		leave()
		l.remove(c)
	}
	return ""
}

func (l *listener) enter(addr netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.address[addr] >= l.mostOfAddress {
		return false
	}
	l.address[addr]++
	return true
}

func (l *listener) leave(addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.address[addr]--; l.address[addr] == 0 {
		delete(l.address, addr)
	}
}

// add makes room for a connection if there is none.
func (l *listener) add(c *conn) bool {
	l.mu.Lock()
	idle := []idleConn(nil)
	if len(l.open) >= l.most {
		idle = l.longestIdle()
	}
	l.mu.Unlock()
	for _, i := range idle {
		i.conn.giveUp(i.since)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.most {
		return false
	}
	l.open[c] = struct{}{}
	return true
}

func (l *listener) remove(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

type idleConn struct {
	conn  *conn
	since int64
}

// longestIdle are those that make room, several at once, so that not every newcomer
// has to look at all. It needs l.mu.
func (l *listener) longestIdle() []idleConn {
	var idle []idleConn
	for c := range l.open {
		if since := c.idleSince.Load(); since > 0 {
			idle = append(idle, idleConn{c, since})
		}
	}
	slices.SortFunc(idle, func(a, b idleConn) int { return cmp.Compare(a.since, b.since) })
	return idle[:min(len(idle), 1+l.most/64)]
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

// addrOf is the zero Addr where a connection is not TCP.
func addrOf(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
