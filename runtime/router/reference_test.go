package router_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/router"
)

// reference is the specification of matching in its plainest form: it works on
// the text of patterns and tries them all. It shares no code with the router.
type reference struct {
	scheme, host, path string
	target             int
	negate             bool
}

func newReference(pattern string, target int, negate bool) reference {
	r := reference{target: target, negate: negate}
	if before, after, ok := strings.Cut(pattern, "://"); ok {
		r.scheme, pattern = before, after
	}
	var ok bool
	if r.host, r.path, ok = strings.Cut(pattern, "/"); !ok {
		r.path = ""
	}
	r.path = "/" + r.path
	return r
}

func (r reference) matches(scheme, host, path string) bool {
	if r.scheme != "" && r.scheme != scheme {
		return false
	}
	if suffix, ok := strings.CutPrefix(r.host, "*"); ok {
		if !strings.HasSuffix(host, suffix) {
			return false
		}
	} else if host != r.host {
		return false
	}
	if prefix, ok := strings.CutSuffix(r.path, "*"); ok {
		return strings.HasPrefix(path, prefix)
	}
	return path == r.path
}

// moreSpecific compares two references that match the same URL.
func (r reference) moreSpecific(other reference) bool {
	rank := func(s string) int {
		if !strings.Contains(s, "*") {
			return 1 << 20
		}
		return len(s)
	}
	if a, b := rank(r.host), rank(other.host); a != b {
		return a > b
	}
	if a, b := rank(r.path), rank(other.path); a != b {
		return a > b
	}
	return r.scheme != "" && other.scheme == ""
}

func lookupReference(rs []reference, scheme, host, path string) (int, bool) {
	var best *reference
	for i := range rs {
		if rs[i].matches(scheme, host, path) && (best == nil || rs[i].moreSpecific(*best)) {
			best = &rs[i]
		}
	}
	if best == nil || best.negate {
		return 0, false
	}
	return best.target, true
}

// pick returns a short random text over an alphabet of a few pieces, so that
// patterns and URLs nest and collide often.
func pick(r *rand.Rand, most int, pieces ...string) string {
	var b strings.Builder
	for range r.IntN(most + 1) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

func randomHost(r *rand.Rand) string {
	host := pick(r, 2, "a.", "b.", "ab.") + pick(r, 1, "a", "b")
	return host + "c"
}

func randomPattern(r *rand.Rand) string {
	host := randomHost(r)
	switch r.IntN(6) {
	case 0:
		host = "*" + host
	case 1, 2:
		host = "*." + host
	case 3:
		if r.IntN(4) == 0 {
			host = "*"
		}
	}
	scheme := []string{"", "", "http://", "https://"}[r.IntN(4)]
	return scheme + host + "/" + pick(r, 4, "a", "b", "/") + pick(r, 1, "*")
}

// FuzzTable compares a table of random patterns with the reference on random URLs.
func FuzzTable(f *testing.F) {
	for seed := range uint64(64) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		var rs []reference
		var routes []router.Route[int]
		seen := map[string]bool{}
		for i := range r.IntN(60) {
			text, negate := randomPattern(r), r.IntN(5) == 0
			if seen[text] {
				continue
			}
			seen[text] = true
			rs = append(rs, newReference(text, i, negate))
			routes = append(routes, router.Route[int]{Pattern: mustPattern(t, text), Target: i, Negate: negate})
		}
		table, err := router.NewTable(routes)
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			scheme := []string{"http", "https"}[r.IntN(2)]
			host := pick(r, 1, "", "a", "x.") + randomHost(r)
			path := "/" + pick(r, 5, "a", "b", "/", "?")
			want, wantOK := lookupReference(rs, scheme, host, path)
			got, ok := table.Lookup([]byte(scheme), []byte(host), []byte(path))
			if got != want || ok != wantOK {
				t.Fatalf("%s://%s%s: got %d %v, want %d %v\nroutes %v", scheme, host, path, got, ok, want, wantOK, rs)
			}
		}
	})
}

// FuzzCovers checks that a URL matched by a covered pattern is matched by the
// pattern that covers it, and that some URL shows when it does not cover.
func FuzzCovers(f *testing.F) {
	for seed := range uint64(64) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 2))
		a, b := randomPattern(r), randomPattern(r)
		covers := mustPattern(t, a).Covers(mustPattern(t, b))
		ra, rb := newReference(a, 0, false), newReference(b, 0, false)
		// The stars replaced by nothing and by something that no pattern
		// has stand for all URLs that b matches.
		all := true
		for _, scheme := range []string{"http", "https"} {
			for _, x := range []string{"", "z"} {
				host, path := strings.Replace(rb.host, "*", x, 1), strings.Replace(rb.path, "*", x, 1)
				if rb.matches(scheme, host, path) && !ra.matches(scheme, host, path) {
					all = false
				}
			}
		}
		if covers != all {
			t.Errorf("%q covers %q: got %v, want %v", a, b, covers, all)
		}
	})
}

// FuzzParsePattern checks that what is accepted has a canonical form that
// parses to the same pattern, and that a table agrees with the reference on
// any URL.
func FuzzParsePattern(f *testing.F) {
	for _, s := range []string{"", "*", "example.com", "https://*.Example.com/a*", "a*b/", "a/?q", "[::1]:80/", "a:80", "é/", "http://"} {
		f.Add(s, "example.com", "/a?b")
	}
	f.Fuzz(func(t *testing.T, text, host, path string) {
		p, err := router.ParsePattern(text)
		if err != nil {
			if p != (router.Pattern{}) {
				t.Errorf("got pattern %v beside error %v", p, err)
			}
			return
		}
		if again, err := router.ParsePattern(p.String()); err != nil || again != p || again.String() != p.String() {
			t.Errorf("%q became %q, then %q, %v", text, p, again, err)
		}
		table, err := router.NewTable([]router.Route[int]{{Pattern: p, Target: 1}})
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(host, ":.") || len(host) > 253 || path == "" {
			return // what Lookup takes off the host is tested in TestLookupHost
		}
		_, got := table.Lookup([]byte("http"), []byte(host), []byte(path))
		want := newReference(p.String(), 1, false).matches("http", lowerASCII(host), path)
		if got != want {
			t.Errorf("%q on %q %q: got %v, want %v", text, host, path, got, want)
		}
	})
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return string(b)
}
