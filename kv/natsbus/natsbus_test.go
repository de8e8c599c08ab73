package natsbus_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/mayfly-run/mayfly/kv/natsbus"
)

// mustServer starts a server; options are its own.
func mustServer(t *testing.T, options *server.Options) *server.Server {
	t.Helper()
	options.Host, options.Port, options.NoSigs, options.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the NATS server does not start")
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s
}

func mustOpen(t *testing.T, url, bucket string) *natsbus.Bus {
	t.Helper()
	b, err := natsbus.Open(natsbus.Config{Bucket: bucket, Connect: func(options ...nats.Option) (*nats.Conn, error) {
		return nats.Connect(url, append([]nats.Option{nats.MaxReconnects(-1), nats.ReconnectWait(10 * time.Millisecond), nats.ReconnectBufSize(-1), nats.Timeout(time.Minute)}, options...)...)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// mustSubscribe returns what comes.
func mustSubscribe(t *testing.T, b *natsbus.Bus, subject string) (<-chan string, func()) {
	t.Helper()
	came := make(chan string, 10_000)
	stop, err := b.Subscribe(subject, func(data []byte) { came <- string(data) })
	if err != nil {
		t.Fatal(err)
	}
	return came, stop
}

func mustCome(t *testing.T, came <-chan string) string {
	t.Helper()
	select {
	case text := <-came:
		return text
	case <-time.After(time.Minute):
		t.Fatal("nothing came within a minute")
		return ""
	}
}

// publishUntil publishes again and again until something comes: a server may not know of
// a subscription yet.
func publishUntil(t *testing.T, b *natsbus.Bus, subject, text string, came <-chan string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		b.Publish(subject, []byte(text)) //nolint:errcheck // seen below
		select {
		case got := <-came:
			if got == text { // others were published before
				return
			}
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing came within a minute")
		}
	}
}

// TestBus: messages go to the others of the same cluster that have subscribed, in order.
func TestBus(t *testing.T) {
	s := mustServer(t, &server.Options{})
	a, b, other := mustOpen(t, s.ClientURL(), "one"), mustOpen(t, s.ClientURL(), "one"), mustOpen(t, s.ClientURL(), "two")
	atA, _ := mustSubscribe(t, a, "x.y")
	atB, stop := mustSubscribe(t, b, "x.y")
	atOther, _ := mustSubscribe(t, other, "x.y")
	elsewhere, _ := mustSubscribe(t, b, "x.z")
	publishUntil(t, a, "x.y", "first", atB)
	for i := range 1000 {
		if err := a.Publish("x.y", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < 1000; {
		switch got := mustCome(t, atB); got {
		case "first": // it was published more than once
		case fmt.Sprint(i):
			i++
		default:
			t.Fatalf("got %s, want %d", got, i)
		}
	}
	if n := len(atA) + len(atOther) + len(elsewhere); n != 0 {
		t.Errorf("%d messages came back, to another cluster, or by another subject", n)
	}
	stop()
	again, _ := mustSubscribe(t, b, "x.y")
	publishUntil(t, a, "x.y", "last", again)
	if n := len(atB); n != 0 {
		t.Errorf("%d messages came after the subscription was stopped", n)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Publish("x.y", nil); !errors.Is(err, natsbus.ErrClosed) {
		t.Errorf("after Close: got %v", err)
	}
}

// TestSlowSubscriber: what one has no time for holds up nobody else.
func TestSlowSubscriber(t *testing.T) {
	s := mustServer(t, &server.Options{})
	a, b := mustOpen(t, s.ClientURL(), "one"), mustOpen(t, s.ClientURL(), "one")
	forever := make(chan struct{})
	defer close(forever)
	if _, err := b.Subscribe("slow", func([]byte) { <-forever }); err != nil {
		t.Fatal(err)
	}
	fast, _ := mustSubscribe(t, b, "fast")
	publishUntil(t, a, "fast", "x", fast)
	for range 20_000 {
		a.Publish("slow", make([]byte, 1024)) //nolint:errcheck // what is lost does not matter
	}
	publishUntil(t, a, "fast", "y", fast)
}

// TestStuckNetwork: a server that reads nothing holds up nobody who publishes.
func TestStuckNetwork(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			greet(conn)
		}
	}()
	b := mustOpen(t, "nats://"+ln.Addr().String(), "one")
	for n := 0; ; n++ {
		if err := b.Publish("x", make([]byte, 64<<10)); errors.Is(err, natsbus.ErrFull) {
			break
		}
		if n > 100_000 {
			t.Fatal("it takes everything")
		}
	}
}

// greet does what a server does until a client is connected.
func greet(conn net.Conn) {
	io.WriteString(conn, `INFO {"server_id":"x","version":"2.12.0","proto":1,"max_payload":1048576,"headers":true}`+"\r\n")
	for from := bufio.NewReader(conn); ; {
		line, err := from.ReadString('\n')
		if err != nil {
			return
		}
		if strings.HasPrefix(line, "PING") {
			io.WriteString(conn, "PONG\r\n")
			return
		}
	}
}

// TestServerComesBack: while it is away messages are lost, and after that they are not.
func TestServerComesBack(t *testing.T) {
	s := mustServer(t, &server.Options{})
	through := mustProxy(t, s.Addr().String())
	a, b := mustOpen(t, "nats://"+through.Addr().String(), "one"), mustOpen(t, s.ClientURL(), "one")
	came, _ := mustSubscribe(t, b, "x")
	publishUntil(t, a, "x", "1", came)
	through.cut()
	publishUntil(t, a, "x", "2", came)
}

// proxy is a link that can be cut.
type proxy struct {
	net.Listener
	conns chan net.Conn
}

func mustProxy(t *testing.T, to string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln, make(chan net.Conn, 100)}
	t.Cleanup(func() {
		ln.Close()
		p.cut()
	})
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", to)
			if err != nil {
				conn.Close()
				continue
			}
			p.conns <- conn
			p.conns <- up
			go io.Copy(up, conn) //nolint:errcheck // it is cut
			go io.Copy(conn, up) //nolint:errcheck // the same
		}
	}()
	return p
}

func (p *proxy) cut() {
	for len(p.conns) > 0 {
		(<-p.conns).Close()
	}
}

// TestDenied: servers that allow a user less are no reason to fail.
func TestDenied(t *testing.T) {
	s := mustServer(t, &server.Options{Users: []*server.User{{Username: "u", Password: "p", Permissions: &server.Permissions{
		Publish: &server.SubjectPermission{Deny: []string{"mayfly.one.bus.>"}}, Subscribe: &server.SubjectPermission{Deny: []string{"mayfly.one.bus.>"}}}}}})
	warned := make(chan string, 100)
	b, err := natsbus.Open(natsbus.Config{Bucket: "one", Logger: logger(warned), Connect: func(options ...nats.Option) (*nats.Conn, error) {
		return nats.Connect(s.ClientURL(), append(options, nats.UserInfo("u", "p"), nats.Timeout(time.Minute))...)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	mustSubscribe(t, b, "x")
	if err := b.Publish("x", nil); err != nil {
		t.Error(err)
	}
	if text := mustCome(t, warned); !strings.Contains(text, "allow this node's user publish and subscribe on mayfly.one.bus.>") {
		t.Errorf("got %q", text)
	}
}
