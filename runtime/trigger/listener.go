package trigger

import (
	"net"
	"net/netip"
	"sync"
)

// listener makes a conn of each connection, and turns away those that are too
// many from one address.
type listener struct {
	net.Listener
	timeouts *timeouts
	most     int // from one address; 0 is as many as it likes

	mu   sync.Mutex // guards open
	open map[netip.Addr]int
}

func newListener(ln net.Listener, t *timeouts, most int) *listener {
	return &listener{Listener: ln, timeouts: t, most: most, open: map[netip.Addr]int{}}
}

const tooMany = "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || l.most == 0 {
			return l.wrap(c, nil), err
		}
		addr := addrOf(c)
		if l.enter(addr) {
			return l.wrap(c, func() { l.leave(addr) }), nil
		}
		c.Write([]byte(tooMany)) //nolint:errcheck // it fits into the empty buffer of a new connection
		c.Close()
	}
}

// wrap takes a nil c as well.
func (l *listener) wrap(c net.Conn, closed func()) net.Conn {
	if c == nil {
		return nil
	}
	return newConn(c, l.timeouts, closed)
}

func (l *listener) enter(addr netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[addr] >= l.most {
		return false
	}
	l.open[addr]++
	return true
}

func (l *listener) leave(addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[addr]--; l.open[addr] == 0 {
		delete(l.open, addr)
	}
}

// addrOf is the zero Addr where a connection is not TCP.
func addrOf(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
