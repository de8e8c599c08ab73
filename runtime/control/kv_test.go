package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
)

const spaces = "/accounts/local/storage/kv/namespaces"

func TestNamespaces(t *testing.T) {
	f := newFixture(t, options{})
	type namespace struct{ ID, Title string }
	var made [3]namespace
	for i, title := range []string{"b", "a", "c"} {
		f.ok(t, call{method: "POST", path: spaces, body: `{"title":"` + title + `"}`}, &made[i])
		if made[i].Title != title || len(made[i].ID) != 32 {
			t.Errorf("got %+v", made[i])
		}
	}
	f.refused(t, call{method: "POST", path: spaces, body: `{"title":"a"}`}, 409, 10014, "a namespace with this account ID and title already exists")
	f.refused(t, call{method: "POST", path: spaces, body: `{"title":""}`}, 400, 10400, "the title of a KV namespace is 1 to 512 bytes of text without control characters")
	f.refused(t, call{method: "POST", path: spaces, body: `{`}, 400, 10400, "the body is not the JSON expected here: unexpected EOF")

	var page []namespace
	a := f.ok(t, call{method: "GET", path: spaces + "?per_page=2&page=2"}, &page)
	if len(page) != 1 || page[0] != made[2] || a.envelope.Info.TotalCount != 3 || a.envelope.Info.Page != 2 || a.envelope.Info.PerPage != 2 {
		t.Errorf("got %+v %+v", page, a.envelope.Info)
	}
	f.refused(t, call{method: "GET", path: spaces + "?page=0"}, 400, 10400, `page is "0"; a number from 1 to 1073741824 is expected`)

	one := spaces + "/" + made[0].ID
	f.refused(t, call{method: "PUT", path: one, body: `{"title":"a"}`}, 409, 10014, "a namespace with this account ID and title already exists")
	f.ok(t, call{method: "PUT", path: one, body: `{"title":"z"}`}, nil)
	var got namespace
	if f.ok(t, call{method: "GET", path: one}, &got); got.Title != "z" {
		t.Errorf("got %+v", got)
	}

	f.ok(t, upload(t, "local", "x", `{"main_module":"main.wasm","bindings":[{"type":"kv_namespace","name":"KV","namespace_id":"`+made[0].ID+`"}]}`, guest(1)), nil)
	f.refused(t, call{method: "DELETE", path: one}, 409, 10014, `KV namespace "z" is bound to Function x as KV; deploy it without, or delete it, first`)
	f.ok(t, call{method: "DELETE", path: scripts + "/x"}, nil)
	f.ok(t, call{method: "DELETE", path: one}, nil)
	f.refused(t, call{method: "GET", path: one}, 404, 10013, `KV namespace "`+made[0].ID+`" does not exist in account local`)
}

func TestValues(t *testing.T) {
	f := newFixture(t, options{})
	values := f.namespace(t, "local") + "/values/"
	for _, key := range []string{"plain", "a%2Fb", "a/b/c", "%2E%2Ex", "sp%20ace", "%C3%A9", "a%2F%2Fb", "100%25"} {
		f.ok(t, call{method: "PUT", path: values + key, body: "value of " + key}, nil)
		a := f.do(t, call{method: "GET", path: values + key})
		if a.body != "value of "+key || a.header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("%s: got %d %q", key, a.status, a.body)
		}
	}
	f.refused(t, call{method: "GET", path: values + "missing"}, 404, 10009, "get: 'key not found'")
	f.ok(t, call{method: "DELETE", path: values + "plain"}, nil)
	f.refused(t, call{method: "GET", path: values + "plain"}, 404, 10009, "get: 'key not found'")
	f.ok(t, call{method: "DELETE", path: values + "plain"}, nil) // as on Cloudflare
	f.ok(t, call{method: "PUT", path: values + "empty"}, nil)
	if a := f.do(t, call{method: "GET", path: values + "empty"}); a.status != 200 || a.body != "" {
		t.Errorf("got %d %q, want an empty value", a.status, a.body)
	}
}

