package trigger

import (
	"net"
	"time"
)

// NewConn is what a front end makes of a connection.
func NewConn(c net.Conn, idle, header, write time.Duration) net.Conn {
	return newConn(c, &timeouts{idle, header, write, time.Now}, nil)
}

// Follow tells the connection what it does next.
var Follow = follow
