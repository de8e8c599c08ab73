package trigger_test

import (
	"context"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

// FuzzServiceURL: what a callee sees as the URL of a request is what the front end
// would let in, and comes from what the caller wrote.
func FuzzServiceURL(f *testing.F) {
	for _, seed := range []string{"http://a/", "HTTPS://a:1/b?c#d", "http://a", "http://[::1]:80/%41", "http://a?b", "//a/", "http:///", "http://a@b/",
		"http://a/\x00", "http://a/%zz", "http://\xff/", "http://a:99999/", "ftp://a/", "http://a//../?"} {
		f.Add(seed)
	}
	s := start(f, host.Limits{}, map[string][]byte{"url": areaGuest("request_url")})
	c := s.caller("url")
	fetcher := c.Bindings.Fetchers["PEER"]
	f.Fuzz(func(t *testing.T, text string) {
		req := &host.FetchRequest{Method: "GET", URL: text, Caller: firstCaller(t, c.Bindings)}
		resp, err := fetcher.Fetch(t.Context(), req)
		if err != nil {
			wantError(t, err, host.CodeInvalid, "")
			return
		}
		defer resp.Body.Close()
		seen := string(must(io.ReadAll(resp.Body))(t))
		u, err := url.Parse(seen)
		if err != nil || u.Host == "" || u.Path == "" || u.User != nil || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
			t.Fatalf("%q became %q: %v", text, seen, err)
		}
		_, rest, _ := strings.Cut(seen, "://")
		if written, _, _ := strings.Cut(text, "#"); !strings.HasSuffix(written, strings.TrimPrefix(rest, u.Host+"/")) || !strings.Contains(written, u.Host) {
			t.Errorf("%q became %q", text, seen)
		}
	})
}

// firstCaller is an Invocation that nobody called.
func firstCaller(t testing.TB, b *host.Bindings) (caller *host.Caller) {
	t.Helper()
	c := &host.Call{Bindings: b, Limits: host.DefaultLimits()}
	c.Begin(t.Context())
	x, refused := c.FetchFrom(hosttest.Fetcher(func(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
		caller = req.Caller
		return nil, host.Errorf(host.CodeUnavailable, "nobody is there")
	}), &host.FetchRequest{}, nil, false)
	if refused != nil {
		t.Fatal(refused)
	}
	x.Wait(c)
	c.End(nil)
	return caller
}