func TestValueMetadataAndExpiry(t *testing.T) {
	f := newFixture(t, options{})
	namespace := f.namespace(t, "local")
	body, kind := form(t, part{"metadata", "", `{"a": "é"}`}, part{"value", "", "v"})
	f.ok(t, call{method: "PUT", path: namespace + "/values/k?expiration_ttl=60", kind: kind, body: body}, nil)
	a := f.do(t, call{method: "GET", path: namespace + "/values/k"})
	if a.body != "v" || a.header.Get("Expiration") != "1800000060" || a.header.Get("CF-KV-Metadata") != `{"a": "\u00e9"}` {
		t.Errorf("got %q %v", a.body, a.header)
	}
	if got := f.ok(t, call{method: "GET", path: namespace + "/metadata/k"}, nil).envelope.Result; string(got) != `{"a":"é"}` {
		t.Errorf("got metadata %s", got)
	}
	f.ok(t, call{method: "PUT", path: namespace + "/values/bare", body: "v"}, nil)
	if got := f.ok(t, call{method: "GET", path: namespace + "/metadata/bare"}, nil).envelope.Result; string(got) != "null" {
		t.Errorf("got metadata %s, want null", got)
	}
	f.refused(t, call{method: "GET", path: namespace + "/metadata/missing"}, 404, 10009, "get: 'key not found'")
}

func TestRefusedValues(t *testing.T) {
	f := newFixture(t, options{})
	values := f.namespace(t, "local") + "/values/"
	put := func(path string) call { return call{method: "PUT", path: values + path, body: "v"} }
	metadata := func(text string) call {
		body, kind := form(t, part{"value", "", "v"}, part{"metadata", "", text})
		return call{method: "PUT", path: values + "k", kind: kind, body: body}
	}
	parts := func(p ...part) call {
		body, kind := form(t, p...)
		return call{method: "PUT", path: values + "k", kind: kind, body: body}
	}
	large := strings.Repeat("x", 25<<20+1)
	tests := []struct {
		name         string
		call         call
		status, code int
		msg          string
	}{
		{"no key", put(""), 400, 10400, "Key names must not be empty"},
		{"dot", put("%2E"), 400, 10400, `Illegal key name ".". Please use a different name.`},
		{"dots", put("%2e%2e"), 400, 10400, `Illegal key name "..". Please use a different name.`},
		{"long key", put(strings.Repeat("k", 513)), 414, 10414, "UTF-8 encoded length of 513 exceeds key length limit of 512."},
		{"no UTF-8", put("%ff"), 400, 10400, "Key names must be valid UTF-8"},
		{"short ttl", put("k?expiration_ttl=59"), 400, 10400, "Invalid expiration_ttl of 59. Expiration TTL must be at least 60."},
		{"no ttl", put("k?expiration_ttl=x"), 400, 10400, "Invalid expiration_ttl of x. Please specify integer greater than 0."},
		{"past", put("k?expiration=1"), 400, 10400, "Invalid expiration of 1. Please specify integer greater than the current number of seconds since the UNIX epoch."},
		{"soon", put("k?expiration=1800000059"), 400, 10400, "Invalid expiration of 1800000059. Expiration times must be at least 60 seconds in the future."},
		{"large", call{method: "PUT", path: values + "k", body: large}, 413, 10413, "Value length of 26214401 exceeds limit of 26214400."},
		{"large in a form", parts(part{"value", "", large}), 413, 10413, "Value length of 26214401 exceeds limit of 26214400."},
		{"long metadata", metadata(`"` + strings.Repeat("m", 1023) + `"`), 413, 10413, "Metadata length of 1025 exceeds limit of 1024."},
		{"no JSON", metadata("{"), 400, 10400, "Metadata must be valid JSON."},
		{"no value", parts(part{"metadata", "", "1"}), 400, 10400, "the form has no part named value"},
		{"other part", parts(part{"other", "", "1"}), 400, 10400, `the form has a part named "other"; value and metadata are expected`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { f.refused(t, tt.call, tt.status, tt.code, tt.msg) })
	}
}

func TestConsistency(t *testing.T) {
	f := newFixture(t, options{})
	space := f.namespace(t, "local")
	f.ok(t, call{method: "PUT", path: space + "/values/k", body: "v"}, nil)
	for _, query := range []string{"?consistency=strong", "?consistency=eventual", ""} {
		if a := f.do(t, call{method: "GET", path: space + "/values/k" + query}); a.body != "v" {
			t.Errorf("value by %q: got %d %q", query, a.status, a.body)
		}
		f.ok(t, call{method: "GET", path: space + "/metadata/k" + query}, nil)
		f.ok(t, call{method: "GET", path: space + "/keys" + query}, nil)
	}
	for _, path := range []string{"/values/k", "/metadata/k", "/keys"} {
		f.refused(t, call{method: "GET", path: space + path + "?consistency=maybe"}, 400, 10400, `consistency is "maybe": use eventual or strong`)
	}
}

