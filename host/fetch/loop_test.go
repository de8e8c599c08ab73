package fetch_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host/fetch"
)

func TestLoopCount(t *testing.T) {
	tests := []struct {
		field string
		want  int
	}{
		{"", 0},
		{"mayfly-n1", 1},
		{"MAYFLY-N1", 1},
		{"mayfly-n2", 0},
		{"mayfly-n11", 0},
		{"n1", 0},
		{"fastly, mayfly-n1, cloudflare, mayfly-n1", 2},
		{"mayfly-n1,mayfly-n1\t, ,,mayfly-n1", 3},
		{`mayfly-n1; v="1, 2"; x, cdn.example.com:80 ;a=b`, 1},
		{`mayfly-n1;v=1`, 1},
		{`x;a="open, mayfly-n1`, 1}, // a quotation mark hides nothing
		{"mayfly-n1 x", 0},
	}
	for _, tt := range tests {
		if got := fetch.LoopCount(tt.field, "n1"); got != tt.want {
			t.Errorf("LoopCount(%q) = %d, want %d", tt.field, got, tt.want)
		}
	}
}

// TestLoopEnds runs a front end whose Function fetches itself.
func TestLoopEnds(t *testing.T) {
	const most = 3
	c := mustClient(t, fetch.Config{})
	requests := 0
	s := mustServer(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		loop := strings.Join(r.Header["Cdn-Loop"], ", ")
		if c.Loops(loop) > most {
			w.WriteHeader(http.StatusLoopDetected)
			fmt.Fprint(w, loop)
			return
		}
		req := get("http://" + r.Host)
		req.Loop = loop
		req.Headers = req.Headers.Add("cdn-loop", "forged")
		resp, err := c.Fetch(r.Context(), req)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.Status)
		io.Copy(w, resp.Body)
	})
	req := get(s.URL)
	req.Loop = `client;x="`
	resp := mustFetch(t, c, req)
	if resp.Status != http.StatusLoopDetected || requests != most+1 {
		t.Errorf("status %d after %d requests, want 508 after %d", resp.Status, requests, most+1)
	}
	if got, want := mustRead(t, resp.Body), `client;x="`+strings.Repeat(", mayfly-n1", most+1); got != want {
		t.Errorf("CDN-Loop = %q, want %q", got, want)
	}
}

func FuzzLoopCount(f *testing.F) {
	for _, seed := range []string{"", ",", "mayfly-n1", `a;b="c, mayfly-n1`, "a\x00b", " \t", "mayfly-n1;;;"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		next := fetch.AppendLoop(field, "n1")
		if strings.ContainsAny(next, "\r\n\x00") {
			t.Fatalf("AppendLoop(%q) = %q", field, next)
		}
		want := 1 // of a value that can't be sent nothing is kept
		if !strings.ContainsFunc(field, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			want += fetch.LoopCount(field, "n1")
		}
		if got := fetch.LoopCount(next, "n1"); got != want {
			t.Fatalf("LoopCount(%q) = %d after %q, want %d", next, got, field, want)
		}
	})
}
