package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

var env = map[string]string{"UPSTREAM": "https://upstream.example.com/base/"}

func TestProxy(t *testing.T) {
	upstream := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Upstream", "1")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintln(w, r.Method, r.Host, r.RequestURI, r.Header.Get("X-Client"))
		io.Copy(w, r.Body)
	}
	r := httptest.NewRequest("PUT", "http://example.com/a%20b?c=d", strings.NewReader("body"))
	r.Header.Set("X-Client", "2")
	w := httptest.NewRecorder()
	node := mayflytest.Node{Env: env, Upstream: http.HandlerFunc(upstream)}
	node.ServeHTTP(w, r)
	want := "PUT upstream.example.com /base/a%20b?c=d 2\nbody"
	if got := w.Body.String(); w.Code != 202 || got != want || w.Header().Get("X-Upstream") != "1" {
		t.Errorf("got %d %q %v, want 202 %q", w.Code, got, w.Header(), want)
	}
}

func TestStreamsBothWays(t *testing.T) {
	upstream := func(w http.ResponseWriter, r *http.Request) {
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintln(w, "echo", lines.Text())
		}
	}
	server := httptest.NewServer(&mayflytest.Node{Env: env, Upstream: http.HandlerFunc(upstream)})
	defer server.Close()
	body, send := io.Pipe()
	go io.WriteString(send, "one\n")
	resp, err := http.Post(server.URL, "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Scan()
	first := lines.Text() // arrives before the request is complete
	io.WriteString(send, "two\n")
	send.Close()
	lines.Scan()
	if first != "echo one" || lines.Text() != "echo two" {
		t.Errorf("got %q and %q", first, lines.Text())
	}
}

func TestFailures(t *testing.T) {
	tests := map[string]struct {
		env    map[string]string
		status int
	}{
		"upstream is down": {env, 502},
		"no upstream set":  {nil, 500},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			node := mayflytest.Node{Env: tt.env}
			node.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			if w.Code != tt.status || len(node.Logs()) != 1 {
				t.Errorf("got %d, log %v, want %d and one entry", w.Code, node.Logs(), tt.status)
			}
		})
	}
}