func TestCompareAndSwap(t *testing.T) {
	f := newFixture(t, options{})
	key := f.namespace(t, "local") + "/values/k"
	const unmet = "the value has another revision, or does not exist as the condition says"
	put := func(body string, headers ...string) call {
		return call{method: "PUT", path: key, body: body, headers: headers}
	}
	first := f.ok(t, put("1", "If-None-Match", "*"), nil).header.Get("Mayfly-Revision")
	f.refused(t, put("2", "If-None-Match", "*"), 412, 10412, unmet)
	if got := f.do(t, call{method: "GET", path: key}).header.Get("Mayfly-Revision"); got != first || got == "" {
		t.Errorf("got revision %q from reading, %q from writing", got, first)
	}
	second := f.ok(t, put("2", "If-Match", first), nil).header.Get("Mayfly-Revision")
	f.refused(t, put("3", "If-Match", `"`+first+`"`), 412, 10412, unmet)
	f.refused(t, call{method: "DELETE", path: key, headers: []string{"If-Match", first}}, 412, 10412, unmet)
	f.ok(t, call{method: "DELETE", path: key, headers: []string{"If-Match", second}}, nil)
	f.refused(t, put("3", "If-Match", second), 412, 10412, unmet)
	f.refused(t, put("3", "If-Match", "*"), 400, 10400, `If-Match is "*"; the revision from a Mayfly-Revision header is expected`)
	f.refused(t, put("3", "If-Match", "0"), 400, 10400, `If-Match is "0"; the revision from a Mayfly-Revision header is expected`)
	f.refused(t, put("3", "If-None-Match", "1"), 400, 10400, "If-None-Match can only be *")
	f.refused(t, put("3", "If-None-Match", "*", "If-Match", "1"), 400, 10400, "If-Match and If-None-Match exclude each other")
}

func TestListKeys(t *testing.T) {
	f := newFixture(t, options{})
	namespace := f.namespace(t, "local")
	for _, key := range []string{"b", "a1", "a2", "a3"} {
		f.ok(t, call{method: "PUT", path: namespace + "/values/" + key + "?expiration=1900000000", body: "v"}, nil)
	}
	type key struct {
		Name       string
		Expiration int64
	}
	var page []key
	a := f.ok(t, call{method: "GET", path: namespace + "/keys?prefix=a&limit=2"}, &page)
	if len(page) != 2 || page[1] != (key{"a2", 1_900_000_000}) || a.envelope.Info.Count != 2 || a.envelope.Info.Cursor == "" {
		t.Errorf("got %+v %+v", page, a.envelope.Info)
	}
	a = f.ok(t, call{method: "GET", path: namespace + "/keys?prefix=a&limit=2&cursor=" + a.envelope.Info.Cursor}, &page)
	if len(page) != 1 || page[0].Name != "a3" || a.envelope.Info.Cursor != "" {
		t.Errorf("got %+v %+v", page, a.envelope.Info)
	}
	list := func(query string) call { return call{method: "GET", path: namespace + "/keys?" + query} }
	f.refused(t, list("limit=1001"), 400, 10400, "Invalid key_count_limit of 1001. Please specify an integer less than 1000.")
	f.refused(t, list("limit=0"), 400, 10400, "Invalid key_count_limit of 0. Please specify an integer greater than 0.")
	f.refused(t, list("limit=x"), 400, 10400, "Invalid key_count_limit of x. Please specify an integer greater than 0.")
	f.refused(t, list("cursor=!!"), 400, 10400, "the cursor is not one of this listing")
	f.refused(t, list("prefix="+strings.Repeat("p", 513)), 414, 10414, "UTF-8 encoded length of 513 exceeds key length limit of 512.")
}

