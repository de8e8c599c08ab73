package main

import (
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func TestLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := &mayflytest.Node{
			Env:        map[string]string{"CF_VERSION_METADATA": `{"id":"the-id","tag":"","timestamp":"2026-01-02T03:04:05Z"}`},
			RateLimits: map[string]mayflytest.RateLimit{"LIMITER": {Limit: 2, Period: time.Minute}},
		}
		for n, want := range []int{200, 200, 429, 200} {
			if n == 3 {
				time.Sleep(time.Minute)
			}
			w := httptest.NewRecorder()
			node.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			if w.Code != want || w.Header().Get("X-Version") != "the-id" {
				t.Errorf("request %d: got %d %v, want %d of version the-id", n+1, w.Code, w.Header(), want)
			}
		}
	})
}
