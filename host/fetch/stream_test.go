package fetch_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/fetch"
)

// overBoth runs a test against an upstream that speaks HTTP/1.1 and one that
// speaks HTTP/2.
func overBoth(t *testing.T, h http.HandlerFunc, test func(t *testing.T, c *fetch.Client, url string)) {
	t.Run("HTTP1", func(t *testing.T) {
		test(t, mustClient(t, fetch.Config{}), mustServer(t, h).URL)
	})
	t.Run("HTTP2", func(t *testing.T) {
		s := httptest.NewUnstartedServer(h)
		s.EnableHTTP2 = true
		s.Config.ErrorLog = log.New(io.Discard, "", 0) // a client that hangs up is no news
		s.StartTLS()
		t.Cleanup(s.Close)
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		test(t, mustClient(t, fetch.Config{RootCAs: roots}), s.URL)
	})
}

func TestStreamBothWays(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		answerEarly(w, r, 200)
		buf := make([]byte, 64)
		for {
			n, err := r.Body.Read(buf)
			w.Write(buf[:n])
			http.NewResponseController(w).Flush()
			if err != nil {
				return
			}
		}
	}
	overBoth(t, echo, func(t *testing.T, c *fetch.Client, url string) {
		r, w := io.Pipe()
		resp := mustFetch(t, c, &host.FetchRequest{Method: "POST", URL: url, Body: r, BodySize: -1})
		buf := make([]byte, 64)
		for _, text := range []string{"one", "two", "three"} { // each is answered before the next
			io.WriteString(w, text)
			n, err := io.ReadFull(resp.Body, buf[:len(text)])
			if err != nil || string(buf[:n]) != text {
				t.Fatalf("read %q, %v; want %q", buf[:n], err, text)
			}
		}
		w.Close()
		if rest := mustRead(t, resp.Body); rest != "" {
			t.Errorf("read %q after the end", rest)
		}
	})
}

func TestEarlyResponseFreesTheUpload(t *testing.T) {
	refuse := func(w http.ResponseWriter, r *http.Request) {
		answerEarly(w, r, 403)
		io.Copy(io.Discard, r.Body)
	}
	overBoth(t, refuse, func(t *testing.T, c *fetch.Client, url string) {
		r, w := io.Pipe()
		resp := mustFetch(t, c, &host.FetchRequest{Method: "POST", URL: url, Body: r, BodySize: -1})
		if resp.Status != 403 {
			t.Errorf("status = %d, want 403", resp.Status)
		}
		resp.Body.Close()
		if _, err := io.Copy(w, zeros{}); err == nil { // returns once r is closed
			t.Error("the upload went on")
		}
	})
}

// answerEarly sends the head of the response before the request's body came.
func answerEarly(w http.ResponseWriter, r *http.Request, status int) {
	control := http.NewResponseController(w)
	control.EnableFullDuplex() // or else HTTP/1.1 waits for the body
	w.WriteHeader(status)
	control.Flush()
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestUploadFailures(t *testing.T) {
	limit := host.Errorf(host.CodeTooLarge, "the request's body exceeds its limit")
	tests := []struct {
		name string
		body io.Reader
		size int64
		want host.Code
	}{
		{"reader fails", io.MultiReader(strings.NewReader("abc"), failing{errors.New("disk on /dev/sda")}), -1, host.CodeCanceled},
		{"reader fails with a code", io.MultiReader(strings.NewReader("abc"), failing{limit}), -1, host.CodeTooLarge},
		{"too short", strings.NewReader("abc"), 5, host.CodeInvalid},
	}
	discard := func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			t.Error("the upstream took the body for complete")
		}
	}
	overBoth(t, discard, func(t *testing.T, c *fetch.Client, url string) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				_, err := c.Fetch(t.Context(), &host.FetchRequest{Method: "PUT", URL: url, Body: tt.body, BodySize: tt.size})
				wantCode(t, err, tt.want)
				if strings.Contains(err.Error(), "/dev/sda") {
					t.Errorf("error %q tells of the node", err)
				}
			})
		}
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestDeadlineBehindUpload is how a Call streams: the body ends with the
// context, which is then what is told, not the body's end.
func TestDeadlineBehindUpload(t *testing.T) {
	discard := func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }
	overBoth(t, discard, func(t *testing.T, c *fetch.Client, url string) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		r, _ := io.Pipe()
		context.AfterFunc(ctx, func() { r.CloseWithError(ctx.Err()) })
		_, err := c.Fetch(ctx, &host.FetchRequest{Method: "POST", URL: url, Body: r, BodySize: -1})
		wantCode(t, err, host.CodeTimeout)
	})
}

