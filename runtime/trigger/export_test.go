package trigger

import "net"

// NewConn is what a front end makes of a connection.
func NewConn(c net.Conn) net.Conn { return newConn(c, nil) }
