package trigger

import "golang.org/x/sys/unix"

// poll is peek for an encrypted connection, on which a client says farewell before it
// closes: what there is to read tells nothing.
func (c *conn) poll(fd uintptr) { c.gone = hungUp(fd) }

// hungUp reports whether the other side has closed its sending half, or all.
func hungUp(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents != 0
}
