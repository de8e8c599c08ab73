package control_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv/memkv"
)

// step is one request of a conformance case.
type step struct {
	call
	after time.Duration // how far the clock moves before it
	// What comes back. want is the result of an answer that succeeded, as JSON, or
	// its whole body if that is no envelope, or else the message; empty: anything.
	status, code int
	want         string
	headers      map[string]string
}

// value is the path of a key below a namespace.
func value(key string) string { return "/values/" + url.PathEscape(key) }

// put writes a value.
func put(key, body, query string) step {
	return step{call: call{method: "PUT", path: value(key) + query, body: body}, status: 200, want: "null"}
}

func get(key, want string) step {
	return step{call: call{method: "GET", path: value(key)}, status: 200, want: want}
}

// gone is what reading a key gives that is not there.
func gone(path string) step {
	return step{call: call{method: "GET", path: path}, status: 404, code: 10009, want: "get: 'key not found'"}
}

func refusal(method, path, body string, status int, msg string) step {
	return step{call: call{method: method, path: path, body: body}, status: status, code: 10000 + status, want: msg}
}

// withForm writes a value with metadata.
func withForm(t *testing.T, key, metadata string) step {
	body, kind := form(t, part{"value", "", "v"}, part{"metadata", "", metadata})
	return step{call: call{method: "PUT", path: value(key), kind: kind, body: body}, status: 200, want: "null"}
}

func list(query, want string) step {
	return step{call: call{method: "GET", path: "/keys" + query}, status: 200, want: want}
}

func bulk(method, path, body string, status int, want string) step {
	s := step{call: call{method: method, path: "/bulk" + path, body: body}, status: status, want: want}
	if status != 200 {
		s.code = 10000 + status
	}
	return s
}

// written is the answer to a bulk write.
func written(n int) string {
	return fmt.Sprintf(`{"successful_key_count":%d,"unsuccessful_keys":[]}`, n)
}

// repeated is a JSON list of n texts that one makes of a number.
func repeated(n int, one func(i int) string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = one(i)
	}
	return "[" + strings.Join(all, ",") + "]"
}

func pair(i int) string { return fmt.Sprintf(`{"key":"k%05d","value":"v"}`, i) }

func quoted(i int) string { return fmt.Sprintf(`"k%05d"`, i) }

