package fetch_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/fetch"
)

// open is a Policy under which upstreams on loopback are reached.
var open = fetch.Policy{AllowPrivate: true, HighPorts: true}

func always(p fetch.Policy) func(string) fetch.Policy {
	return func(string) fetch.Policy { return p }
}

func mustClient(t testing.TB, cfg fetch.Config) *fetch.Client {
	t.Helper()
	if cfg.NodeID == "" {
		cfg.NodeID = "n1"
	}
	if cfg.Policy == nil {
		cfg.Policy = always(open)
	}
	c, err := fetch.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func mustServer(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func mustFetch(t testing.TB, c *fetch.Client, req *host.FetchRequest) *host.FetchResponse {
	t.Helper()
	resp, err := c.Fetch(t.Context(), req)
	if err != nil {
		t.Fatalf("Fetch(%s): %v", req.URL, err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func mustRead(t testing.TB, r io.ReadCloser) string {
	t.Helper()
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read body: %v", err)
	}
	return string(b)
}

func get(url string) *host.FetchRequest {
	return &host.FetchRequest{Account: "local", Method: "GET", URL: url}
}

func wantCode(t testing.TB, err error, want host.Code) {
	t.Helper()
	if e, ok := errors.AsType[*host.Error](err); !ok || e.Code != want {
		t.Errorf("error = %v (%T), want code %v", err, err, want)
	}
}

// names is a Resolver that answers from a table, each time with the next set.
type names struct {
	mu     sync.Mutex // guards what follows
	table  map[string][][]string
	asked  int
	lookup func(ctx context.Context, name string) ([]netip.Addr, error) // unless nil
}

func (n *names) LookupNetIP(ctx context.Context, _, name string) ([]netip.Addr, error) {
	if n.lookup != nil {
		return n.lookup(ctx, name)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	sets := n.table[name]
	if len(sets) == 0 {
		return nil, errors.New("lookup of " + name + " on 10.9.8.7:53: no such host")
	}
	if len(sets) > 1 {
		n.table[name] = sets[1:]
	}
	var addrs []netip.Addr
	for _, s := range sets[0] {
		addrs = append(addrs, netip.MustParseAddr(s))
	}
	return addrs, nil
}

func TestNewRefusesNodeID(t *testing.T) {
	for _, id := range []string{"", "a b", "a,b", "a\r\nb", "ä"} {
		if _, err := fetch.New(fetch.Config{NodeID: id}); err == nil {
			t.Errorf("New accepted node id %q", id)
		}
	}
}

func TestFetchPassesEverythingOn(t *testing.T) {
	s := mustServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.Header().Set("Connection", "x-private")
		w.Header().Set("X-Private", "1")
		w.WriteHeader(418)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.RequestURI, body)
	})
	req := &host.FetchRequest{
		Method: "PATCH", URL: s.URL + "/a%2Fb//c?d=%20&e#f",
		Body: strings.NewReader("hello"), BodySize: 5,
	}
	resp := mustFetch(t, mustClient(t, fetch.Config{}), req)
	if resp.Status != 418 {
		t.Errorf("status = %d, want 418", resp.Status)
	}
	if got, want := mustRead(t, resp.Body), "PATCH /a%2Fb//c?d=%20&e hello"; got != want {
		t.Errorf("body = %q, want %q", got, want)
	}
	got := strings.ReplaceAll(string(resp.Headers), "\x00", "|")
	if want := "set-cookie|a=1|set-cookie|b=2|"; !strings.Contains(got, want) {
		t.Errorf("headers = %q, want %q in them", got, want)
	}
	if !strings.Contains(got, "content-length|29|") {
		t.Errorf("headers = %q, want the content length", got)
	}
	for _, hop := range []string{"connection", "x-private", "transfer-encoding"} {
		if _, found := resp.Headers.Get(hop); found {
			t.Errorf("response has hop-by-hop field %s", hop)
		}
	}
}

func TestRequestHeaders(t *testing.T) {
	s := mustServer(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "host:", r.Host)
		fmt.Fprintln(w, "te:", r.TransferEncoding)
		r.Header.Write(w)
	})
	guest := host.Headers(nil).
		Add("host", "admin.internal").Add("Transfer-Encoding", "chunked").Add("content-length", "99").
		Add("cdn-loop", "evil").Add("Via", "1.1 x").Add("X-Forwarded-For", "10.0.0.1").
		Add("x-forwarded-proto", "https").Add("forwarded", "for=x").Add("x-real-ip", "10.0.0.1").
		Add("expect", "100-continue").Add("connection", "close, X-Secret").Add("x-secret", "1").
		Add("te", "trailers").Add("upgrade", "h2c").Add("keep-alive", "1").
		Add("x-dup", "1").Add("accept", "a/b").Add("X-DUP", "2")
	req := get(s.URL)
	req.Headers, req.Loop = guest, "fastly; v=1"
	got := strings.ReplaceAll(mustRead(t, mustFetch(t, mustClient(t, fetch.Config{}), req).Body), "\r", "")
	want := "host: " + strings.TrimPrefix(s.URL, "http://") + "\nte: []\n" +
		"Accept: a/b\nCdn-Loop: fastly; v=1, mayfly-n1\nX-Dup: 1\nX-Dup: 2\n"
	if got != want {
		t.Errorf("upstream saw\n%s\nwant\n%s", got, want)
	}
}

