package trigger_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// What guests see over HTTP/2 is what they see over HTTP/1.1, but for the scheme.
func TestHTTP2(t *testing.T) {
	s := start(t, host.Limits{RequestBody: 100_000}, map[string][]byte{
		"hello": helloGuest("hello"), "body": bodyGuest(), "echo": echoGuest(), "url": areaGuest("request_url"),
		"method": areaGuest("request_method"), "client": areaGuest("request_client"), "trap": opsGuest(hosttest.Unreachable), "broken": brokenStreamGuest()})
	client := h2Client(t, s.secure())
	tests := []struct {
		method, function, path string
		body                   io.Reader
		want                   string
	}{
		{"GET", "hello", "/", nil, "200 5 hello"},
		{"HEAD", "hello", "/", nil, "200 5 "},
		{"GET", "nobody", "/", nil, "404 "},
		{"POST", "body", "/", strings.NewReader("some text"), "200 9 some text"},
		{"POST", "body", "/", io.MultiReader(strings.NewReader("no "), strings.NewReader("length")), "200 9 no length"},
		{"GET", "body", "/", nil, "200 0 "},
		{"POST", "body", "/", bytes.NewReader(make([]byte, 100_001)), "413 "},
		{"POST", "body", "/", io.MultiReader(bytes.NewReader(make([]byte, 30_000))), "200 30000 \x00"},
		{"POST", "echo", "/", io.MultiReader(bytes.NewReader(make([]byte, 99_000))), "200 -1 \x00"},
		{"POST", "echo", "/", strings.NewReader("streamed"), "200 -1 streamed"},
		{"HEAD", "echo", "/", nil, "200 -1 "},
		{"GET", "url", "/a%20b/../c?q=1&r=%2F", nil, "200 42 https://url.localhost/a%20b/../c?q=1&r=%2F"},
		{"PATCH", "method", "/", nil, "200 5 PATCH"},
		{"GET", "client", "/", nil, "200 9 127.0.0.1"},
		{"GET", "trap", "/", nil, "500 "},
		{"GET", "hello", "/" + strings.Repeat("a", 17<<10), nil, "414 "},
		{"TRACE", "hello", "/", nil, "405 "},
		{"BREW", "method", "/", nil, "200 4 BREW"},
		{"brew", "method", "/", nil, "501 "},
	}
	for _, tt := range tests {
		req := must(http.NewRequest(tt.method, "https://"+tt.function+".localhost"+tt.path, tt.body))(t)
		resp := must(client.Do(req))(t)
		body := must(io.ReadAll(resp.Body))(t)
		got := fmt.Sprintf("%d %d %s", resp.StatusCode, resp.ContentLength, bytes.TrimRight(body, "\x00"))
		if len(body) > 0 && body[0] == 0 {
			got += "\x00"
		}
		if resp.ProtoMajor != 2 || got != tt.want && !(strings.HasSuffix(tt.want, " ") && resp.StatusCode != 200 && strings.HasPrefix(got, tt.want)) {
			t.Errorf("%s %.40s%.40s: got %s %.80q, want %q", tt.method, tt.function, tt.path, resp.Proto, got, tt.want)
		}
	}
	resp := must(client.Get("https://broken.localhost/"))(t)
	if body, err := io.ReadAll(resp.Body); err == nil || string(body) != "part" {
		t.Errorf("a stream that broke: %q, %v, want an end that is none", body, err)
	}
}

// h2Answers is what runAnswers wants, read over HTTP/2, where the order of fields is
// not kept.
func h2Answers(t *testing.T, client *http.Client, method, host string) (string, error) {
	t.Helper()
	resp, err := client.Do(must(http.NewRequest(method, "https://"+host+"/", nil))(t))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	var fields []string
	for name, values := range resp.Header {
		switch name {
		case "Content-Length", "Date", "Mayfly-Request-Id", "Cache-Control":
			continue
		}
		for _, v := range values {
			fields = append(fields, name+": "+v)
		}
	}
	slices.Sort(fields)
	if resp.StatusCode != 200 {
		return fmt.Sprintf("%d %v", resp.StatusCode, fields), err
	}
	return strings.TrimSpace(fmt.Sprintf("200 %v %.60s", fields, body)), err
}

// Pieces of both bodies come through as they are sent.
func TestHTTP2StreamsBothWays(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"echo": echoGuest()})
	r, w := io.Pipe()
	req := must(http.NewRequest("POST", "https://echo.localhost/", r))(t)
	resp := must(h2Client(t, s.secure()).Do(req))(t)
	defer resp.Body.Close()
	buf := make([]byte, 100)
	for _, want := range []string{"one", "two", "three"} {
		io.WriteString(w, want)
		n := must(resp.Body.Read(buf))(t)
		if got := string(buf[:n]); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	w.Close()
	if rest := must(io.ReadAll(resp.Body))(t); len(rest) > 0 {
		t.Errorf("behind the end: %q", rest)
	}
}