// kvCases are Cloudflare's rules: https://developers.cloudflare.com/kv/platform/limits/,
// https://developers.cloudflare.com/api/resources/kv/ and, for texts, its own
// validator for local development.
func kvCases(t *testing.T) map[string][]step {
	long, wide := strings.Repeat("k", 512), strings.Repeat("é", 256)
	large := strings.Repeat("x", 25<<20)
	const tooLong = "UTF-8 encoded length of %d exceeds key length limit of 512."
	now := epoch.Unix()
	return map[string][]step{
		"a key of 512 bytes": {put(long, "v", ""), get(long, "v"), put(wide, "w", ""), get(wide, "w"),
			refusal("PUT", value(long+"k"), "v", 414, fmt.Sprintf(tooLong, 513)),
			refusal("PUT", value(wide+"é"), "v", 414, fmt.Sprintf(tooLong, 514)), // bytes, not characters
			refusal("GET", value(long+"k"), "", 414, fmt.Sprintf(tooLong, 513)),
			refusal("DELETE", value(long+"k"), "", 414, fmt.Sprintf(tooLong, 513)),
			refusal("GET", "/metadata/"+long+"k", "", 414, fmt.Sprintf(tooLong, 513)),
			refusal("GET", "/keys?prefix="+long+"k", "", 414, fmt.Sprintf(tooLong, 513))},
		"keys that look like paths": {put("a/b", "1", ""), put("a", "2", ""), get("a/b", "1"), get("a", "2"), put("./x", "3", ""), get("./x", "3"),
			put("a b+c?d#e&f=g%h", "4", ""), get("a b+c?d#e&f=g%h", "4"), put("...", "5", ""), get("...", "5"), put("\U0001F980", "6", ""), get("\U0001F980", "6"),
			list("?prefix=a%20b", `[{"name":"a b+c?d#e&f=g%h"}]`)},
		"illegal names, whatever is done with them": {
			refusal("GET", "/values/%2E", "", 400, `Illegal key name ".". Please use a different name.`),
			refusal("DELETE", "/values/%2E%2E", "", 400, `Illegal key name "..". Please use a different name.`),
			refusal("GET", "/metadata/%2E", "", 400, `Illegal key name ".". Please use a different name.`),
			refusal("GET", "/values/", "", 400, "Key names must not be empty"),
			refusal("DELETE", "/values/", "", 400, "Key names must not be empty")},
		"a value of 25 MiB": {put("k", large, ""), get("k", large), refusal("PUT", value("k"), large+"x", 413, "Value length of 26214401 exceeds limit of 26214400."), get("k", large)},
		"an empty value":    {put("k", "", ""), get("k", ""), list("", `[{"name":"k"}]`)},
		"any bytes":         {put("k", "\x00\xff\r\n", ""), {call: call{method: "GET", path: value("k")}, status: 200, want: "\x00\xff\r\n", headers: map[string]string{"Content-Type": "application/octet-stream"}}},
		"the last write wins, with all that belongs to it": {withForm(t, "k", `{"a":1}`), put("k", "w", "?expiration_ttl=60"),
			{call: call{method: "GET", path: value("k")}, status: 200, want: "w", headers: map[string]string{"Expiration": fmt.Sprint(now + 60), "CF-KV-Metadata": ""}},
			{call: call{method: "GET", path: "/metadata/k"}, status: 200, want: "null"}, put("k", "x", ""), list("", `[{"name":"k"}]`)},
		"deletion": {put("k", "v", ""), {call: call{method: "DELETE", path: value("k")}, status: 200, want: "null"}, gone(value("k")), gone("/metadata/k"),
			{call: call{method: "DELETE", path: value("k")}, status: 200, want: "null"}, list("", "[]")},

		"expiration_ttl": {put("k", "v", "?expiration_ttl=60"), list("", fmt.Sprintf(`[{"expiration":%d,"name":"k"}]`, now+60)),
			{call: call{method: "GET", path: value("k")}, after: 59 * time.Second, status: 200, want: "v"},
			{call: call{method: "GET", path: value("k")}, after: time.Second, status: 404, code: 10009, want: "get: 'key not found'"}, list("", "[]"), gone("/metadata/k")},
		"expiration": {put("k", "v", fmt.Sprintf("?expiration=%d", now+60)),
			{call: call{method: "GET", path: value("k")}, after: time.Minute, status: 404, code: 10009, want: "get: 'key not found'"}},
		"expiration_ttl goes over expiration": {put("k", "v", fmt.Sprintf("?expiration=%d&expiration_ttl=120", now+600)), list("", fmt.Sprintf(`[{"expiration":%d,"name":"k"}]`, now+120))},
		"times that are refused": {
			refusal("PUT", value("k")+"?expiration_ttl=0", "v", 400, "Invalid expiration_ttl of 0. Please specify integer greater than 0."),
			refusal("PUT", value("k")+"?expiration_ttl=-60", "v", 400, "Invalid expiration_ttl of -60. Please specify integer greater than 0."),
			refusal("PUT", value("k")+"?expiration_ttl=60.5", "v", 400, "Invalid expiration_ttl of 60.5. Please specify integer greater than 0."),
			refusal("PUT", value("k")+"?expiration_ttl=59", "v", 400, "Invalid expiration_ttl of 59. Expiration TTL must be at least 60."),
			refusal("PUT", value("k")+fmt.Sprintf("?expiration=%d", now), "v", 400, fmt.Sprintf("Invalid expiration of %d. Please specify integer greater than the current number of seconds since the UNIX epoch.", now)),
			refusal("PUT", value("k")+fmt.Sprintf("?expiration=%d", now+59), "v", 400, fmt.Sprintf("Invalid expiration of %d. Expiration times must be at least 60 seconds in the future.", now+59)),
			refusal("PUT", value("k")+"?expiration=tomorrow", "v", 400, "Invalid expiration of tomorrow. Please specify integer greater than the current number of seconds since the UNIX epoch."),
			refusal("PUT", value("k")+"?expiration_ttl=99999999999999999999", "v", 400, "Invalid expiration_ttl of 99999999999999999999. Please specify a time before the year 10000."),
			list("", "[]")},

		"metadata of 1024 bytes": {withForm(t, "k", `"`+strings.Repeat("m", 1022)+`"`), get("k", "v"), list("", `[{"metadata":"`+strings.Repeat("m", 1022)+`","name":"k"}]`)},
		"metadata of any JSON":   {withForm(t, "a", `[1,{"b":null}]`), withForm(t, "b", "true"), withForm(t, "c", "0"), list("", `[{"metadata":[1,{"b":null}],"name":"a"},{"metadata":true,"name":"b"},{"metadata":0,"name":"c"}]`)},
		"a form without metadata": {
			func() step {
				body, kind := form(t, part{"value", "", "v"})
				return step{call: call{method: "PUT", path: value("k"), kind: kind, body: body}, status: 200, want: "null"}
			}(), list("", `[{"name":"k"}]`)},

		"listings are in the order of bytes": {put("b", "", ""), put("a", "", ""), put("B", "", ""), put("a/", "", ""), put("é", "", ""), put("z", "", ""), put("10", "", ""), put("9", "", ""),
			list("", `[{"name":"10"},{"name":"9"},{"name":"B"},{"name":"a"},{"name":"a/"},{"name":"b"},{"name":"z"},{"name":"é"}]`),
			list("?prefix=a", `[{"name":"a"},{"name":"a/"}]`), list("?prefix=a%2F", `[{"name":"a/"}]`), list("?prefix=%C3%A9", `[{"name":"é"}]`), list("?prefix=x", "[]"), list("?limit=1", `[{"name":"10"}]`)},
		"limits of listings": {list("?limit=1000", "[]"),
			refusal("GET", "/keys?limit=1001", "", 400, "Invalid key_count_limit of 1001. Please specify an integer less than 1000."),
			refusal("GET", "/keys?limit=0", "", 400, "Invalid key_count_limit of 0. Please specify an integer greater than 0."),
			refusal("GET", "/keys?limit=-1", "", 400, "Invalid key_count_limit of -1. Please specify an integer greater than 0.")},

		"10,000 pairs at once": {bulk("PUT", "", repeated(10_000, pair), 200, written(10_000)), get("k09999", "v"),
			bulk("PUT", "", repeated(10_001, pair), 400, "there are more than 10000 pairs, which is the limit"),
			bulk("POST", "/delete", repeated(10_001, quoted), 400, "there are 10001 keys; at most 10000 are allowed"),
			bulk("POST", "/delete", repeated(10_000, quoted), 200, written(10_000)), list("", "[]")},
		"no pairs at all": {bulk("PUT", "", "[]", 200, written(0)), bulk("POST", "/delete", "[]", 200, written(0)), bulk("POST", "/get", `{"keys":[]}`, 400, "there are 0 keys; 1 to 100 are expected")},
		"pairs with all that they may have": {
			bulk("PUT", "", `[{"key":"a","value":"`+base64.StdEncoding.EncodeToString([]byte("\x00\xff"))+`","base64":true,"expiration_ttl":60,"metadata":{"a":1}},{"key":"b","value":"","expiration":`+fmt.Sprint(now+90)+`}]`, 200, written(2)),
			get("a", "\x00\xff"), list("", fmt.Sprintf(`[{"expiration":%d,"metadata":{"a":1},"name":"a"},{"expiration":%d,"name":"b"}]`, now+60, now+90))},
		"one pair that is refused refuses all": {
			bulk("PUT", "", `[{"key":"a","value":"v"},{"key":"..","value":"v"}]`, 400, `Illegal key name "..". Please use a different name. (entry 2)`),
			bulk("PUT", "", `[{"key":"a","value":"v"},{"key":"`+long+`k","value":"v"}]`, 414, fmt.Sprintf(tooLong, 513)+" (entry 2)"),
			bulk("PUT", "", `[{"key":"a","value":"v"},{"key":"b","value":"`+large+`x"}]`, 413, "Value length of 26214401 exceeds limit of 26214400. (entry 2)"),
			bulk("PUT", "", `[{"key":"a","value":"v"},{"key":"b","value":"v","expiration_ttl":59}]`, 400, "Invalid expiration_ttl of 59. Expiration TTL must be at least 60. (entry 2)"),
			bulk("PUT", "", `[{"key":"a","value":"v"},{"key":"b","value":1}]`, 400, ""),
			bulk("PUT", "", `[{"key":"a","value":"v"},{"value":"v"}]`, 400, "Key names must not be empty (entry 2)"), list("", "[]")},
		"a pair without a value": {bulk("PUT", "", `[{"key":"a"}]`, 400, "the pair has no value (entry 1)"), list("", "[]")},
		"100 keys at once": {put("k00000", "v", ""),
			bulk("POST", "/get", `{"keys":`+repeated(101, quoted)+`}`, 400, "there are 101 keys; 1 to 100 are expected"),
			bulk("POST", "/get", `{"keys":["k00000","x"]}`, 200, `{"values":{"k00000":"v","x":null}}`),
			bulk("POST", "/get", `{"keys":["k00000","x"],"withMetadata":true}`, 200, `{"values":{"k00000":{"metadata":null,"value":"v"},"x":null}}`),
			bulk("POST", "/get", `{"keys":["."]}`, 400, `Illegal key name ".". Please use a different name. (entry 1)`)},
		"bulk reads are at most 25 MiB": {put("a", large, ""), put("b", "x", ""), bulk("POST", "/get", `{"keys":["a","b"]}`, 413, "Value length of 26214401 exceeds limit of 26214400.")},
	}
}