// The trace that a request belongs to is what the host says, unless it says that
// the guest does.
func TestTraceHeaders(t *testing.T) {
	var got http.Header
	s := mustServer(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	c := mustClient(t, fetch.Config{})
	const guests = "traceparent\x00g\x00tracestate\x00gs\x00"
	for _, tt := range []struct {
		req           host.FetchRequest
		parent, state string
	}{
		{host.FetchRequest{}, "", ""},
		{host.FetchRequest{Headers: host.Headers(guests)}, "g", "gs"},
		{host.FetchRequest{Headers: host.Headers(guests), TraceParent: "h"}, "h", ""},
		{host.FetchRequest{TraceParent: "h", TraceState: "hs"}, "h", "hs"},
		{host.FetchRequest{Headers: host.Headers(guests), TraceParent: "h", OwnTrace: true}, "g", "gs"},
	} {
		tt.req.Method, tt.req.URL = "GET", s.URL
		mustFetch(t, c, &tt.req)
		if got.Get("Traceparent") != tt.parent || got.Get("Tracestate") != tt.state {
			t.Errorf("%+v: got %q, %q", tt.req, got.Get("Traceparent"), got.Get("Tracestate"))
		}
	}
}

func TestUserAgentIsTheGuests(t *testing.T) {
	s := mustServer(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.UserAgent()) })
	req := get(s.URL)
	req.Headers = req.Headers.Add("user-agent", "guest/1")
	if got := mustRead(t, mustFetch(t, mustClient(t, fetch.Config{}), req).Body); got != "guest/1" {
		t.Errorf("user agent = %q, want guest/1", got)
	}
}

func TestHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Proto", r.Proto)
		fmt.Fprint(w, r.Host, r.Header)
		io.Copy(w, r.Body)
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c := mustClient(t, fetch.Config{RootCAs: roots})
	req := &host.FetchRequest{Method: "POST", URL: s.URL, Body: strings.NewReader("streamed"), BodySize: -1}
	resp := mustFetch(t, c, req)
	if proto, _ := resp.Headers.Get("x-proto"); string(proto) != "HTTP/2.0" {
		t.Errorf("protocol = %q, want HTTP/2.0", proto)
	}
	want := strings.TrimPrefix(s.URL, "https://") + "map[Cdn-Loop:[mayfly-n1]]streamed"
	if got := mustRead(t, resp.Body); got != want {
		t.Errorf("body = %q, want %q", got, want)
	}
}

func TestCertificateIsVerified(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	_, err := mustClient(t, fetch.Config{RootCAs: x509.NewCertPool()}).Fetch(t.Context(), get(s.URL))
	wantCode(t, err, host.CodeUnavailable)
	if want := "has a certificate that was not accepted: x509: certificate signed by unknown authority"; !strings.Contains(err.Error(), want) {
		t.Errorf("error = %q, want %q in it", err, want)
	}
}