// A client that resets its request ends the guest.
func TestHTTP2ClientLeaves(t *testing.T) {
	s := startCounted(t, host.Limits{Wall: 5 * time.Minute, CPU: 5 * time.Minute}, map[string][]byte{"spin": spins(), "hello": helloGuest("hello"), "echo": echoGuest()})
	client := h2Client(t, s.secure())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		s.waitForGuest()
		cancel()
	}()
	if _, err := client.Do(must(http.NewRequestWithContext(ctx, "GET", "https://spin.localhost/", nil))(t)); err == nil {
		t.Fatal("a guest that never ends has answered")
	}
	s.waitFor(func() bool { return strings.Contains(s.log.String(), "canceled") }, "the guest to be canceled")
	if resp := must(client.Get("https://hello.localhost/"))(t); resp.StatusCode != 200 {
		t.Errorf("next request of the connection: %d", resp.StatusCode)
	}
}

// Requests of HTTP/2 that are under way end before the node does.
func TestHTTP2ShutdownDrains(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"echo": echoGuest()})
	r, w := io.Pipe()
	req := must(http.NewRequest("POST", "https://echo.localhost/", r))(t)
	resp := must(h2Client(t, s.secure()).Do(req))(t)
	down := make(chan error, 1)
	go func() { down <- s.front.Shutdown(t.Context()) }()
	time.Sleep(50 * time.Millisecond)
	io.WriteString(w, "late")
	w.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "late" {
		t.Errorf("got %q, %v", body, err)
	}
	resp.Body.Close()
	if err := <-down; err != nil {
		t.Error(err)
	}
}

// A drain that takes too long ends with the connections.
func TestHTTP2ShutdownCancels(t *testing.T) {
	s := startCounted(t, host.Limits{Wall: 5 * time.Minute, CPU: 5 * time.Minute}, map[string][]byte{"spin": spins()})
	client := h2Client(t, s.secure())
	failed := make(chan error, 1)
	go func() {
		_, err := client.Get("https://spin.localhost/")
		failed <- err
	}()
	s.waitForGuest()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.front.Shutdown(ctx); err == nil {
		t.Error("a drain that was cut short said nothing")
	}
	if err := <-failed; err == nil {
		t.Error("the request has an answer")
	}
}

func TestSecureFields(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello"), "own": answersAs(200, fields("strict-transport-security", "max-age=1"), "")},
		func(c *trigger.HTTPConfig) {
			c.HSTS = "max-age=31536000"
			c.Redirect = func(host []byte) (string, bool) { return "hello.localhost:8443", string(host) == "hello.localhost" }
			c.Challenge = func(host, path []byte) ([]byte, bool) {
				return []byte("token"), string(host) == "hello.localhost" && string(path) == "/.well-known/acme-challenge/abc"
			}
		})
	secure := h2Client(t, s.secure())
	for _, tt := range []struct{ url, want string }{
		{"https://hello.localhost/", "200 max-age=31536000 "},
		{"https://own.localhost/", "200 max-age=1 "},
		{"https://nobody.localhost/", "404 max-age=31536000 "},
		{"https://hello.localhost/.well-known/acme-challenge/abc", "200 max-age=31536000 "},
		{"http://hello.localhost/a?b=%2F", "308  https://hello.localhost:8443/a?b=%2F"},
		{"http://hello.localhost/.well-known/acme-challenge/abc", "200  "},
		{"http://hello.localhost/.well-known/acme-challenge/x", "308  https://hello.localhost:8443/.well-known/acme-challenge/x"},
		{"http://own.localhost/.well-known/acme-challenge/abc", "200 max-age=1 "},
	} {
		var resp *http.Response
		if strings.HasPrefix(tt.url, "https:") {
			resp = must(secure.Get(tt.url))(t)
		} else {
			c := s.dial()
			name, path, _ := strings.Cut(strings.TrimPrefix(tt.url, "http://"), "/")
			c.write("GET /" + path + " HTTP/1.1\r\nHost: " + name + "\r\n\r\n")
			resp = c.response()
		}
		resp.Body.Close()
		if got := fmt.Sprintf("%d %s %s", resp.StatusCode, resp.Header.Get("Strict-Transport-Security"), resp.Header.Get("Location")); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.url, got, tt.want)
		}
	}
}
