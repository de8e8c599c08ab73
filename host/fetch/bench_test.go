package fetch_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/mayfly-run/mayfly/host/fetch"
)

// BenchmarkFetch is one exchange over loopback on a connection that is open,
// the upstream's share included.
func BenchmarkFetch(b *testing.B) {
	s := mustServer(b, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	c := mustClient(b, fetch.Config{})
	req := get(s.URL)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := c.Fetch(b.Context(), req)
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

// BenchmarkNetHTTP is the same without us, to compare with.
func BenchmarkNetHTTP(b *testing.B) {
	s := mustServer(b, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	client := &http.Client{Transport: &http.Transport{}}
	b.ReportAllocs()
	for b.Loop() {
		resp, err := client.Get(s.URL)
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}
