package router_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/router"
)

func mustPattern(t testing.TB, text string) router.Pattern {
	t.Helper()
	p, err := router.ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParsePattern(t *testing.T) {
	tests := []struct{ text, want string }{
		{"example.com", "example.com/"},
		{"example.com/", "example.com/"},
		{"example.com/*", "example.com/*"},
		{"EXAMPLE.com/Path", "example.com/Path"},
		{"HTTPS://example.com/a*", "https://example.com/a*"},
		{"http://example.com", "http://example.com/"},
		{"*example.com/*", "*example.com/*"},
		{"*.example.com/*", "*.example.com/*"},
		{"*-preview.example.com/*", "*-preview.example.com/*"},
		{"*/*", "*/*"},
		{"*", "*/"},
		{"localhost/a/b", "localhost/a/b"},
		{"127.0.0.1/*", "127.0.0.1/*"},
		{"my_host.example.com/*", "my_host.example.com/*"},
		{"*xn--bcher-kva.example/*", "*xn--bcher-kva.example/*"},
		{"example.com/a://b", "example.com/a://b"},
		{"example.com/%C3%A9", "example.com/%C3%A9"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			if got := mustPattern(t, tt.text).String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestParsePatternErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", `it is empty; write a host and a path such as "example.com/*"`},
		{"/path", `the host is missing; write one such as "example.com"`},
		{"https:///a", `the host is missing; write one such as "example.com"`},
		{"ftp://example.com/", `scheme "ftp" is neither "http" nor "https"; leave "ftp://" out to match both`},
		{"*://example.com/*", `scheme "*" is neither "http" nor "https"; leave "*://" out to match both`},
		{"example.com/?foo=bar", `a query string cannot be matched; write "example.com/*", which matches every query`},
		{"example.com?foo=bar", `a query string cannot be matched; write "example.com/*", which matches every query`},
		{"https://example.com/a*?x", `a query string cannot be matched; write "https://example.com/a*", which matches every query`},
		{"example.com/a#b", `a fragment never reaches a server; write "example.com/a"`},
		{"example.com/*.jpg", `"*" in the path may only stand at its end; write "example.com/*"`},
		{"example.com/a/*/b", `"*" in the path may only stand at its end; write "example.com/a/*"`},
		{"example.com/**", `"*" in the path may only stand at its end; write "example.com/*"`},
		{"www.*.example.com/", `"*" in the host may only stand at its beginning; write "*.example.com/"`},
		{"http://a.*.example.com/x", `"*" in the host may only stand at its beginning; write "http://*.example.com/x"`},
		{"**example.com/", `"*" in the host may only stand at its beginning; write "*example.com/"`},
		{"example.com*", `"*" in the host may only stand at its beginning; write "example.com/*"`},
		{"example.*", `"*" in the host may only stand at its beginning; write "example/*"`},
		{"**", `"*" in the host may only stand at its beginning; write "*/*"`},
		{"*.", `a domain is missing after "*."; write "*" to match every host`},
		{"*./a", `a domain is missing after "*."; write "*/a" to match every host`},
		{"example.com:8080/*", `host "example.com:8080" has a port; write "example.com", which matches every port`},
		{"[::1]/*", `host "[::1]" is an IPv6 address; write a name`},
		{"::1/*", `host "::1" is an IPv6 address; write a name`},
		{"example.com./*", `host "example.com." ends with a dot; write "example.com"`},
		{"example..com/*", `host "example..com" has nothing between two dots or before the first`},
		{".example.com/*", `host ".example.com" has nothing between two dots or before the first`},
		{"bücher.example/*", `host "bücher.example" has 'ü'; write its ASCII form, which begins with "xn--"`},
		{"user@example.com/*", `host "user@example.com" has '@', which cannot stand in a host`},
		{"exa mple.com/*", `host "exa mple.com" has ' ', which cannot stand in a host`},
		{"example.com/a b", `the path has the byte 0x20; write it as "%20"`},
		{"example.com/é", `the path has the byte 0xc3; write it as "%C3"`},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			_, err := router.ParsePattern(tt.text)
			if err == nil {
				t.Fatal("got no error")
			}
			_, got, _ := strings.Cut(err.Error(), `": `)
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestParsePatternLengths(t *testing.T) {
	label := strings.Repeat("a", 63)
	host := strings.Repeat(label+".", 3) + strings.Repeat("a", 61) // 253 bytes
	tests := []struct {
		name, text, want string
	}{
		{"longest label", label + "/*", ""},
		{"label too long", label + "a/*", "has a label of 64 bytes, and at most 63 are allowed"},
		{"longest host", host + "/*", ""},
		{"host too long", host + "a/*", "the host has 254 bytes, and at most 253 are allowed"},
		{"longest", "a.example/" + strings.Repeat("a", 1014), ""},
		{"too long", "a.example/" + strings.Repeat("a", 1015), "it has 1025 bytes, and at most 1024 are allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := router.ParsePattern(tt.text)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want no error", err)
			case tt.want != "" && (err == nil || !strings.HasSuffix(err.Error(), tt.want)):
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestPatternJSON(t *testing.T) {
	want := mustPattern(t, "https://*.Example.com/a*")
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(data); got != `"https://*.example.com/a*"` {
		t.Errorf("got %s", got)
	}
	var got router.Pattern
	if err := json.Unmarshal(data, &got); err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if err := json.Unmarshal([]byte(`"a*b"`), &got); err == nil {
		t.Error("got no error for an infix wildcard")
	}
}

func TestPatternCovers(t *testing.T) {
	tests := []struct {
		p, q string
		want bool
	}{
		{"example.com/*", "example.com/a", true},
		{"example.com/*", "example.com/*", true},
		{"example.com/a", "example.com/a", true},
		{"example.com/a", "example.com/a*", false},
		{"example.com/a*", "example.com/", false},
		{"example.com/*", "*example.com/*", false},
		{"*.example.com/*", "a.example.com/x*", true},
		{"*.example.com/*", "*.a.example.com/*", true},
		{"*.example.com/*", "*-a.example.com/*", true},
		{"*.example.com/*", "*example.com/*", false},
		{"*.example.com/*", "example.com/*", false},
		{"*example.com/*", "example.com/*", true},
		{"*/*", "*example.com/", true},
		{"https://example.com/*", "example.com/*", false},
		{"example.com/*", "https://example.com/*", true},
		{"http://example.com/*", "https://example.com/*", false},
	}
	for _, tt := range tests {
		t.Run(tt.p+" "+tt.q, func(t *testing.T) {
			if got := mustPattern(t, tt.p).Covers(mustPattern(t, tt.q)); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
