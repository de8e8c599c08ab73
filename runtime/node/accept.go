package node

import (
	"cmp"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patientListener goes on accepting after the process has run out of files, where
// fasthttp would stop for good, and keeps files for all else: beyond its slots,
// connections wait.
type patientListener struct {
	net.Listener
	log    *slog.Logger
	slots  chan struct{} // one for each connection
	full   string        // what the log says when there is none
	closed chan struct{}
	close  sync.Once
	told   atomic.Int64 // when the log was told last, in nanoseconds
}

func newPatientListener(ln net.Listener, connections int, log *slog.Logger) *patientListener {
	return &patientListener{Listener: ln, log: log, slots: make(chan struct{}, connections), closed: make(chan struct{}),
		full: "connections wait: there are as many as there may be; raise the limit of open files (ulimit -n, LimitNOFILE=)"}
}

// beside is a listener that shares the slots of l.
func (l *patientListener) beside(ln net.Listener) *patientListener {
	return &patientListener{Listener: ln, log: l.log, slots: l.slots, full: l.full, closed: make(chan struct{})}
}

// ownFiles is how many files are kept for the database, modules, outbound requests
// and the API, where there are many.
const ownFiles = 4096

// maxConnections is how many connections can be accepted: half of the files that
// the process may open, or all but ownFiles if that is more.
func maxConnections() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return ownFiles
	}
	files := int(min(uint64(limit.Cur), 1<<24))
	return max(files/2, files-ownFiles)
}

const (
	// connMemory is what an idle connection takes beside the buffer for a header.
	connMemory       = 12 << 10
	defaultHeader    = 32 << 10
	leastConnections = 256
	// defaultAdminConns is less than ownFiles, which it is a part of.
	defaultAdminConns = 1024
)

// setConnections leaves some of those that can be accepted for turning others away.
func (c *Config) setConnections() {
	files := maxConnections()
	files -= files / 16
	if c.MaxConns == 0 {
		each := int64(connMemory + cmp.Or(c.MaxHeader, defaultHeader))
		c.MaxConns = max(leastConnections, int(machineMemory()/16/each))
	}
	c.MaxConns = min(c.MaxConns, files)
	c.AdminConns = min(cmp.Or(c.AdminConns, defaultAdminConns), max(1, files/8))
}

const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// Accept implements net.Listener.
func (l *patientListener) Accept() (net.Conn, error) {
	if err := l.enter(); err != nil {
		return nil, err
	}
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		c, err := l.Listener.Accept()
		if err == nil {
			return &slotConn{Conn: c, slots: l.slots}, nil
		}
		if !passes(err) {
			<-l.slots
			return nil, err
		}
		l.tell("a connection waits: accepting it failed", err)
		select {
		case <-time.After(pause):
		case <-l.closed:
		}
	}
}

// enter takes a slot.
func (l *patientListener) enter() error {
	select {
	case l.slots <- struct{}{}:
		return nil
	default:
	}
	l.tell(l.full, nil)
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-l.closed:
		return net.ErrClosed
	}
}

// passes reports whether accepting may work again.
func passes(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// tell logs, at most once in ten seconds.
func (l *patientListener) tell(what string, err error) {
	now, last := time.Now().UnixNano(), l.told.Load()
	if now-last < int64(10*time.Second) || !l.told.CompareAndSwap(last, now) {
		return
	}
	l.log.Warn(what, "connections", len(l.slots), "most", cap(l.slots), "err", err)
}

// Close implements net.Listener.
func (l *patientListener) Close() error {
	l.close.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// slotConn gives its slot back.
type slotConn struct {
	net.Conn
	slots chan struct{}
	once  sync.Once
}

// Close implements net.Conn.
func (c *slotConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.slots })
	return err
}

// SyscallConn implements syscall.Conn: the front end asks the system about
// connections.
func (c *slotConn) SyscallConn() (syscall.RawConn, error) {
	if raw, ok := c.Conn.(syscall.Conn); ok {
		return raw.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// CloseWrite closes the sending half, so that a client can read its last answer.
func (c *slotConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
