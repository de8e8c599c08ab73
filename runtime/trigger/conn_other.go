//go:build !linux

package trigger

// poll is peek for an encrypted connection. The system does not tell whether more
// follows what there is to read, so a client that says farewell counts as there
// until it is written to.
func (c *conn) poll(fd uintptr) { c.peek(fd) }
