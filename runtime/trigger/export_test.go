package trigger

import (
	"net"
	"time"
)

// NewConn is what a front end makes of a connection.
func NewConn(c net.Conn, idle, header, write time.Duration) net.Conn {
	return newConn(c, &timeouts{idle: idle, header: header, write: write, now: time.Now}, nil)
}

// Follow tells the connection what it does next.
var Follow = follow

// Guarded hands what a client of HTTP/2 sends to a guard, in pieces of step bytes,
// and reports whether the connection may go on.
func Guarded(sent []byte, step int, now time.Time) bool {
	var g frameGuard
	for len(sent) > 0 {
		n := min(step, len(sent))
		if !g.see(sent[:n], now) {
			return false
		}
		sent = sent[n:]
	}
	return true
}

// Readers is how many readers a queue has.
func (c *Consumers) Readers(id string) int64 { return c.queues[id].readers.Load() }