func TestRedirectsAreTheGuests(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		requests := 0
		s := mustServer(t, func(w http.ResponseWriter, r *http.Request) {
			requests++
			w.Header().Set("Location", "http://169.254.169.254/latest/meta-data/")
			w.WriteHeader(status)
		})
		req := &host.FetchRequest{Method: "POST", URL: s.URL, Body: strings.NewReader("secret"), BodySize: 6}
		resp := mustFetch(t, mustClient(t, fetch.Config{}), req)
		location, _ := resp.Headers.Get("location")
		if resp.Status != status || string(location) != "http://169.254.169.254/latest/meta-data/" || requests != 1 {
			t.Errorf("got %d to %q after %d requests, want %d after 1", resp.Status, location, requests, status)
		}
	}
}

func TestProxyFromEnvironmentIsIgnored(t *testing.T) {
	proxy := mustServer(t, func(w http.ResponseWriter, r *http.Request) { t.Error("the proxy was asked") })
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	s := mustServer(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "direct") })
	// A name, because net/http never uses a proxy for loopback addresses.
	c := mustClient(t, fetch.Config{Resolver: &names{table: map[string][][]string{"up.example.com": {{"127.0.0.1"}}}}})
	port := mustPort(t, s.URL)
	if got := mustRead(t, mustFetch(t, c, get("http://up.example.com:"+port)).Body); got != "direct" {
		t.Errorf("body = %q, want direct", got)
	}
}

func mustPort(t testing.TB, text string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

func TestConnectionsAreOfOneAccountAndPolicy(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{} // remote addresses, so connections
	s := mustServer(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[r.RemoteAddr] = true
	})
	policy := map[string]fetch.Policy{"a": open, "b": open}
	c := mustClient(t, fetch.Config{Policy: func(account string) fetch.Policy { return policy[account] }})
	fetchAs := func(account string) {
		req := get(s.URL)
		req.Account = account
		mustRead(t, mustFetch(t, c, req).Body)
	}
	connections := func(want int) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if len(seen) != want {
			t.Errorf("%d connections, want %d", len(seen), want)
		}
	}
	fetchAs("a")
	fetchAs("a")
	connections(1)
	fetchAs("b")
	connections(2)

	policy["a"] = fetch.Policy{HighPorts: true}
	req := get(s.URL)
	req.Account = "a"
	_, err := c.Fetch(t.Context(), req)
	wantCode(t, err, host.CodeDenied)
	connections(2)
}

func TestPoolsAreBounded(t *testing.T) {
	c := mustClient(t, fetch.Config{Policy: always(fetch.Policy{})})
	for i := range fetch.MaxPools + 10 {
		req := get("http://127.0.0.1")
		req.Account = fmt.Sprint(i)
		c.Fetch(t.Context(), req)
	}
	if got := c.Pools(); got != fetch.MaxPools {
		t.Errorf("%d pools, want %d", got, fetch.MaxPools)
	}
}

func TestClosedClientRefuses(t *testing.T) {
	c := mustClient(t, fetch.Config{})
	c.Close()
	_, err := c.Fetch(t.Context(), get("http://127.0.0.1"))
	wantCode(t, err, host.CodeUnavailable)
}

func TestConcurrentFetches(t *testing.T) {
	s := mustServer(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	c := mustClient(t, fetch.Config{})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			text := fmt.Sprint(i)
			resp, err := c.Fetch(t.Context(), &host.FetchRequest{
				Account: fmt.Sprint(i % 3), Method: "POST", URL: s.URL,
				Body: strings.NewReader(text), BodySize: int64(len(text)),
			})
			if err != nil {
				t.Error(err)
				return
			}
			if got := mustRead(t, resp.Body); got != text {
				t.Errorf("body = %q, want %q", got, text)
			}
		})
	}
	wg.Wait()
}
