package trigger

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
)

// timeouts are what a connection waits for at the most, unless it is told another
// deadline. Their clock may be coarse.
type timeouts struct {
	idle, header, write, linger time.Duration
	now                         func() time.Time
}

// conn is a client's connection. It knows how long to wait for what, and whether
// the client is still there, and has what is to be done once the client has its
// answer.
type conn struct {
	net.Conn
	timeouts *timeouts
	closed   func()          // called once, by the first Close; may be nil
	raw      syscall.RawConn // nil if it can't be looked at
	half     interface{ CloseWrite() error }
	secure   bool // it is encrypted
	gone     bool // the last result of peekFn
	peekFn   func(fd uintptr)

	// idleSince is when the connection was made or its last answer sent, in
	// nanoseconds, and 0 during a request.
	idleSince atomic.Int64

	// What follows belongs to the goroutine that serves the connection.

	idle     bool      // between two requests
	headerBy time.Time // when the request's header must be there; zero if it was not waited for
	afterwards

	read, write deadline
	once        sync.Once
	refused     atomic.Bool // Close has the client's answer reach it first
}

func newConn(c net.Conn, t *timeouts, closed func()) *conn {
	nc := &conn{Conn: c, timeouts: t, closed: closed}
	nc.peekFn = nc.peek
	nc.idleSince.Store(t.now().UnixNano())
	if t, ok := c.(*tls.Conn); ok {
		nc.secure, nc.peekFn, c = true, nc.poll, t.NetConn()
	}
	if p, ok := c.(interface{ Raw() net.Conn }); ok { // of the PROXY protocol
		c = p.Raw()
	}
	if s, ok := c.(syscall.Conn); ok {
		nc.raw, _ = s.SyscallConn()
	}
	nc.half, _ = c.(interface{ CloseWrite() error })
	nc.read.set, nc.write.set = nc.Conn.SetReadDeadline, nc.Conn.SetWriteDeadline
	return nc
}

// Gone implements host.Client. A client that only closed its sending half counts
// as gone as well: nothing tells the two apart.
func (c *conn) Gone() bool {
	if c.raw == nil {
		return false
	}
	return c.raw.Control(c.peekFn) != nil || c.gone
}

func (c *conn) peek(fd uintptr) {
	var b [1]byte
	n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	c.gone = n == 0 && err == nil || err != nil && err != unix.EAGAIN && err != unix.EINTR
}

// follow is fasthttp's ConnState: what a connection does next.
func follow(nc net.Conn, state fasthttp.ConnState) {
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	switch state {
	case fasthttp.StateActive:
		c.idleSince.Store(0)
		c.idle, c.headerBy = false, time.Time{}
	case fasthttp.StateIdle:
		c.settle()
		c.idle = true
		c.read.forget()
		c.idleSince.Store(c.timeouts.now().UnixNano())
	case fasthttp.StateClosed:
		c.settle()
	}
}

func (c *conn) Read(b []byte) (int, error) {
	if err := c.read.begin(c.readBy()); err != nil {
		return 0, err
	}
	defer c.read.end()
	return c.Conn.Read(b)
}

// readBy is when what is read next must be there. A header has its time as a
// whole, from the first Read that had to wait for the rest of it.
func (c *conn) readBy() time.Time {
	now := c.timeouts.now()
	if c.idle {
		return now.Add(c.timeouts.idle)
	}
	if c.headerBy.IsZero() {
		c.headerBy = now.Add(c.timeouts.header)
	}
	return c.headerBy
}

func (c *conn) Write(b []byte) (n int, err error) {
	if err = c.write.begin(c.timeouts.now().Add(c.timeouts.write)); err != nil {
		return 0, err
	}
	defer c.write.end()
	for len(b)-n > piece && err == nil {
		var m int
		m, err = c.Conn.Write(b[n : n+piece])
		n += m
	}
	if err != nil {
		return n, err
	}
	m, err := c.Conn.Write(b[n:])
	return n + m, err
}

// Deadlines that are set go before the timeouts; the zero time gives them up.

func (c *conn) SetReadDeadline(t time.Time) error  { return c.read.want(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.write.want(t) }

func (c *conn) SetDeadline(t time.Time) error {
	if err := c.read.want(t); err != nil {
		return err
	}
	return c.write.want(t)
}

func (c *conn) Close() error {
	c.once.Do(func() {
		if c.refused.Load() {
			c.linger()
		}
		if c.closed != nil {
			c.closed()
		}
	})
	return c.Conn.Close()
}

// givenUp is in idleSince then.
const givenUp = -1

// idleFrom implements member.
func (c *conn) idleFrom() int64 { return c.idleSince.Load() }

// giveUp closes a connection that has been idle since then, unless its client has
// sent something meanwhile. A request that comes at the same moment gets no answer,
// as at the end of the time for being idle.
func (c *conn) giveUp(since int64) {
	if !c.idleSince.CompareAndSwap(since, givenUp) {
		return
	}
	if c.asked() {
		c.idleSince.CompareAndSwap(givenUp, since)
		return
	}
	if t, ok := c.Conn.(*tls.Conn); ok {
		t.NetConn().Close() // without a farewell, which can't be waited for here
	}
	c.Close()
}

// asked reports whether there is something to read.
func (c *conn) asked() bool {
	if c.raw == nil {
		return false
	}
	n := 0
	c.raw.Control(func(fd uintptr) { //nolint:errcheck // it is closed already
		var b [1]byte
		n, _, _ = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	return n > 0
}

// lingerBytes is what a refused client may still send.
const lingerBytes = 1 << 20

// linger closes the sending half alone, and throws away what comes until the
// client closes as well (RFC 9112, section 9.6). If a connection is closed while
// there is something to read, the client gets a reset, and may lose the answer
// that it has not read.
func (c *conn) linger() {
	if t, ok := c.Conn.(*tls.Conn); ok {
		t.CloseWrite() //nolint:errcheck // the system says it as well
	}
	if c.half == nil || c.half.CloseWrite() != nil {
		return
	}
	if c.Conn.SetReadDeadline(time.Now().Add(c.timeouts.linger)) == nil {
		io.CopyN(io.Discard, c.Conn, lingerBytes) //nolint:errcheck // the connection ends in any case
	}
}

// refuses has the connection end with the answer that is sent next.
func refuses(c net.Conn) {
	if c, ok := c.(*conn); ok {
		c.refused.Store(true)
	}
}
