package trigger

import (
	"crypto/tls"
	"errors"
	"sync"
	"time"
)

// h2Conn is a connection that speaks HTTP/2.
type h2Conn struct {
	*tls.Conn
	guard frameGuard
	leave func() // called once, by the first Close
	once  sync.Once

	mu        sync.Mutex // guards what follows
	requests  int        // under way
	idleSince int64      // when it was made or had its last request, in nanoseconds
	givenUp   bool
}

var errFlood = errors.New("the client sends frames that only cost work")

// Read implements net.Conn.
func (c *h2Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && !c.guard.see(b[:n], time.Now()) {
		return 0, errFlood
	}
	return n, err
}

// Close implements net.Conn.
func (c *h2Conn) Close() error {
	c.once.Do(c.leave)
	return c.Conn.Close()
}

// begin counts a request. It reports false if the connection was given up.
func (c *h2Conn) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	return !c.givenUp
}

func (c *h2Conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests--
	c.idleSince = time.Now().UnixNano()
}

// idleFrom implements member.
func (c *h2Conn) idleFrom() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.requests > 0 || c.givenUp {
		return 0
	}
	return c.idleSince
}

// giveUp implements member.
func (c *h2Conn) giveUp(since int64) {
	c.mu.Lock()
	idle := c.requests == 0 && c.idleSince == since && !c.givenUp
	c.givenUp = c.givenUp || idle
	c.mu.Unlock()
	if idle {
		c.NetConn().Close() // without a farewell, which can't be waited for here
		c.Close()
	}
}
