package node_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/node"
)

// refusing fails to accept a few times.
type refusing struct {
	net.Listener
	errs []error
}

func (l *refusing) Accept() (net.Conn, error) {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, &net.OpError{Op: "accept", Err: err}
	}
	return l.Listener.Accept()
}

func mustListen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func mustDial(t *testing.T, ln net.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestAcceptAfterFailures(t *testing.T) {
	inner := mustListen(t)
	ln := node.NewPatientListener(&refusing{inner, []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM}}, 10, slog.New(slog.DiscardHandler))
	client := mustDial(t, inner)
	if c, err := ln.Accept(); err != nil {
		t.Errorf("Accept: %v", err)
	} else {
		if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Errorf("CloseWrite: %v", err)
		}
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read after CloseWrite: %v, want the end", err)
		}
		if _, err := c.(syscall.Conn).SyscallConn(); err != nil {
			t.Errorf("SyscallConn: %v", err)
		}
		c.Close()
	}
	ln = node.NewPatientListener(&refusing{inner, []error{syscall.EINVAL}}, 10, slog.New(slog.DiscardHandler))
	if _, err := ln.Accept(); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("Accept: got %v, want what does not pass", err)
	}
}

// The control API has so many connections and no more; who waits is served once
// another one ends.
func TestAdminConnections(t *testing.T) {
	n := mustStart(t, node.Config{AdminConns: 2})
	var held []net.Conn
	for range 2 {
		c, err := net.Dial("tcp", n.AdminAddr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(2 * time.Minute))
		fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil { // so that it is known to be accepted
			t.Fatal(err)
		}
		held = append(held, c)
	}
	answered := make(chan error, 1)
	go func() {
		late := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Minute}
		resp, err := late.Get("http://" + n.AdminAddr() + "/healthz")
		if err == nil {
			resp.Body.Close()
		}
		answered <- err
	}()
	select {
	case <-answered:
		t.Error("a third connection was served")
	case <-time.After(50 * time.Millisecond):
	}
	held[0].Close()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// Beyond so many connections, others wait until one is closed, or the listener is.
func TestAcceptWaits(t *testing.T) {
	inner := mustListen(t)
	ln := node.NewPatientListener(inner, 2, slog.New(slog.DiscardHandler))
	accepted := make(chan net.Conn, 10)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- c
		}
	}()
	for range 3 {
		mustDial(t, inner)
	}
	first := <-accepted
	<-accepted
	select {
	case <-accepted:
		t.Error("a third connection was accepted")
	case <-time.After(50 * time.Millisecond):
	}
	first.Close()
	first.Close() // gives nothing back a second time
	<-accepted
	ln.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept of a closed listener: got %v", err)
	}
	if got := node.MaxConnections(); got < 64 {
		t.Errorf("got %d connections", got)
	}
}
