package native_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

// answering is a Fetcher that answers everything with a body.
func answering(body string) hosttest.Fetcher {
	return func(context.Context, *host.FetchRequest) (*host.FetchResponse, error) {
		return response(200, io.NopCloser(strings.NewReader(body))), nil
	}
}

func response(status int, body io.ReadCloser) *host.FetchResponse {
	return &host.FetchResponse{Status: status, Headers: host.Headers{}.Add("server", "test"), Body: body}
}

// upstream answers after the time that the request's URL says, with the URL as
// the body, and counts what is open.
type upstream struct {
	mu   sync.Mutex // guards what follows
	open int        // requests that were sent and whose body is not closed
	most int        // the most of them at one time
}

func (u *upstream) count(change int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open += change
	u.most = max(u.most, u.open)
}

// counts are the numbers of requests open now, and at most at one time.
func (u *upstream) counts() (open, most int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.open, u.most
}

func (u *upstream) Fetch(ctx context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
	delay, err := time.ParseDuration(req.URL)
	if err != nil {
		return nil, host.Errorf(host.CodeInvalid, "no duration")
	}
	u.count(1)
	select {
	case <-time.After(delay):
		return response(200, &upstreamBody{strings.NewReader(req.URL), u}), nil
	case <-ctx.Done():
		u.count(-1)
		return nil, host.Errorf(host.CodeCanceled, "canceled")
	}
}

type upstreamBody struct {
	io.Reader
	from *upstream
}

func (b *upstreamBody) Close() error {
	b.from.count(-1)
	return nil
}

// fetching is a guest with an upstream, or another Fetcher.
func fetching(t testing.TB, f host.Fetcher, limits host.Limits) *guest {
	t.Helper()
	services := hosttest.Services(t)
	services.Fetcher = f
	return newGuest(t, hosttest.Invocation{Services: services, Limits: limits})
}

func (g *guest) send(url string) int64 {
	g.t.Helper()
	return g.Must("fetch_send", g.puts("GET", url, "", "")...)
}

// handles writes an array of handles for wait.
func (g *guest) handles(handles ...int64) (args []int64) {
	for i, h := range handles {
		g.Put(512+4*uint32(i), uint32(h))
	}
	return with(512, len(handles))
}

// stuck is a body that says nothing until it is closed.
type stuck struct{ closed chan struct{} }

func newStuck() *stuck { return &stuck{make(chan struct{})} }

func (s *stuck) Read([]byte) (int, error) {
	<-s.closed
	return 0, errors.New("closed")
}

func (s *stuck) Close() error {
	close(s.closed)
	return nil
}