func TestBulk(t *testing.T) {
	f := newFixture(t, options{})
	namespace := f.namespace(t, "local")
	var done struct {
		Count int `json:"successful_key_count"`
	}
	f.ok(t, call{method: "PUT", path: namespace + "/bulk", body: `[{"key":"a","value":"old"},{"key":"a","value":"1"},
		{"key":"b","value":"Ag==","base64":true,"metadata":{"m":1},"expiration_ttl":60},{"key":"c","value":"{}","expiration":0}]`}, &done)
	if done.Count != 3 {
		t.Errorf("got %d keys written, want 3", done.Count)
	}
	get := call{method: "POST", path: namespace + "/bulk/get", body: `{"keys":["a","b","missing"],"withMetadata":true}`}
	want := `{"values":{"a":{"metadata":null,"value":"1"},"b":{"expiration":1800000060,"metadata":{"m":1},"value":"\u0002"},"missing":null}}`
	if got := string(f.ok(t, get, nil).envelope.Result); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	get.body = `{"keys":["a","c"],"type":"json"}`
	if got, want := string(f.ok(t, get, nil).envelope.Result), `{"values":{"a":1,"c":{}}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	get.body = `{"keys":["b"],"type":"json"}`
	f.refused(t, get, 400, 10400, `the value of key "b" is not JSON`)
	f.ok(t, call{method: "POST", path: namespace + "/bulk/delete", body: `["a","missing"]`}, nil)
	f.ok(t, call{method: "DELETE", path: namespace + "/bulk", body: `["b"]`}, nil)
	var left []struct{ Name string }
	if f.ok(t, call{method: "GET", path: namespace + "/keys"}, &left); len(left) != 1 || left[0].Name != "c" {
		t.Errorf("got %v, want c alone", left)
	}
}

func TestRefusedBulk(t *testing.T) {
	f := newFixture(t, options{})
	namespace := f.namespace(t, "local")
	pairs := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`{"key":"k%d","value":""}`, i)
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	keys := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprint(i)
		}
		data, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	tests := []struct {
		name, method, path, body string
		status, code             int
		msg                      string
	}{
		{"too many", "PUT", "/bulk", pairs(10_001), 400, 10400, "there are more than 10000 pairs, which is the limit"},
		{"bad key", "PUT", "/bulk", `[{"key":"a","value":""},{"key":"","value":""}]`, 400, 10400, "Key names must not be empty (entry 2)"},
		{"bad base64", "PUT", "/bulk", `[{"key":"a","value":"!","base64":true}]`, 400, 10400, "the value is not base64 (entry 1)"},
		{"short ttl", "PUT", "/bulk", `[{"key":"a","value":"","expiration_ttl":1}]`, 400, 10400, "Invalid expiration_ttl of 1. Expiration TTL must be at least 60. (entry 1)"},
		{"long metadata", "PUT", "/bulk", `[{"key":"a","value":"","metadata":"` + strings.Repeat("m", 1023) + `"}]`, 413, 10413, "Metadata length of 1025 exceeds limit of 1024. (entry 1)"},
		{"no array", "PUT", "/bulk", `{}`, 400, 10400, "the body is not a JSON array of pairs"},
		{"cut", "PUT", "/bulk", `[{"key":"a","value":""}`, 400, 10400, "the body is not the JSON expected here: unexpected EOF"},
		{"deep", "PUT", "/bulk", `[{"key":"a","value":"","metadata":` + strings.Repeat("[", 100_000) + `}]`, 400, 10400,
			"the body is not the JSON expected here: invalid character '[' exceeded max depth"},
		{"too many keys", "POST", "/bulk/delete", keys(10_001), 400, 10400, "there are 10001 keys; at most 10000 are allowed"},
		{"bad key to delete", "POST", "/bulk/delete", `[".."]`, 400, 10400, `Illegal key name "..". Please use a different name. (entry 1)`},
		{"too many to get", "POST", "/bulk/get", `{"keys":` + keys(101) + `}`, 400, 10400, "there are 101 keys; 1 to 100 are expected"},
		{"other type", "POST", "/bulk/get", `{"keys":["a"],"type":"stream"}`, 400, 10400, `type is "stream"; text or json is expected`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f.refused(t, call{method: tt.method, path: namespace + tt.path, body: tt.body}, tt.status, tt.code, tt.msg)
		})
	}
	var left []struct{ Name string }
	if f.ok(t, call{method: "GET", path: namespace + "/keys"}, &left); len(left) != 0 {
		t.Errorf("got %v, want nothing of refused writes", left)
	}
}

// broken is a store whose users' entries cannot be read, as long as it is
// broken.
type broken struct {
	kv.Store
	panics bool
}

func (b *broken) Get(ctx context.Context, key string) (kv.Entry, error) {
	if !strings.HasPrefix(key, "kv/") {
		return b.Store.Get(ctx, key)
	}
	if b.panics {
		panic("secret detail")
	}
	return kv.Entry{}, errors.New("secret detail")
}

func TestInternalErrors(t *testing.T) {
	store := memkv.New(memkv.Config{})
	defer store.Close()
	for _, panics := range []bool{false, true} {
		t.Run(fmt.Sprintf("panics %v", panics), func(t *testing.T) {
			f := newFixture(t, options{store: &broken{store, panics}})
			ns, err := f.registry.CreateNamespace(t.Context(), "local", t.Name())
			if err != nil {
				t.Fatal(err)
			}
			a := f.do(t, call{method: "GET", path: spaces + "/" + ns.ID + "/values/k"})
			want := "internal error; the node's log has the details of request " + a.header.Get("X-Request-Id")
			if a.status != 500 || a.envelope.Errors[0] != (apiError{10500, want}) {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
}
