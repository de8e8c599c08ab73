package telemetry_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

var self = netip.MustParseAddr("192.0.2.7")

func TestParseFilters(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", `{}`},
		{`{}`, `{}`},
		{`{"filters":[]}`, `{}`},
		{`{"filters":[{"sampling_rate":0.5},{"outcome":["ok"]},{"method":["GET","PUT"]},{"header":{"key":"x-a","query":"b"}},{"client_ip":["self","::1"]},{"query":"text"},{"scriptVersion":"v1"}]}`,
			`{"sampling_rate":0.5,"outcome":["ok"],"method":["GET","PUT"],"header":{"key":"x-a","query":"b"},"client_ip":["self","::1"],"query":"text","scriptVersion":"v1"}`},
	}
	for _, tt := range tests {
		f, err := telemetry.ParseFilters([]byte(tt.text), self)
		got, _ := json.Marshal(f)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %s, %v; want %s", tt.text, got, err, tt.want)
		}
	}
}

func TestParseFiltersRefuses(t *testing.T) {
	tests := []struct{ text, want string }{
		{`[]`, "filters are not as"},
		{`{"filters":[{"methods":["GET"]}]}`, `unknown field "methods"`},
		{`{"filters":[{"sampling_rate":2}]}`, "sampling_rate is 2; a number between 0 and 1 is expected"},
		{`{"filters":[{"client_ip":["me"]}]}`, `client_ip "me" is neither an address nor "self"`},
		{`{"filters":[{"header":{"key":"a b"}}]}`, `header filter "a b" is no name of a header`},
		{`{"filters":[` + strings.Repeat("{},", 100) + `{}]}`, "101 filters were given"},
		{`{"filters":[{"method":[` + strings.Repeat(`"A",`, 100) + `"A"]}]}`, "a filter's list has more than 100 entries"},
	}
	for _, tt := range tests {
		if _, err := telemetry.ParseFilters([]byte(tt.text), self); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60s: got %v, want %q", tt.text, err, tt.want)
		}
	}
}

// What is accepted is accepted again as it is written, and means the same.
func FuzzParseFilters(f *testing.F) {
	for _, text := range []string{"", `{"filters":[{"outcome":["ok","unknown"]},{"sampling_rate":0.1}]}`, `{"filters":[{"client_ip":["self"]},{"header":{"key":"a","query":"b"}}]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		first, err := telemetry.ParseFilters(text, self)
		if err != nil {
			return
		}
		written, err := json.Marshal(map[string]any{"filters": []telemetry.Filter{first}})
		if err != nil {
			t.Fatal(err)
		}
		again, err := telemetry.ParseFilters(written, self)
		if err != nil || !reflect.DeepEqual(first, again) && len(first.Outcomes)+len(first.Methods)+len(first.ClientIP) > 0 {
			t.Errorf("%s: got %+v, then %+v, %v", written, first, again, err)
		}
	})
}

func TestRedactURL(t *testing.T) {
	tests := []struct{ url, want string }{
		{"http://shop.localhost/a/b?c=d", "http://shop.localhost/a/b?c=d"},
		{"http://h/0123456789abcdef0123456789ABCDEF/x", "http://h/REDACTED/x"},
		{"http://h/01234567-89ab-cdef-0123-456789abcdef", "http://h/REDACTED"},
		{"http://h/0123456789abcdef0123456789abcde", "http://h/0123456789abcdef0123456789abcde"},
		{"http://h/?t=aB3dE5gH1jK2mN4pQ6rS7", "http://h/?t=REDACTED"},
		{"http://h/?t=aB3dE5gH1jK2mN4pQ6rS", "http://h/?t=aB3dE5gH1jK2mN4pQ6rS"},
		{"http://h/a-very-long-name-of-an-article-2026", "http://h/a-very-long-name-of-an-article-2026"},
	}
	for _, tt := range tests {
		if got := telemetry.RedactURL(tt.url); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.url, got, tt.want)
		}
	}
}

// Redacting again changes nothing, and what is no id stays.
func FuzzRedactURL(f *testing.F) {
	for _, url := range []string{"http://h/0123456789abcdef0123456789ABCDEF/x", "http://h/?t=aB3dE5gH1jK2mN4pQ6rS7&u=\x00", ""} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		once := telemetry.RedactURL(url)
		if len(once) > len(url) || telemetry.RedactURL(once) != once {
			t.Errorf("%q becomes %q, and then %q", url, once, telemetry.RedactURL(once))
		}
	})
}