func TestBodySizeBounds(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }
	overBoth(t, echo, func(t *testing.T, c *fetch.Client, url string) {
		r, w := io.Pipe() // not closed until the response has come
		defer w.Close()
		go io.WriteString(w, "abcde")
		resp := mustFetch(t, c, &host.FetchRequest{Method: "PUT", URL: url, Body: r, BodySize: 5})
		if got := mustRead(t, resp.Body); got != "abcde" {
			t.Errorf("body = %q, want abcde", got)
		}
		resp = mustFetch(t, c, &host.FetchRequest{Method: "PUT", URL: url, Body: strings.NewReader("abcdef"), BodySize: 5})
		if got := mustRead(t, resp.Body); got != "abcde" {
			t.Errorf("body = %q, want abcde", got)
		}
	})
}

func TestEmptyBodies(t *testing.T) {
	length := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("Content-Length")+strings.Join(r.TransferEncoding, ","))
	}
	c, url := mustClient(t, fetch.Config{}), mustServer(t, length).URL
	for _, body := range []io.Reader{nil, strings.NewReader("")} {
		resp := mustFetch(t, c, &host.FetchRequest{Method: "POST", URL: url, Body: body})
		if got := mustRead(t, resp.Body); got != "0" {
			t.Errorf("length = %q, want 0", got)
		}
	}
}

func TestCancel(t *testing.T) {
	arrived := make(chan struct{}, 1)
	gone := make(chan struct{}, 1)
	hang := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			http.NewResponseController(w).Flush()
		}
		arrived <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	}
	overBoth(t, hang, func(t *testing.T, c *fetch.Client, url string) {
		t.Run("before the answer", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-arrived; cancel() }()
			_, err := c.Fetch(ctx, get(url))
			wantCode(t, err, host.CodeCanceled)
			<-gone
		})
		t.Run("in the body", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-arrived; cancel() }()
			resp, err := c.Fetch(ctx, get(url+"/body"))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			wantCode(t, err, host.CodeCanceled)
			<-gone
		})
		t.Run("by closing the body", func(t *testing.T) {
			resp := mustFetch(t, c, get(url+"/body"))
			<-arrived
			resp.Body.Close()
			<-gone
		})
	})
}

// TestNothingIsLeftBehind counts goroutines after exchanges that ended early.
func TestNothingIsLeftBehind(t *testing.T) {
	hang := func(w http.ResponseWriter, r *http.Request) {
		answerEarly(w, r, 200)
		io.Copy(io.Discard, r.Body)
	}
	s := httptest.NewServer(http.HandlerFunc(hang))
	before := runtime.NumGoroutine()
	c := mustClient(t, fetch.Config{})
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		r, _ := io.Pipe() // nothing is ever written to it
		resp, err := c.Fetch(ctx, &host.FetchRequest{Method: "POST", URL: s.URL, Body: r, BodySize: -1})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		resp.Body.Close()
	}
	c.Close()
	s.Close()
	for wait := time.Now().Add(2 * time.Minute); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(wait) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

func TestResolverTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustClient(t, fetch.Config{Resolver: &names{lookup: func(ctx context.Context, _ string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}})
		started := time.Now()
		_, err := c.Fetch(t.Context(), get("http://slow.example.com"))
		wantCode(t, err, host.CodeTimeout)
		if took := time.Since(started); took != 5*time.Second {
			t.Errorf("gave up after %v, want 5s", took)
		}
	})
}

func TestCanceledLookupEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := mustClient(t, fetch.Config{Resolver: &names{lookup: func(lookup context.Context, _ string) ([]netip.Addr, error) {
			cancel()
			<-lookup.Done()
			return nil, lookup.Err()
		}}})
		_, err := c.Fetch(ctx, get("http://slow.example.com"))
		wantCode(t, err, host.CodeCanceled)
	}) // returns when the look-up's goroutine has
}
