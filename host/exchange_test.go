package host_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

// body counts itself as long as it is open.
type body struct {
	io.Reader
	open *atomic.Int32
}

func newBody(open *atomic.Int32, text string) *body {
	open.Add(1)
	return &body{strings.NewReader(text), open}
}

func (b *body) Close() error {
	b.open.Add(-1)
	return nil
}

func fetch(t testing.TB, c *host.Call, url string) *host.Exchange {
	t.Helper()
	e, err := c.Fetch(&host.FetchRequest{Method: "GET", URL: url}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Requests that wait get their turn in order; one that gives up waiting leaves
// the others theirs.
func TestFetchTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var sent []string
		var open atomic.Int32
		c := begin(t, host.Limits{OpenConnections: 2})
		c.Services.Fetcher = hosttest.Fetcher(func(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, req.URL)
			return &host.FetchResponse{Status: 200, Body: newBody(&open, "")}, nil
		})
		var all []*host.Exchange
		for _, url := range []string{"a", "b", "c", "d", "e", "f"} {
			all = append(all, fetch(t, c, url))
		}
		for i, want := range []int{2, 2, 3, 4, 5, 5} { // sent so far, with one more closed each time
			synctest.Wait()
			if len(sent) != want {
				t.Errorf("after closing %d: %d were sent, want %d", i, len(sent), want)
			}
			all[[]int{2, 0, 1, 3, 4, 5}[i]].Close()
		}
		synctest.Wait()
		slices.Sort(sent[:2]) // these began together
		if got := strings.Join(sent, ""); got != "abdef" {
			t.Errorf("sent %s, want abdef", got)
		}
		c.End(nil)
		if n := open.Load(); n != 0 {
			t.Errorf("%d bodies are open", n)
		}
	})
}

// Every exchange is over when End returns, however far it had come.
func TestEndEndsExchanges(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			var open atomic.Int32
			c := begin(t, host.Limits{Held: 4})
			c.Services.Fetcher = hosttest.Fetcher(func(ctx context.Context, _ *host.FetchRequest) (*host.FetchResponse, error) {
				select {
				case <-time.After(2 * time.Second):
					return &host.FetchResponse{Status: 200, Body: newBody(&open, "text")}, nil
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			})
			for _, take := range []bool{false, true} {
				e, err := c.Fetch(&host.FetchRequest{}, []byte("ab"), false)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := c.Handles.Add(e); err != nil {
					t.Fatal(err)
				}
				if take && after > 2*time.Second {
					if _, err := e.TakeBody(c); err != nil {
						t.Fatal(err)
					}
				}
			}
			time.Sleep(after)
			c.End(nil)
			if n := open.Load(); n != 0 {
				t.Errorf("%d bodies are open", n)
			}
			c.Reset()
			c.Limits = host.DefaultLimits()
			c.Begin(t.Context())
			if err := c.Hold(int(c.Limits.Held)); err != nil {
				t.Errorf("something is still held: %v", err)
			}
			c.End(nil)
		})
	}
}

// Closing, reading and arriving at the same time. The detector of races and the
// counts at the end say whether that is well.
func TestExchangeHammer(t *testing.T) {
	const rounds = 300
	var open atomic.Int32
	c := begin(t, host.Limits{Subrequests: rounds, OpenConnections: 4})
	c.Services.Fetcher = hosttest.Fetcher(func(ctx context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if req.Body != nil {
			io.CopyN(io.Discard, req.Body, 2)
		}
		return &host.FetchResponse{Status: 200, Body: newBody(&open, "text")}, nil
	})
	for i := range rounds {
		e, err := c.Fetch(&host.FetchRequest{}, nil, i%2 == 0)
		if err != nil {
			t.Fatal(err)
		}
		if e.Upload != nil {
			w := e.Upload
			c.Start(func(context.Context) {
				w.Write([]byte("text"))
				w.CloseWithError(nil)
			})
		}
		switch i % 4 {
		case 0, 1:
			e.Close()
		case 2, 3:
			body, err := e.TakeBody(c)
			if err != nil {
				t.Fatal(err)
			}
			c.Start(func(context.Context) { io.Copy(io.Discard, body) })
			e.Close()
			body.Close()
		}
	}
	c.End(nil)
	if n := open.Load(); n != 0 {
		t.Errorf("%d bodies are open", n)
	}
}

// A loop is counted even where a proxy on the way added a field of its own.
func TestFetchPassesLoopOn(t *testing.T) {
	for _, tt := range []struct {
		name    string
		headers host.Headers
		want    string
	}{
		{"none", host.Headers{}.Add("accept", "*/*"), ""},
		{"one", host.Headers{}.Add("cdn-loop", "a, b"), "a, b"},
		{"several", host.Headers{}.Add("cdn-loop", "a").Add("x", "y").Add("CDN-Loop", "b").Add("cdn-loop", "c"), "a, b, c"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := begin(t, host.Limits{})
			c.Request.Headers = tt.headers
			var got string
			c.Services.Fetcher = hosttest.Fetcher(func(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
				got = req.Loop
				return nil, host.Errorf(host.CodeUnavailable, "nobody is there")
			})
			fetch(t, c, "http://example.com/").Response(c)
			c.End(nil)
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A body that ends together with its last bytes ended well, however often that is
// asked; closing it frees the connection all the same.
func TestBodyEndsWithItsLastBytes(t *testing.T) {
	var open atomic.Int32
	c := begin(t, host.Limits{})
	c.Services.Fetcher = hosttest.Fetcher(func(ctx context.Context, _ *host.FetchRequest) (*host.FetchResponse, error) {
		b := newBody(&open, "text")
		b.Reader = &untilCanceled{ctx, iotest.DataErrReader(b.Reader)}
		return &host.FetchResponse{Status: 200, Body: b}, nil
	})
	b, err := fetch(t, c, "a").TakeBody(c)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10)
	for i, want := range []int{4, 0, 0} {
		if n, err := b.Read(p); n != want || err != io.EOF {
			t.Errorf("read %d gives %d, %v; want %d and the end", i, n, err, want)
		}
	}
	c.End(nil)
	if n := open.Load(); n != 0 {
		t.Errorf("%d bodies are open", n)
	}
}

// untilCanceled reads as a connection does, which its context closes.
type untilCanceled struct {
	ctx context.Context
	io.Reader
}

func (r *untilCanceled) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
