package cache_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/cache"
)

var start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func headers(pairs ...string) (h host.Headers) {
	for i := 0; i < len(pairs); i += 2 {
		h = h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func response(status int, body string, pairs ...string) host.CachedResponse {
	return host.CachedResponse{Status: status, Headers: headers(pairs...), Body: []byte(body)}
}

func TestLifetimes(t *testing.T) {
	for _, tt := range []struct {
		response host.CachedResponse
		want     time.Duration
	}{
		{response(200, ""), 2 * time.Hour},
		{response(404, ""), 3 * time.Minute},
		{response(500, ""), 0},
		{response(500, "", "cache-control", "max-age=5"), 5 * time.Second},
		{response(206, "", "cache-control", "max-age=5"), 0},
		{response(200, "", "cache-control", "public, Max-Age=10, s-maxage=20"), 20 * time.Second},
		{response(200, "", "cache-control", "max-age=0"), 0},
		{response(200, "", "cache-control", "max-age=x"), 0},
		{response(200, "", "cache-control", "no-store, max-age=10"), 0},
		{response(200, "", "cache-control", "private"), 0},
		{response(200, "", "cache-control", "no-cache"), 0},
		{response(200, "", "expires", "Wed, 02 Jan 2030 03:05:05 GMT"), time.Minute},
		{response(200, "", "expires", "Wed, 02 Jan 2030 03:05:05 GMT", "cache-control", "max-age=5"), 5 * time.Second},
		{response(200, "", "expires", "0"), 0},
		{response(200, "", "set-cookie", "a=b"), 0},
		{response(200, "", "set-cookie", "a=b", "cache-control", `max-age=7, private="Set-Cookie"`), 7 * time.Second},
	} {
		t.Run(fmt.Sprintf("%d %q", tt.response.Status, tt.response.Headers), func(t *testing.T) {
			now := start
			c := cache.New(cache.Config{Now: func() time.Time { return now }}).Of("a")
			if kept := c.Put("k", tt.response); kept != (tt.want > 0) {
				t.Fatalf("kept is %v", kept)
			}
			now = start.Add(tt.want - time.Second)
			got, ok := c.Match("k", nil)
			if tt.want > 0 && !ok {
				t.Error("it is gone too early")
			}
			if _, cookie := got.Headers.Get("set-cookie"); cookie {
				t.Error("it has a cookie")
			}
			now = start.Add(tt.want)
			if _, ok := c.Match("k", nil); ok {
				t.Error("it is there too long")
			}
		})
	}
}

func TestConditions(t *testing.T) {
	now := start
	c := cache.New(cache.Config{Now: func() time.Time { return now }}).Of("a")
	c.Put("k", response(200, "0123456789", "etag", `"x"`, "last-modified", "Tue, 01 Jan 2030 00:00:00 GMT", "content-length", "10"))
	now = start.Add(90 * time.Second)
	for _, tt := range []struct {
		name, value  string
		status       int
		body         string
		contentRange string
	}{
		{"accept", "*/*", 200, "0123456789", ""},
		{"if-none-match", `"y", W/"x"`, 304, "", ""},
		{"if-none-match", `*`, 304, "", ""},
		{"if-none-match", `"y"`, 200, "0123456789", ""},
		{"if-modified-since", "Tue, 01 Jan 2030 00:00:00 GMT", 304, "", ""},
		{"if-modified-since", "Mon, 31 Dec 2029 00:00:00 GMT", 200, "0123456789", ""},
		{"range", "bytes=2-4", 206, "234", "bytes 2-4/10"},
		{"range", "bytes=8-", 206, "89", "bytes 8-9/10"},
		{"range", "bytes=-3", 206, "789", "bytes 7-9/10"},
		{"range", "bytes=-30", 206, "0123456789", "bytes 0-9/10"},
		{"range", "bytes=5-100", 206, "56789", "bytes 5-9/10"},
		{"range", "bytes=10-", 416, "", "bytes */10"},
		{"range", "bytes=1-2,4-5", 200, "0123456789", ""},
		{"range", "bytes=4-2", 200, "0123456789", ""},
		{"range", "lines=1-2", 200, "0123456789", ""},
	} {
		t.Run(tt.name+" "+tt.value, func(t *testing.T) {
			got, ok := c.Match("k", headers(tt.name, tt.value))
			age, _ := got.Headers.Get("age")
			status, _ := got.Headers.Get("cf-cache-status")
			part, _ := got.Headers.Get("content-range")
			if !ok || got.Status != tt.status || string(got.Body) != tt.body || string(part) != tt.contentRange || string(age) != "90" || string(status) != "HIT" {
				t.Errorf("got %v, %d %q %q", ok, got.Status, got.Body, got.Headers)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	c := cache.New(cache.Config{Bytes: 40_000, Account: 20_000, Entry: 8_000})
	body := strings.Repeat("x", 3_000)
	if c.Of("a").Put("large", response(200, strings.Repeat(body, 3))) {
		t.Error("a response beyond the limit was kept")
	}
	for i := range 20 {
		for _, account := range []string{"a", "b", "c", "d"} {
			c.Of(account).Put(fmt.Sprint(i), response(200, body))
		}
		c.Of("d").Match("0", nil)
	}
	if got := c.Bytes(); got > 40_000 || got < 30_000 {
		t.Errorf("got %d bytes", got)
	}
	for _, account := range []string{"a", "b", "c", "d"} {
		if _, ok := c.Of(account).Match("19", nil); !ok {
			t.Errorf("account %s has nothing left", account)
		}
		for i := range 20 {
			c.Of(account).Delete(fmt.Sprint(i))
		}
	}
	if got := c.Bytes(); got != 0 {
		t.Errorf("got %d bytes, want none", got)
	}
}

func TestAccountsAreApart(t *testing.T) {
	c := cache.New(cache.Config{})
	c.Of("a").Put("k", response(200, "a"))
	if _, ok := c.Of("b").Match("k", nil); ok {
		t.Error("another account sees it")
	}
	if c.Of("b").Delete("k") || !c.Of("a").Delete("k") || c.Of("a").Delete("k") {
		t.Error("not what was there was deleted")
	}
}

func TestConcurrently(t *testing.T) {
	c := cache.New(cache.Config{Bytes: 50_000})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			p := c.Of(fmt.Sprint(g % 3))
			for i := range 500 {
				key := fmt.Sprint(i % 17)
				p.Put(key, response(200, strings.Repeat(key, i)))
				if r, ok := p.Match(key, nil); ok && strings.Trim(string(r.Body), key) != "" {
					t.Errorf("got %q under %s", r.Body, key)
				}
				if i%5 == 0 {
					p.Delete(key)
				}
			}
		})
	}
	wg.Wait()
	if got := c.Bytes(); got < 0 || got > 50_000 {
		t.Errorf("got %d bytes", got)
	}
}

// FuzzRules has responses kept and asked for with any headers.
func FuzzRules(f *testing.F) {
	f.Add("cache-control", `max-age=10, private="set-cookie`, "range", "bytes=1-2", 200)
	f.Add("expires", "0", "if-none-match", `"`, 404)
	f.Add("etag", `W/"x"`, "range", "bytes=-9223372036854775807", 200)
	f.Fuzz(func(t *testing.T, name, value, asked, as string, status int) {
		c := cache.New(cache.Config{}).Of("a")
		r := response(status, "body", name, value)
		if r.Headers.Check() != nil || headers(asked, as).Check() != nil {
			return
		}
		kept := c.Put("k", r)
		got, ok := c.Match("k", headers(asked, as))
		if ok != kept || ok && (got.Headers.Check() != nil || !strings.Contains("body", string(got.Body))) {
			t.Errorf("kept %v, got %v %+v", kept, ok, got)
		}
	})
}
