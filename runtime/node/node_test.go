package node_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host/fetch"
	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/pires/go-proxyproto"
)

func TestHealth(t *testing.T) {
	n := mustStart(t, node.Config{Version: "1.2.3"})
	for _, path := range []string{"/healthz", "/readyz"} {
		for addr, want := range map[string]int{n.AdminAddr(): 200, n.HTTPAddr(): 404} {
			req, _ := http.NewRequest(http.MethodGet, "http://"+addr+path, nil)
			if status, body, err := do(req); status != want || want == 200 && !strings.Contains(body, "1.2.3") {
				t.Errorf("%s at %s: %d %q, %v; want %d", path, addr, status, body, err, want)
			}
		}
	}
}

// What is deployed, and the node's name, outlive a restart. An admin token that
// was lost is replaced, and is no token any more.
func TestRestart(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	n := mustStart(t, node.Config{Data: data})
	mustDeploy(t, n, "hello", hello("hello"))
	id, oldToken := mustRead(t, data, "node.id"), mustRead(t, data, "admin.token")
	if len(id) != 16 {
		t.Errorf("node.id is %q, want 16 characters", id)
	}
	if err := n.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(data, "admin.token")); err != nil {
		t.Fatal(err)
	}
	n = mustStart(t, node.Config{Data: data})
	if status, body, err := get(n, "hello.localhost"); status != 200 || body != "hello" {
		t.Errorf("got %d %q, %v", status, body, err)
	}
	if got := mustRead(t, data, "node.id"); got != id {
		t.Errorf("node.id is %q, was %q", got, id)
	}
	for token, want := range map[string]int{oldToken: 401, mustRead(t, data, "admin.token"): 200} {
		req, _ := http.NewRequest(http.MethodGet, "http://"+n.AdminAddr()+"/client/v4/accounts/local/workers/scripts", nil)
		req.Header.Set("Authorization", "Bearer "+token)
		if status, _, err := do(req); status != want {
			t.Errorf("with the token from before: %t: %d, %v; want %d", token == oldToken, status, err, want)
		}
	}
}

// mustRead reads a file of a data directory that is for its owner only.
func mustRead(t *testing.T, data, name string) string {
	t.Helper()
	file := filepath.Join(data, name)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("%s has mode %o, want 600", name, got)
	}
	return strings.TrimSpace(string(text))
}

// A node for one Function answers whatever host is asked for.
func TestSingle(t *testing.T) {
	n := mustStart(t, node.Config{Single: "app"})
	if status, _, err := get(n, "localhost:8787"); status != 404 {
		t.Errorf("before the deploy: %d, %v", status, err)
	}
	mustDeploy(t, n, "app", hello("the app"))
	mustDeploy(t, n, "other", hello("another"))
	for _, host := range []string{"localhost:8787", "127.0.0.1", "other.localhost", "www.example.com"} {
		if status, body, err := get(n, host); status != 200 || body != "the app" {
			t.Errorf("%s: %d %q, %v", host, status, body, err)
		}
	}
}

