package mayflyhttp_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflyhttp"
	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

// serve runs h for one request on a node of its own.
func serve(h http.HandlerFunc, r *http.Request) *httptest.ResponseRecorder {
	mayflyhttp.Serve(h)
	w := httptest.NewRecorder()
	new(mayflytest.Node).ServeHTTP(w, r)
	return w
}

func TestRequest(t *testing.T) {
	r := httptest.NewRequest("POST", "https://example.com/a%2Fb/c?d=e", strings.NewReader("body"))
	r.Header.Set("X-One", "1")
	w := serve(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintln(w, r.Method, r.Host, r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.RequestURI, r.RemoteAddr)
		fmt.Fprintln(w, r.Header, r.TLS != nil, r.ContentLength, string(body), err, r.Context().Err())
	}, r)
	want := "POST example.com /a/b/c /a%2Fb/c d=e /a%2Fb/c?d=e 192.0.2.1:0\n" +
		"map[X-One:[1]] true -1 body <nil> <nil>\n"
	if got := w.Body.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestRequestWithoutBody(t *testing.T) {
	serve(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != http.NoBody || r.ContentLength != 0 || r.TLS != nil {
			t.Errorf("body %v, length %d, TLS %v", r.Body, r.ContentLength, r.TLS)
		}
	}, httptest.NewRequest("GET", "/", nil))
}

func TestMuxPatterns(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.PathValue("name"))
	})
	for path, want := range map[string]string{"/hello/you": "200 you", "/else": "404 404 page not found\n"} {
		w := serve(mux.ServeHTTP, httptest.NewRequest("GET", path, nil))
		if got := fmt.Sprint(w.Code, " ", w.Body); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestResponse(t *testing.T) {
	large := strings.Repeat("x", 100_000)
	tests := map[string]struct {
		handler           http.HandlerFunc
		status            int
		contentType, body string
		streamed          bool
	}{
		"nothing": {func(http.ResponseWriter, *http.Request) {}, 200, "", "", false},
		"status":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 204, "", "", false},
		"sniffed": {write("<html>"), 200, "text/html; charset=utf-8", "<html>", false},
		"typed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "x/y")
			io.WriteString(w, "a")
		}, 200, "x/y", "a", false},
		"untyped": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			io.WriteString(w, "a")
		}, 200, "", "a", false},
		"header after status": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(201)
			w.Header().Set("Content-Type", "too/late")
			w.WriteHeader(500)
		}, 201, "", "", false},
		"error":       {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 403) }, 403, "text/plain; charset=utf-8", "no\n", false},
		"early hints": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(202) }, 202, "", "", false},
		"flushed": {func(w http.ResponseWriter, r *http.Request) {
			write("a")(w, r)
			w.(http.Flusher).Flush()
			write("b")(w, r)
		}, 200, "text/plain; charset=utf-8", "ab", true},
		"flushed first": {func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); write("b")(w, r) }, 200, "", "b", true},
		"large":         {write(large), 200, "text/plain; charset=utf-8", large, true},
		"many pieces":   {write(strings.SplitAfter(large[:90_000], "xxxxxxxxx")...), 200, "text/plain; charset=utf-8", large[:90_000], true},
		"bad header":    {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("a b", "c") }, 500, "", "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := serve(tt.handler, httptest.NewRequest("GET", "/", nil))
			if w.Code != tt.status || w.Header().Get("Content-Type") != tt.contentType {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Header().Get("Content-Type"), tt.status, tt.contentType)
			}
			if w.Body.String() != tt.body {
				t.Errorf("got %.50q, want %.50q", w.Body, tt.body)
			}
		})
	}
}

func write(words ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, word := range words {
			io.WriteString(w, word)
		}
	}
}

func TestFlushReachesTheClient(t *testing.T) {
	seen := make(chan struct{})
	mayflyhttp.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "one\n")
		http.NewResponseController(w).Flush()
		<-seen
		io.WriteString(w, "two\n")
	}))
	server := httptest.NewServer(new(mayflytest.Node))
	defer server.Close()
	resp, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Scan()
	first := lines.Text()
	close(seen)
	lines.Scan()
	if first != "one" || lines.Text() != "two" {
		t.Errorf("got %q and %q", first, lines.Text())
	}
}

func TestContextIsDoneAfterwards(t *testing.T) {
	var r *http.Request
	serve(func(_ http.ResponseWriter, req *http.Request) { r = req }, httptest.NewRequest("GET", "/", nil))
	if r.Context().Err() == nil {
		t.Error("context isn't done")
	}
}

func TestTransport(t *testing.T) {
	node := &mayflytest.Node{Upstream: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new", http.StatusTemporaryRedirect)
			return
		}
		body, err := io.ReadAll(r.Body)
		w.Header().Add("X-Many", "1")
		w.Header().Add("X-Many", "2")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, r.Method, " ", r.URL, " ", r.Header.Get("X-Sent"), " ", len(body), " ", err)
	})}
	client := &http.Client{Transport: mayflyhttp.Transport{}}
	large := strings.Repeat("x", 100_000)
	tests := map[string]struct {
		method, path string
		body         io.Reader
		want         string
	}{
		"get":      {"GET", "/a?b", nil, "GET http://example.com/a?b 1 0 <nil>"},
		"post":     {"POST", "/", strings.NewReader("abc"), "POST http://example.com/ 1 3 <nil>"},
		"large":    {"POST", "/", strings.NewReader(large), "POST http://example.com/ 1 100000 <nil>"},
		"streamed": {"POST", "/", iotest.HalfReader(strings.NewReader("abc")), "POST http://example.com/ 1 3 <nil>"},
		"redirect": {"POST", "/old", strings.NewReader("abc"), "POST http://example.com/new 1 3 <nil>"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inHandler(node, func() {
				req, _ := http.NewRequest(tt.method, "http://example.com"+tt.path, tt.body)
				req.Header.Set("X-Sent", "1")
				resp, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if string(body) != tt.want || err != nil {
					t.Errorf("got %q, %v", body, err)
				}
				if resp.Status != "202 Accepted" || len(resp.Header["X-Many"]) != 2 {
					t.Errorf("got %s %v", resp.Status, resp.Header)
				}
			})
		})
	}
}

func TestTransportFails(t *testing.T) {
	client := &http.Client{Transport: mayflyhttp.Transport{}}
	inHandler(new(mayflytest.Node), func() {
		if _, err := client.Get("http://example.com"); !errors.Is(err, mayfly.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		body, send := io.Pipe()
		if _, err := client.Post("http://example.com", "x/y", body); !errors.Is(err, mayfly.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		if _, err := send.Write([]byte("x")); err != io.ErrClosedPipe { // else it would block
			t.Errorf("body was not closed: %v", err)
		}
	})
}

func inHandler(node *mayflytest.Node, f func()) {
	mayflyhttp.Serve(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { f() }))
	node.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

func TestReplaceDefault(t *testing.T) {
	original := http.DefaultTransport
	defer func() { http.DefaultTransport = original }()
	mayflyhttp.ReplaceDefault()
	mayflyhttp.ReplaceDefault()
	get := func(url string) string {
		resp, err := http.Get(url)
		if err != nil {
			t.Error(err)
			return ""
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}
	mayflyhttp.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "handler asked "+get("http://upstream.example.com"))
	}))
	server := httptest.NewServer(&mayflytest.Node{Upstream: write("upstream")})
	defer server.Close()
	if got, want := get(server.URL), "handler asked upstream"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