func TestKVConformance(t *testing.T) {
	for name, steps := range kvCases(t) {
		t.Run(name, func(t *testing.T) {
			at := newClock()
			store := memkv.New(memkv.Config{Now: at.Now})
			t.Cleanup(func() { store.Close() })
			f := newFixture(t, options{store: store, now: at.Now})
			namespace := f.namespace(t, "local")
			for i, s := range steps {
				at.set(at.Now().Add(s.after))
				s.path = namespace + s.path
				if got := f.outcome(t, s); got != "" {
					t.Errorf("step %d, %s %.200s: %.500s", i+1, s.method, s.path, got)
				}
			}
		})
	}
}

// outcome says what is wrong with the answer to a step.
func (f *fixture) outcome(t *testing.T, s step) string {
	t.Helper()
	a := f.do(t, s.call)
	for name, want := range s.headers {
		if got := a.header.Get(name); got != want {
			return fmt.Sprintf("got %s %q, want %q", name, got, want)
		}
	}
	got, code := a.body, 0
	switch {
	case len(a.envelope.Errors) > 0:
		got, code = a.envelope.Errors[0].Message, a.envelope.Errors[0].Code
	case strings.HasPrefix(a.header.Get("Content-Type"), "application/json"):
		got = canonical(t, a.envelope.Result)
	}
	if a.status != s.status || code != s.code || s.want != "" && got != s.want {
		return fmt.Sprintf("got %d, code %d, %q, want %d, code %d, %q", a.status, code, got, s.status, s.code, s.want)
	}
	return ""
}

