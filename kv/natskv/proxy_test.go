package natskv_test

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// proxy stands between a Store and its server, as a network that can break.
type proxy struct {
	listener net.Listener
	to       string
	lose     func(subject, reply string) bool // which messages of the server get lost; may be nil

	mu    sync.Mutex // guards the fields below
	down  bool
	stuck chan struct{} // while it is not nil, nothing passes until it is closed
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

func mustProxy(t *testing.T, to string) *proxy {
	t.Helper()
	return mustLossyProxy(t, to, nil)
}

func mustLossyProxy(t *testing.T, to string, lose func(subject, reply string) bool) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: to, lose: lose, conns: map[net.Conn]bool{}}
	p.wg.Go(p.serve)
	t.Cleanup(func() {
		l.Close()
		p.set(true)
		p.unstick()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) url() string { return "nats://" + p.listener.Addr().String() }

// set breaks all connections, and refuses new ones, or lets them be made again.
func (p *proxy) set(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
	for c := range p.conns {
		c.Close()
	}
}

// stick keeps what is sent from now on, as a network does that loses packets.
func (p *proxy) stick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stuck = make(chan struct{})
}

func (p *proxy) unstick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stuck != nil {
		close(p.stuck)
		p.stuck = nil
	}
}

func (p *proxy) serve() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.to)
		if err != nil || !p.add(c, server) {
			c.Close()
			continue
		}
		if p.lose != nil {
			p.wg.Go(func() { p.passSome(c, server) })
		} else {
			p.wg.Go(func() { p.pass(c, server) })
		}
		p.wg.Go(func() { p.pass(server, c) })
	}
}

func (p *proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.down {
			c.Close()
			continue
		}
		p.conns[c] = true
	}
	return !p.down
}

func (p *proxy) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		p.mu.Lock()
		stuck := p.stuck
		p.mu.Unlock()
		if stuck != nil {
			<-stuck
		}
		if _, writeErr := to.Write(b[:n]); writeErr != nil || err != nil {
			return
		}
	}
}

// passSome reads what a server says, message by message. (Source: the client protocol
// in the documentation of NATS.)
func (p *proxy) passSome(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	for r := bufio.NewReader(from); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		data := []byte(line)
		if f := strings.Fields(line); len(f) > 3 && (f[0] == "MSG" || f[0] == "HMSG") {
			size, err := strconv.Atoi(f[len(f)-1])
			if err != nil {
				return
			}
			data = append(data, make([]byte, size+len("\r\n"))...)
			if _, err := io.ReadFull(r, data[len(line):]); err != nil {
				return
			}
			if p.lose(f[1], replyOf(f)) {
				continue
			}
		}
		if _, err := to.Write(data); err != nil {
			return
		}
	}
}

// replyOf is the subject for replies in the fields of a message's head, if there is one.
func replyOf(head []string) string {
	with := map[string]int{"MSG": 5, "HMSG": 6}
	if len(head) < with[head[0]] {
		return ""
	}
	return head[3]
}
