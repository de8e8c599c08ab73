package deploy_test

import (
	"slices"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

func TestDiff(t *testing.T) {
	a := deploy.Version{ID: "a", Digest: "0123456789", Size: 10, Secrets: map[string]string{"KEY": "11111111ff", "GONE": "22222222"}, Settings: deploy.Settings{
		Vars:         map[string]deploy.Var{"MODE": {Text: "x"}, "SAME": {Text: "s"}},
		KVNamespaces: []deploy.KVNamespace{{Binding: "KV", ID: "one"}, {Binding: "SAME_KV", ID: "same"}},
		Limits:       deploy.Limits{CPUMillis: 10},
		Egress:       &deploy.Egress{Allow: []string{"api.example.com"}},
	}}
	b := deploy.Version{ID: "b", Digest: "9876543210", Size: 20, Secrets: map[string]string{"KEY": "33333333"}, Settings: deploy.Settings{
		Vars:         map[string]deploy.Var{"MODE": {JSON: []byte("1")}, "SAME": {Text: "s"}},
		KVNamespaces: []deploy.KVNamespace{{Binding: "KV", ID: "two"}, {Binding: "SAME_KV", ID: "same"}},
		Services:     []deploy.Service{{Binding: "AUTH", Service: "auth"}},
		RateLimits:   []deploy.RateLimit{{Name: "LIMITER", NamespaceID: "1", Simple: deploy.SimpleLimit{Limit: 5, Period: 10}}},
		Limits:       deploy.Limits{CPUMillis: 20},
		Egress:       &deploy.Egress{Allow: []string{"api.example.com", "*.Example.org"}},
	}}
	want := []deploy.Change{
		{"KV binding KV", "one", "two", true},
		{"egress to *.example.org", "", "allowed", true},
		{"limits.cpu_ms", "10", "20", false},
		{"module", "01234567, 10 bytes", "98765432, 20 bytes", false},
		{"rate limit LIMITER", "", "5 in 10 s, namespace 1", false},
		{"secret GONE", "value 22222222", "", false},
		{"secret KEY", "value 11111111", "value 33333333", false},
		{"service binding AUTH", "", "auth", true},
		{"variable MODE", `"x"`, "1", false},
	}
	if got := deploy.Diff(a, b); !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if got := deploy.Diff(b, b); len(got) != 0 {
		t.Errorf("a version differs from itself: %+v", got)
	}
	wants := []string{"newly asks for KV binding KV: two", "newly asks for egress to *.example.org: allowed", "newly asks for service binding AUTH: auth"}
	if got := deploy.Wants(a, b); !slices.Equal(got, wants) {
		t.Errorf("got %q, want %q", got, wants)
	}
	if got := deploy.Wants(deploy.Version{}, b); got != nil {
		t.Errorf("a first version newly asks for %q", got)
	}
	all := b
	all.Settings.Egress = nil
	if got, want := deploy.Wants(b, all), []string{"newly asks for egress: any host"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := deploy.Wants(all, b); len(got) != 0 {
		t.Errorf("got %q of a version that may reach less", got)
	}
}
