package native_test

import (
	"context"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

// calling is a guest with AUTH bound to f.
func calling(t testing.TB, f host.Fetcher, limits host.Limits) *guest {
	t.Helper()
	inv := everything(t)
	inv.Bindings.Fetchers["AUTH"], inv.Limits = f, limits
	return newGuest(t, inv)
}

func TestFetcher(t *testing.T) {
	var got *host.FetchRequest
	var sent string
	g := calling(t, hosttest.Fetcher(func(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
		body, err := io.ReadAll(req.Body)
		got, sent = req, string(body)
		return response(203, io.NopCloser(strings.NewReader("who you are"))), err
	}), host.Limits{})
	auth := g.Must("fetcher_open", g.puts("AUTH")...)
	op := g.Must("fetcher_send", with(int(auth), g.puts("POST", "https://auth/check?a", "x\x00y\x00", "token"))...)
	g.Want(203, "fetch_status", op)
	body := g.Must("fetch_body", op)
	g.Want(11, "body_read", body, 200, 50)
	g.WantMemory(200, "who you are")
	if sent != "token" || got.Method != "POST" || got.URL != "https://auth/check?a" || string(got.Headers) != "x\x00y\x00" || got.BodySize != 5 {
		t.Errorf("sent %+v with %q", got, sent)
	}
	want := host.Caller{Account: "local", Function: "test", ID: "test-request", Client: netip.MustParseAddr("2001:db8::1")}
	c := got.Caller
	if c.Account != want.Account || c.Function != want.Function || c.ID != want.ID || c.Client != want.Client || c.Up != nil || c.Depth != 0 {
		t.Errorf("the caller is %+v, want %+v", c, want)
	}
	if u := g.End().Usage; u.Subrequests != 1 || u.BytesOut != 5 || u.BytesIn != 11 {
		t.Errorf("usage %+v", u)
	}
}

func TestFetcherStream(t *testing.T) {
	g := calling(t, hosttest.Fetcher(func(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
		body, err := io.ReadAll(req.Body)
		return response(200, io.NopCloser(strings.NewReader(string(body)))), err
	}), host.Limits{})
	auth := g.Must("fetcher_open", g.puts("AUTH")...)
	op := g.Must("fetcher_stream", with(int(auth), g.puts("PUT", "http://auth/", ""))...)
	upload := g.Must("fetch_request_body", op)
	g.Put(200, "piece")
	g.Want(5, "body_write", upload, 200, 5)
	g.Want(0, "close", upload)
	g.Want(5, "body_read", g.Must("fetch_body", op), 300, 50)
	g.WantMemory(300, "piece")
	g.End()
}

func TestFetcherRefused(t *testing.T) {
	g := calling(t, answering("x"), host.Limits{Subrequests: 1})
	g.Want(notFound, "fetcher_open", g.puts("NOBODY")...)
	wantError(t, g, "[[services]]")
	store := g.Must("kv_open", g.puts("STORE")...)
	request := g.puts("GET", "http://auth/", "", "")
	g.Want(badHandle, "fetcher_send", with(int(store), request)...)
	g.Want(badHandle, "fetcher_stream", with(99, request[:6])...)
	auth := g.Must("fetcher_open", g.puts("AUTH")...)
	g.Want(invalid, "fetcher_send", with(int(auth), g.puts(strings.Repeat("M", 65), "http://auth/", "", ""))...)
	g.Must("fetcher_send", with(int(auth), request)...)
	g.Want(limit, "fetcher_send", with(int(auth), request)...)
	g.Want(limit, "fetch_send", request...)
	if n := g.End().Usage.Subrequests; n != 1 {
		t.Errorf("%d requests were counted, want 1", n)
	}
}
