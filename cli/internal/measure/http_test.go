package measure_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli/internal/measure"
)

func TestHTTP(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var served atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RequestURI() != "/a?b=c" {
			t.Errorf("URI %s, want /a?b=c", r.URL.RequestURI())
		}
		switch n := served.Add(1); {
		case n == 100:
			cancel()
		case n%2 == 0:
			w.WriteHeader(http.StatusTeapot)
		}
		w.Write([]byte("four"))
	}))
	defer server.Close()
	got, err := measure.HTTP(ctx, measure.Load{URL: server.URL + "/a?b=c", Connections: 4, Duration: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests != served.Load() || got.Requests < 100 || got.Errors != 0 {
		t.Errorf("%d requests and %d errors, want %d and 0", got.Requests, got.Errors, served.Load())
	}
	if ok, teapots := got.Statuses["200"], got.Statuses["418"]; int64(ok+teapots) != got.Requests || ok < 50 || teapots < 40 {
		t.Errorf("statuses %v", got.Statuses)
	}
	if got.BodyBytes != 4*got.Requests || got.PerSecond <= 0 || got.Latency.P50 <= 0 || got.Latency.P50 > got.Latency.Max {
		t.Errorf("got %+v", got)
	}
}

func TestHTTPReachesNamesBelowLocalhost(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Host, "hello.localhost:") {
			t.Errorf("host %s", r.Host)
		}
		cancel()
	}))
	defer server.Close()
	url := strings.Replace(server.URL, "127.0.0.1", "hello.localhost", 1)
	got, err := measure.HTTP(ctx, measure.Load{URL: url, Connections: 1, Duration: time.Minute})
	if err != nil || got.Requests == 0 || got.Errors > 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestHTTPCountsErrors(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer server.Close()
	got, err := measure.HTTP(t.Context(), measure.Load{URL: server.URL, Connections: 2, Duration: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests != 0 || got.Errors < 2 || got.FirstError == "" {
		t.Errorf("got %+v, want errors only", got)
	}
}

func TestHTTPWantsURL(t *testing.T) {
	for _, url := range []string{"", "localhost:8080", "ftp://localhost/", "http://", "http://[::1"} {
		if _, err := measure.HTTP(t.Context(), measure.Load{URL: url, Connections: 1, Duration: time.Second}); err == nil {
			t.Errorf("%q was taken for a URL", url)
		}
	}
}
