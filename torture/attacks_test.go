package torture_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/valyala/fasthttp"
)

// attacks are the evil guests, and what clients do without one.
func (s *server) attacks(t *testing.T, guests []string) (list []attack) {
	client := &fasthttp.HostClient{Addr: s.web, MaxConns: 2 * attackers, MaxIdemponentCallAttempts: 1, ReadTimeout: time.Minute}
	for _, name := range guests {
		url := "http://" + host("evil", functionName(name)) + "/"
		list = append(list, attack{name, func() string { return get(client, url) }})
	}
	elsewhere := mustElsewhere(t)
	list = append(list, attack{"none, the clients alone", func() string { return get(elsewhere, "http://elsewhere/") }})
	evil := s.mustClient(t, "evil")
	return append(list,
		attack{"compile bombs", func() string { return upload(evil, bomb()) }},
		attack{"garbage uploads", func() string { return upload(evil, []byte("\x00asm\x01\x00\x00\x00\x07\x06\x80\x80\x80\x80\x08")) }},
		attack{"slow headers", func() string { return s.slowly("GET / HTTP/1.1\r\nHost: good.localhost\r\nX: ") }},
		attack{"garbage requests", func() string { return s.slowly("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n") }},
		attack{"slow readers", func() string {
			return s.slowly("GET / HTTP/1.1\r\nHost: " + host("evil", "large-responses") + "\r\n\r\n")
		}},
		attack{"connections", func() string { return s.slowly("") }},
	)
}

// mustElsewhere is a client of a server that does nothing: how much the load alone
// takes from a machine that the clients share with the node.
func mustElsewhere(t *testing.T) *fasthttp.HostClient {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(200) }}
	go server.Serve(l) //nolint:errcheck // clients notice
	t.Cleanup(func() { server.Shutdown() })
	return &fasthttp.HostClient{Addr: l.Addr().String(), MaxConns: 2 * attackers}
}

func get(client *fasthttp.HostClient, url string) string {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI(url)
	resp.StreamBody = true
	if err := client.Do(req, resp); err != nil {
		return "no answer"
	}
	resp.CloseBodyStream()
	return fmt.Sprint(resp.StatusCode())
}

// upload deploys something that must be refused.
func upload(client *api.Client, module []byte) string {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err := client.Upload(ctx, "bomb", module, api.Metadata{MainModule: "m.wasm"}, nil)
	switch {
	case err == nil:
		return "accepted"
	case ctx.Err() != nil:
		return "waits in vain"
	}
	return "refused"
}

// bomb nests loops with locals, which compilers take seconds for, as deep as is
// accepted, or a little deeper.
func bomb() []byte {
	const nesting, locals = 70, 200
	body := "\x01" + leb(locals) + "\x7f" + strings.Repeat("\x03\x40", nesting) + strings.Repeat("\x0b", nesting) + "\x0b"
	code := leb(len(body)) + body
	return []byte("\x00asm\x01\x00\x00\x00" + section(1, "\x01\x60\x00\x00") + section(3, "\x01\x00") +
		section(7, "\x01\x05fetch\x00\x00") + section(10, "\x01"+code))
}

func section(id byte, content string) string { return string([]byte{id}) + leb(len(content)) + content }

func leb(n int) (s string) {
	for ; n >= 0x80; n >>= 7 {
		s += string([]byte{byte(n) | 0x80})
	}
	return s + string([]byte{byte(n)})
}

// slowly connects, sends the beginning of something, and then neither sends nor
// reads for a while.
func (s *server) slowly(beginning string) string {
	c, err := net.Dial("tcp", s.web)
	if err != nil {
		return "no connection"
	}
	defer c.Close()
	if _, err := c.Write([]byte(beginning)); err != nil {
		return "closed"
	}
	time.Sleep(200 * time.Millisecond)
	return "held"
}