// canonical is JSON with its keys in order.
func canonical(t *testing.T, data []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), `\u0026`, "&")
}

// TestKVPages reads a listing in pages while it changes: each key that was there
// all the time comes once.
func TestKVPages(t *testing.T) {
	f := newFixture(t, options{})
	namespace := f.namespace(t, "local")
	f.ok(t, call{method: "PUT", path: namespace + "/bulk", body: repeated(2500, pair)}, nil)
	var names []string
	for cursor := ""; ; {
		var page []struct{ Name string }
		a := f.ok(t, call{method: "GET", path: namespace + "/keys?cursor=" + url.QueryEscape(cursor)}, &page)
		for _, k := range page {
			names = append(names, k.Name)
		}
		if a.envelope.Info.Count != len(page) {
			t.Errorf("got count %d for %d keys", a.envelope.Info.Count, len(page))
		}
		if cursor = a.envelope.Info.Cursor; cursor == "" {
			break
		}
		last := names[len(names)-1]
		f.ok(t, call{method: "DELETE", path: namespace + "/values/" + last}, nil)
		f.ok(t, call{method: "PUT", path: namespace + "/values/" + last + "-after", body: "new"}, nil)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, "-after") })
	if len(names) != 2500 || !slices.IsSorted(names) || len(slices.Compact(names)) != 2500 {
		t.Errorf("got %d keys, want 2500, each once and in order", len(names))
	}
}

// TestKVNamespaceRoutes asks for a namespace that is not there in all ways, and
// for namespaces in all orders.
func TestKVNamespaceRoutes(t *testing.T) {
	f := newFixture(t, options{})
	const id = "0123456789abcdef0123456789abcdef"
	for _, c := range []call{
		{method: "GET"}, {method: "PUT", body: `{"title":"x"}`}, {method: "DELETE"}, {method: "GET", path: "/keys"}, {method: "GET", path: "/values/k"},
		{method: "PUT", path: "/values/k", body: "v"}, {method: "DELETE", path: "/values/k"}, {method: "GET", path: "/metadata/k"},
		{method: "PUT", path: "/bulk", body: "[]"}, {method: "DELETE", path: "/bulk", body: "[]"}, {method: "POST", path: "/bulk/delete", body: "[]"}, {method: "POST", path: "/bulk/get", body: `{"keys":["k"]}`},
	} {
		c.path = spaces + "/" + id + c.path
		f.refused(t, c, 404, 10013, `KV namespace "`+id+`" does not exist in account local`)
	}
	for _, title := range []string{"b", "c", "a"} {
		f.ok(t, call{method: "POST", path: spaces, body: `{"title":"` + title + `"}`}, nil)
	}
	for query, want := range map[string]string{"": "abc", "?direction=desc": "cba", "?order=title&direction=asc": "abc", "?order=title&direction=desc&per_page=2": "cb"} {
		var page []struct{ Title string }
		f.ok(t, call{method: "GET", path: spaces + query}, &page)
		got := ""
		for _, ns := range page {
			got += ns.Title
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
	var page []struct{ ID string }
	f.ok(t, call{method: "GET", path: spaces + "?order=id&direction=desc"}, &page)
	if !slices.IsSortedFunc(page, func(a, b struct{ ID string }) int { return strings.Compare(b.ID, a.ID) }) {
		t.Errorf("got %v, want the order of ids, the last first", page)
	}
	f.refused(t, call{method: "GET", path: spaces + "?order=size"}, 400, 10400, `order is "size"; id or title is expected`)
	f.refused(t, call{method: "GET", path: spaces + "?direction=up"}, 400, 10400, `direction is "up"; asc or desc is expected`)
}
