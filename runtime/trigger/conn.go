package trigger

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
)

// timeouts are what a connection waits for at the most, unless it is told another
// deadline. Their clock may be coarse.
type timeouts struct {
	idle, header, write time.Duration
	now                 func() time.Time
}

// conn is a client's connection. It knows how long to wait for what, and whether
// the client is still there, and has what is to be done once the client has its
// answer.
type conn struct {
	net.Conn
	timeouts *timeouts
	closed   func()          // called once, by the first Close; may be nil
	raw      syscall.RawConn // nil if it can't be looked at
	gone     bool            // the last result of peek
	peekFn   func(fd uintptr)

	// What follows belongs to the goroutine that serves the connection.

	idle     bool      // between two requests
	headerBy time.Time // when the request's header must be there; zero if it was not waited for
	// spent is an Instance to be recycled, and taken is memory to be given back to
	// memory, when the answer was sent.
	spent  *runtime.Instance
	memory host.Memory
	taken  int64

	read, write deadline
	once        sync.Once
}

func newConn(c net.Conn, t *timeouts, closed func()) *conn {
	nc := &conn{Conn: c, timeouts: t, closed: closed}
	nc.peekFn = nc.peek
	if p, ok := c.(interface{ Raw() net.Conn }); ok { // of the PROXY protocol
		c = p.Raw()
	}
	if s, ok := c.(syscall.Conn); ok {
		nc.raw, _ = s.SyscallConn()
	}
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
		c.idle, c.headerBy = false, time.Time{}
	case fasthttp.StateIdle:
		c.settle()
		c.idle = true
		c.read.forget()
	case fasthttp.StateClosed:
		c.settle()
	}
}

// settle does what was put off until the answer was sent.
func (c *conn) settle() {
	if c.spent != nil {
		c.spent.Recycle()
		c.spent = nil
	}
	if c.taken > 0 {
		c.memory.Give(c.taken)
		c.memory, c.taken = nil, 0
	}
}

// take takes memory until the answer was sent, and reports whether there was
// enough.
func (c *conn) take(m host.Memory, n int64) bool {
	if m == nil {
		return true
	}
	if !m.Take(n) {
		return false
	}
	c.memory = m
	c.taken += n
	return true
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

func (c *conn) Write(b []byte) (int, error) {
	if err := c.write.begin(c.timeouts.now().Add(c.timeouts.write)); err != nil {
		return 0, err
	}
	defer c.write.end()
	return c.Conn.Write(b)
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
		if c.closed != nil {
			c.closed()
		}
	})
	return c.Conn.Close()
}

// deadlineSlack is how much later than asked for a deadline may be.
const deadlineSlack = time.Second

// deadline is that of one direction of a connection. Setting one moves a timer of
// the runtime, and most are never waited for. So it is set when something waits,
// and only if the one that is set is no good: it must not be earlier than wanted,
// nor later by more than the slack.
type deadline struct {
	set func(time.Time) error

	mu     sync.Mutex // guards what follows
	wanted time.Time  // zero: nobody set one
	inUse  time.Time
	busy   bool // something waits
}

func (d *deadline) want(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = t
	if d.busy {
		return d.apply(t)
	}
	return nil
}

func (d *deadline) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = time.Time{}
}

// begin begins a wait, until otherwise if nobody set a deadline.
func (d *deadline) begin(otherwise time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy = true
	if d.wanted.IsZero() {
		return d.apply(otherwise)
	}
	return d.apply(d.wanted)
}

func (d *deadline) end() {
	d.mu.Lock()
	d.busy = false
	d.mu.Unlock()
}

// apply needs d.mu.
func (d *deadline) apply(t time.Time) error {
	if t.IsZero() == d.inUse.IsZero() && !d.inUse.Before(t) && d.inUse.Sub(t) <= deadlineSlack {
		return nil
	}
	if !t.IsZero() && time.Until(t) > 0 {
		t = t.Add(deadlineSlack)
	}
	d.inUse = t
	return d.set(t)
}

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
