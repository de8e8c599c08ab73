package mayfly_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func withUpstream(t *testing.T, upstream http.HandlerFunc, f func()) {
	t.Helper()
	run(t, &mayflytest.Node{Upstream: upstream}, f)
}

func TestFetch(t *testing.T) {
	upstream := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		w.Header().Set("X-Got", r.Method+" "+r.Host+r.RequestURI+" "+r.Header.Get("X-Sent"))
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "got "+string(body))
		if err != nil {
			t.Errorf("upstream: %v", err)
		}
	}
	tests := map[string]struct {
		method, method2 string
		body            io.Reader
		want            string
	}{
		"no body":  {"", "GET", nil, "got "},
		"whole":    {"POST", "POST", strings.NewReader("abc"), "got abc"},
		"streamed": {"PUT", "PUT", iotest.OneByteReader(strings.NewReader("abc")), "got abc"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			withUpstream(t, upstream, func() {
				resp, err := mayfly.Fetch(context.Background(), &mayfly.FetchRequest{
					Method: tt.method, URL: "https://example.com/a?b", Header: mayfly.Header{{"x-sent", "1"}}, Body: tt.body})
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				if resp.Status != 418 || string(body) != tt.want || err != nil {
					t.Errorf("got %d %q, %v", resp.Status, body, err)
				}
				if got, want := resp.Header.Get("X-Got"), tt.method2+" example.com/a?b 1"; got != want {
					t.Errorf("upstream got %q, want %q", got, want)
				}
			})
		})
	}
}

func TestFetchAtTheSameTime(t *testing.T) {
	both := make(chan struct{})
	upstream := func(w http.ResponseWriter, r *http.Request) {
		select { // each waits until the other is there
		case both <- struct{}{}:
		case <-both:
		}
	}
	withUpstream(t, upstream, func() {
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				resp, err := mayfly.Fetch(context.Background(), &mayfly.FetchRequest{URL: "http://example.com"})
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
			})
		}
		wg.Wait()
	})
}

func TestFetchStreamsBothWays(t *testing.T) {
	upstream := func(w http.ResponseWriter, r *http.Request) {
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			io.WriteString(w, "echo "+lines.Text()+"\n")
		}
	}
	withUpstream(t, upstream, func() {
		body, send := io.Pipe()
		go io.WriteString(send, "one\n")
		resp, err := mayfly.Fetch(context.Background(), &mayfly.FetchRequest{Method: "POST", URL: "http://example.com", Body: body})
		if err != nil {
			t.Error(err)
			return
		}
		answers := bufio.NewScanner(resp.Body)
		answers.Scan()
		first := answers.Text()
		io.WriteString(send, "two\n")
		send.Close()
		answers.Scan()
		if first != "echo one" || answers.Text() != "echo two" {
			t.Errorf("got %q and %q", first, answers.Text())
		}
	})
}

func TestFetchFails(t *testing.T) {
	panics := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("down") })
	broken := iotest.ErrReader(errors.New("broken"))
	reads := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err == nil {
			t.Error("upstream took a broken body for complete")
		}
	})
	tests := map[string]struct {
		upstream http.Handler
		req      mayfly.FetchRequest
		want     string
	}{
		"no upstream":  {nil, mayfly.FetchRequest{URL: "http://example.com"}, "fetch: mayflytest.Node has no Upstream"},
		"down":         {panics, mayfly.FetchRequest{URL: "http://example.com"}, "fetch: upstream broke off"},
		"relative URL": {panics, mayfly.FetchRequest{URL: "/a"}, "fetch: URL must be absolute, http or https"},
		"scheme":       {panics, mayfly.FetchRequest{URL: "ftp://example.com"}, "fetch: URL must be absolute, http or https"},
		"header":       {panics, mayfly.FetchRequest{URL: "http://example.com", Header: mayfly.Header{{"a:", ""}}}, "fetch: header name a: is not a token"},
		"body":         {reads, mayfly.FetchRequest{Method: "POST", URL: "http://example.com", Body: broken}, "broken"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			run(t, &mayflytest.Node{Upstream: tt.upstream}, func() {
				_, err := mayfly.Fetch(context.Background(), &tt.req)
				if err == nil || err.Error() != tt.want {
					t.Errorf("got %v, want %s", err, tt.want)
				}
			})
		})
	}
}

func TestFetchEndsWithContext(t *testing.T) {
	hang := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	}
	why := errors.New("no longer needed")
	withUpstream(t, hang, func() {
		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		resp, err := mayfly.Fetch(ctx, &mayfly.FetchRequest{URL: "http://example.com/body"})
		if err != nil {
			t.Error(err)
			return
		}
		head := make(chan error)
		go func() {
			_, err := mayfly.Fetch(ctx, &mayfly.FetchRequest{URL: "http://example.com/head"})
			head <- err
		}()
		cancel(why)
		if err := <-head; err != why {
			t.Errorf("waiting for the head: %v", err)
		}
		if _, err := resp.Body.Read(make([]byte, 1)); err != why {
			t.Errorf("reading the body: %v", err)
		}
		if _, err := mayfly.Fetch(ctx, &mayfly.FetchRequest{URL: "http://example.com"}); err != why {
			t.Errorf("afterwards: %v", err)
		}
	})
}
