package mayfly_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func TestService(t *testing.T) {
	auth := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, r.Method+" "+r.Host+r.RequestURI+" "+string(body))
	})
	node := &mayflytest.Node{Services: map[string]http.Handler{"AUTH": auth}}
	for name, body := range map[string]io.Reader{
		"whole": strings.NewReader("abc"), "streamed": iotest.OneByteReader(strings.NewReader("abc")),
	} {
		t.Run(name, func(t *testing.T) {
			run(t, node, func() {
				resp, err := mayfly.Service("AUTH").Fetch(context.Background(), &mayfly.FetchRequest{Method: "POST", URL: "http://auth/check?a", Body: body})
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				if want := "POST auth/check?a abc"; resp.Status != 202 || string(got) != want || err != nil {
					t.Errorf("got %d %q, %v; want %q", resp.Status, got, err, want)
				}
			})
		})
	}
}

func TestAssets(t *testing.T) {
	files := http.FileServerFS(fstest.MapFS{"a.txt": {Data: []byte("a file")}})
	run(t, &mayflytest.Node{Services: map[string]http.Handler{"ASSETS": files}}, func() {
		resp, err := mayfly.Assets("ASSETS").Fetch(context.Background(), &mayfly.FetchRequest{URL: "http://assets/a.txt"})
		if err != nil {
			t.Error(err)
			return
		}
		if got, err := io.ReadAll(resp.Body); resp.Status != 200 || string(got) != "a file" || err != nil {
			t.Errorf("got %d %q, %v", resp.Status, got, err)
		}
	})
}

func TestServiceNotBound(t *testing.T) {
	run(t, new(mayflytest.Node), func() {
		for _, body := range []io.Reader{nil, iotest.OneByteReader(strings.NewReader("abc"))} {
			_, err := mayfly.Service("AUTH").Fetch(context.Background(), &mayfly.FetchRequest{URL: "http://auth/", Body: body})
			want := "fetch from AUTH: the configuration has no such binding"
			if !errors.Is(err, mayfly.ErrDenied) || err.Error() != want {
				t.Errorf("got %v, want denied: %s", err, want)
			}
		}
	})
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := &mayflytest.Node{RateLimits: map[string]mayflytest.RateLimit{
			"LIMITER": {Limit: 2, Period: time.Minute}, "ALWAYS": {Limit: 1},
		}}
		limit := func(binding, key string, want bool) {
			t.Helper()
			run(t, node, func() { // each in a request of its own
				if got, err := mayfly.RateLimit(binding).Limit(key); got != want || err != nil {
					t.Errorf("%s of %s: got %v, %v, want %v", key, binding, got, err, want)
				}
			})
		}
		limit("LIMITER", "a", true)
		limit("LIMITER", "a", true)
		limit("LIMITER", "a", false)
		limit("LIMITER", "b", true)
		limit("ALWAYS", "a", true)
		time.Sleep(time.Minute)
		limit("LIMITER", "a", true)
		limit("ALWAYS", "a", false)
		run(t, node, func() {
			if _, err := mayfly.RateLimit("NONE").Limit("a"); !errors.Is(err, mayfly.ErrDenied) {
				t.Errorf("without a binding: %v", err)
			}
			if _, err := mayfly.RateLimit("LIMITER").Limit(strings.Repeat("k", 513)); !errors.Is(err, mayfly.ErrTooLarge) {
				t.Errorf("a key of 513 bytes: %v", err)
			}
		})
	})
}