func TestProxyProtocol(t *testing.T) {
	v2, err := proxyproto.HeaderProxyFromAddrs(2,
		&net.TCPAddr{IP: net.ParseIP("2001:db8::9"), Port: 4321}, &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 80}).Format()
	if err != nil {
		t.Fatal(err)
	}
	const v1 = "PROXY TCP4 203.0.113.9 192.0.2.1 4321 80\r\n"
	tests := []struct {
		name, proxies, header string
		want                  string // empty: the connection is closed
	}{
		{"trusted", "127.0.0.0/8", v1, "203.0.113.9"},
		{"trusted, version 2", "127.0.0.0/8", string(v2), "2001:db8::9"},
		{"trusted, health check", "127.0.0.0/8", "PROXY UNKNOWN\r\n", "127.0.0.1"},
		{"trusted without header", "127.0.0.0/8", "", ""},
		{"trusted with nonsense", "127.0.0.0/8", "PROXY nonsense\r\n", ""},
		{"not trusted", "192.0.2.0/24", v1, ""},
		{"not trusted without header", "192.0.2.0/24", "", "127.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := mustStart(t, node.Config{ProxyProtocol: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix(tt.proxies)}})
			mustDeploy(t, n, "client", clientGuest())
			// The client behind the proxy is not a proxy, so that its field means nothing.
			got := exchange(t, n.HTTPAddr(), tt.header+"GET / HTTP/1.1\r\nHost: client.localhost\r\n\r\n")
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// exchange sends a request and returns the body of the answer, or nothing if
// the connection is closed without one.
func exchange(t *testing.T, addr, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	io.WriteString(c, request) // may fail where the connection is refused
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
		t.Fatal("neither an answer nor an end")
	}
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// held is an upstream that answers once it is released.
func held(t *testing.T) (url string, arrived <-chan struct{}, release chan struct{}) {
	came, release := make(chan struct{}, 1), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(upstream.Close)
	return upstream.URL + "/", came, release
}

// Shutdown lets the request under way finish; meanwhile the node says that it
// takes no more.
func TestShutdownDrains(t *testing.T) {
	url, arrived, release := held(t)
	n := mustStart(t, node.Config{Dev: true, Drain: 5 * time.Minute})
	mustDeploy(t, n, "slow", fetchGuest(url))
	answered := make(chan int, 1)
	go func() {
		status, _, _ := get(n, "slow.localhost")
		answered <- status
	}()
	<-arrived
	down := make(chan error, 1)
	go func() { down <- n.Shutdown(context.Background()) }()
	ready := 200
	for ready == 200 {
		req, _ := http.NewRequest(http.MethodGet, "http://"+n.AdminAddr()+"/readyz", nil)
		status, _, err := do(req)
		if err != nil {
			t.Fatal(err)
		}
		ready = status
	}
	if ready != 503 {
		t.Errorf("/readyz answers %d, want 503", ready)
	}
	close(release)
	if status := <-answered; status != http.StatusTeapot {
		t.Errorf("the request under way got %d, want 418", status)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
}

// Shutdown waits no longer than Config.Drain.
func TestShutdownEnds(t *testing.T) {
	url, arrived, _ := held(t)
	n := mustStart(t, node.Config{Dev: true, Drain: 50 * time.Millisecond})
	mustDeploy(t, n, "stuck", fetchGuest(url))
	answered := make(chan int, 1)
	go func() {
		status, _, _ := get(n, "stuck.localhost")
		answered <- status
	}()
	<-arrived
	if err := n.Shutdown(context.Background()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the time for it was over", err)
	}
	if status := <-answered; status == http.StatusTeapot {
		t.Error("the request that was cut off got its answer")
	}
}

// A Start that fails gives back what it had taken.
func TestStartFails(t *testing.T) {
	data := t.TempDir()
	first := mustStart(t, node.Config{Data: data})
	_, err := node.Start(t.Context(), node.Config{Data: data, Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "open data directory "+data) || !strings.Contains(err.Error(), "in use by process") {
		t.Errorf("data directory in use: %v", err)
	}
	free := t.TempDir()
	_, err = node.Start(t.Context(), node.Config{Data: free, Listen: first.HTTPAddr(), Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("port in use: %v", err)
	}
	if err := os.Mkdir(filepath.Join(free, "admin.token"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = node.Start(t.Context(), node.Config{Data: free, Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "admin token") {
		t.Errorf("a directory in the token's place: %v", err)
	}
	if err := os.Remove(filepath.Join(free, "admin.token")); err != nil {
		t.Fatal(err)
	}
	mustStart(t, node.Config{Data: free}) // so nothing holds it any more
}

// Where a Function may connect is the node's to say, for all or by account.
func TestEgress(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer upstream.Close()
	open := fetch.Policy{AllowPrivate: true, HighPorts: true}
	tests := []struct {
		name string
		cfg  node.Config
		want int
	}{
		{"default", node.Config{}, 500},
		{"open to all", node.Config{Egress: open}, http.StatusTeapot},
		{"open to the account", node.Config{AccountEgress: map[string]fetch.Policy{"local": open}}, http.StatusTeapot},
		{"open to another account", node.Config{AccountEgress: map[string]fetch.Policy{"other": open}}, 500},
		{"closed to the account", node.Config{Egress: open, AccountEgress: map[string]fetch.Policy{"local": {}}}, 500},
		{"development", node.Config{Dev: true}, http.StatusTeapot},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := mustStart(t, tt.cfg)
			mustDeploy(t, n, "asks", fetchGuest(upstream.URL+"/"))
			if status, body, err := get(n, "asks.localhost"); status != tt.want {
				t.Errorf("got %d %q, %v; want %d", status, body, err, tt.want)
			}
			mustDeploy(t, n, "asks-node", fetchGuest("http://"+n.AdminAddr()+"/healthz"))
			if status, body, err := get(n, "asks-node.localhost"); status != 500 {
				t.Errorf("the node's own API: %d %q, %v; want 500", status, body, err)
			}
		})
	}
}

// TestDrained has a node that is taken out of service go on answering.
func TestDrained(t *testing.T) {
	cfg := node.Config{Data: t.TempDir()}
	n := mustStart(t, cfg)
	mustDeploy(t, n, "hello", hello("hi"))
	ask := func(method, path string) (int, string) {
		t.Helper()
		resp, body := asAdmin(t, n, cfg.Data, method, path, "")
		return resp.StatusCode, body
	}
	for _, step := range []struct {
		do     string
		status int
		says   string
	}{{"drain", 503, `"status":"draining"`}, {"resume", 200, `"status":"ok"`}} {
		if status, body := ask("POST", "/client/v4/mayfly/nodes/"+n.ID()+"/"+step.do); status != 200 {
			t.Fatalf("%s: got %d, %s", step.do, status, body)
		}
		if status, body := ask("GET", "/healthz"); status != step.status || !strings.Contains(body, step.says) {
			t.Errorf("/healthz after %s: got %d, %s", step.do, status, body)
		}
		if status, body := ask("GET", "/readyz"); status != step.status {
			t.Errorf("/readyz after %s: got %d, %s", step.do, status, body)
		}
		if status, body, err := get(n, "hello.localhost"); status != 200 || body != "hi" {
			t.Errorf("a request after %s: got %d, %q, %v", step.do, status, body, err)
		}
	}
}
