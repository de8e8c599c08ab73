package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
)

// fakeNode answers every request alike and keeps what it was asked.
type fakeNode struct {
	status int
	reply  string

	asked       string // method and URI
	token       string
	contentType string
	body        string
}

func (f *fakeNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	f.asked, f.body = r.Method+" "+r.RequestURI, string(body)
	f.token, f.contentType = r.Header.Get("Authorization"), r.Header.Get("Content-Type")
	w.WriteHeader(f.status)
	io.WriteString(w, f.reply)
}

// mustClient connects account "a/b" to a node that answers with reply.
func mustClient(t *testing.T, status int, reply string) (*api.Client, *fakeNode) {
	t.Helper()
	node := &fakeNode{status: status, reply: reply}
	server := httptest.NewServer(node)
	t.Cleanup(server.Close)
	c, err := api.New(api.Config{Base: server.URL + "/client/v4/", Account: "a/b", Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return c, node
}

func result(format string, args ...any) string {
	return `{"success":true,"errors":[],"messages":[],"result":` + fmt.Sprintf(format, args...) + `}`
}

// Each method asks what Cloudflare's API documents.
func TestRequests(t *testing.T) {
	ctx := t.Context()
	for _, test := range []struct {
		name  string
		do    func(c *api.Client) (any, error)
		reply string
		asked string
		body  string
		want  any
	}{
		{"scripts", func(c *api.Client) (any, error) { return c.Scripts(ctx) },
			`[{"id":"hello"}]`, "GET /accounts/a%2Fb/workers/scripts", "", []api.Script{{ID: "hello"}}},
		{"delete script", func(c *api.Client) (any, error) { return nil, c.DeleteScript(ctx, "x y", false) },
			`null`, "DELETE /accounts/a%2Fb/workers/scripts/x%20y", "", nil},
		{"delete bound script", func(c *api.Client) (any, error) { return nil, c.DeleteScript(ctx, "x", true) },
			`null`, "DELETE /accounts/a%2Fb/workers/scripts/x?force=true", "", nil},
		{"namespaces", func(c *api.Client) (any, error) { return c.Namespaces(ctx) },
			`[{"id":"1","title":"t"}]`, "GET /accounts/a%2Fb/storage/kv/namespaces?page=1&per_page=100", "", []api.Namespace{{"1", "t"}}},
		{"create namespace", func(c *api.Client) (any, error) { return c.CreateNamespace(ctx, "t") },
			`{"id":"1","title":"t"}`, "POST /accounts/a%2Fb/storage/kv/namespaces", `{"title":"t"}`, api.Namespace{"1", "t"}},
		{"rename namespace", func(c *api.Client) (any, error) { return nil, c.RenameNamespace(ctx, "1", "u") },
			`{}`, "PUT /accounts/a%2Fb/storage/kv/namespaces/1", `{"title":"u"}`, nil},
		{"delete namespace", func(c *api.Client) (any, error) { return nil, c.DeleteNamespace(ctx, "1") },
			`{}`, "DELETE /accounts/a%2Fb/storage/kv/namespaces/1", "", nil},
		{"put value", func(c *api.Client) (any, error) {
			return nil, c.PutValue(ctx, "1", "a/ü?", []byte("v"), api.PutOptions{ExpirationTTL: 60})
		}, `{}`, "PUT /accounts/a%2Fb/storage/kv/namespaces/1/values/a%2F%C3%BC%3F?expiration_ttl=60", "v", nil},
		{"delete value", func(c *api.Client) (any, error) { return nil, c.DeleteValue(ctx, "1", "k") },
			`{}`, "DELETE /accounts/a%2Fb/storage/kv/namespaces/1/values/k", "", nil},
		{"put bulk", func(c *api.Client) (any, error) {
			return nil, c.PutBulk(ctx, "1", []api.Pair{{Key: "k", Value: "v", Expiration: 9}})
		}, `{}`, "PUT /accounts/a%2Fb/storage/kv/namespaces/1/bulk", `[{"key":"k","value":"v","expiration":9}]`, nil},
		{"get bulk", func(c *api.Client) (any, error) { return c.GetBulk(ctx, "1", []string{"k", "l"}) },
			`{"values":{"k":null}}`, "POST /accounts/a%2Fb/storage/kv/namespaces/1/bulk/get", `{"keys":["k","l"],"type":"text"}`, map[string]*string{"k": nil}},
		{"delete bulk", func(c *api.Client) (any, error) { return nil, c.DeleteBulk(ctx, "1", []string{"k"}) },
			`{}`, "POST /accounts/a%2Fb/storage/kv/namespaces/1/bulk/delete", `["k"]`, nil},
		{"accounts", func(c *api.Client) (any, error) { return c.Accounts(ctx) },
			`[{"id":"x","name":"x"}]`, "GET /accounts?page=1&per_page=100", "", []api.Account{{ID: "x", Name: "x"}}},
		{"create account", func(c *api.Client) (any, error) { return c.CreateAccount(ctx, "x", []string{"example.com"}) },
			`{"id":"x"}`, "POST /accounts", `{"name":"x","hosts":["example.com"]}`, api.Account{ID: "x"}},
		{"tokens", func(c *api.Client) (any, error) { return c.Tokens(ctx, false) },
			`[{"id":"x"}]`, "GET /accounts/a%2Fb/tokens?page=1&per_page=100", "", []api.Token{{ID: "x"}}},
		{"create token", func(c *api.Client) (any, error) {
			return c.CreateToken(ctx, false, api.TokenRequest{Name: "ci", Scopes: []string{"kv"}, ExpiresOn: time.Unix(0, 0).UTC()})
		}, `{"id":"x","value":"v"}`, "POST /accounts/a%2Fb/tokens", `{"name":"ci","scopes":["kv"],"expires_on":"1970-01-01T00:00:00Z"}`, api.Token{ID: "x", Value: "v"}},
		{"create token for the node", func(c *api.Client) (any, error) {
			return c.CreateToken(ctx, true, api.TokenRequest{Name: "ci"})
		}, `{"id":"x"}`, "POST /user/tokens", `{"name":"ci"}`, api.Token{ID: "x"}},
		{"verify token", func(c *api.Client) (any, error) { return c.VerifyToken(ctx) },
			`{"id":"x","status":"active"}`, "GET /user/tokens/verify", "", api.Token{ID: "x", Status: "active"}},
		{"revoke token", func(c *api.Client) (any, error) { return nil, c.RevokeToken(ctx, false, "x") },
			`{}`, "DELETE /accounts/a%2Fb/tokens/x", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, node := mustClient(t, 200, result("%s", test.reply))
			got, err := test.do(c)
			if err != nil {
				t.Fatal(err)
			}
			if asked := strings.Replace(node.asked, "/client/v4", "", 1); asked != test.asked || node.body != test.body {
				t.Errorf("asked %s with %s, want %s with %s", asked, node.body, test.asked, test.body)
			}
			if node.token != "Bearer secret" {
				t.Errorf("token %q", node.token)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %#v, want %#v", got, test.want)
			}
		})
	}
}

func TestUpload(t *testing.T) {
	c, node := mustClient(t, 200, result(`{"id":"hello"}`))
	text, sent := "hi", 0
	module := []byte("\x00asm...")
	_, err := c.Upload(t.Context(), "hello", module, api.Metadata{
		MainModule: "hello.wasm",
		Bindings:   []api.Binding{{Type: "plain_text", Name: "A", Text: &text}, {Type: "json", Name: "B", JSON: json.RawMessage(`[1]`)}},
		Mayfly:     map[string]int{"x": 1},
	}, func(n int) { sent = n })
	if err != nil {
		t.Fatal(err)
	}
	parts := mustParts(t, node.contentType, node.body)
	want := `{"main_module":"hello.wasm","bindings":[{"type":"plain_text","name":"A","text":"hi"},{"type":"json","name":"B","json":[1]}],"mayfly":{"x":1}}`
	if parts["metadata"] != want {
		t.Errorf("metadata %s, want %s", parts["metadata"], want)
	}
	if parts["hello.wasm"] != string(module) {
		t.Errorf("module %q, want %q", parts["hello.wasm"], module)
	}
	if sent != len(node.body) {
		t.Errorf("%d bytes told, %d sent", sent, len(node.body))
	}
}

func TestPutValueWithMetadata(t *testing.T) {
	c, node := mustClient(t, 200, result(`{}`))
	if err := c.PutValue(t.Context(), "1", "k", []byte("v\x00"), api.PutOptions{Metadata: json.RawMessage(`{"a":1}`)}); err != nil {
		t.Fatal(err)
	}
	parts := mustParts(t, node.contentType, node.body)
	if parts["value"] != "v\x00" || parts["metadata"] != `{"a":1}` {
		t.Errorf("parts %q", parts)
	}
}

func mustParts(t *testing.T, contentType, body string) map[string]string {
	t.Helper()
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	r := multipart.NewReader(strings.NewReader(body), params["boundary"])
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		parts[p.FormName()] = string(data)
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name, reply string
		status      int
		want        string
	}{
		{"reason", `{"success":false,"errors":[{"code":10021,"message":"no entry point"}],"result":null}`, 400, "no entry point (code 10021)"},
		{"reasons", `{"success":false,"errors":[{"code":1,"message":"a"},{"message":"b"}]}`, 400, "a (code 1); b"},
		{"no reason", `{"success":false}`, 500, "the node answered with status 500 and no reason"},
		{"page", "<html>\nnot found", 404, `what answers there is not a node's API (status 404, "<html>"); the API is at the node's admin address, below /client/v4`},
		{"success and page", "hello", 200, `what answers there is not a node's API (status 200, "hello"); the API is at the node's admin address, below /client/v4`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := mustClient(t, test.status, test.reply)
			_, err := c.Scripts(t.Context())
			if e, ok := errors.AsType[*api.Error](err); !ok || e.Status != test.status || e.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestValue(t *testing.T) {
	c, node := mustClient(t, 200, "\x00raw")
	got, err := c.Value(t.Context(), "1", "k")
	if err != nil || string(got) != "\x00raw" || !strings.HasSuffix(node.asked, "/namespaces/1/values/k") {
		t.Errorf("got %q, %v from %s", got, err, node.asked)
	}
	c, _ = mustClient(t, 404, `{"success":false,"errors":[{"code":10009,"message":"key not found"}]}`)
	if _, err := c.Value(t.Context(), "1", "k"); err == nil || err.Error() != "key not found (code 10009)" {
		t.Errorf("got %v, want the node's reason", err)
	}
}

// Pages follow one another by cursor until there is none.
func TestKeys(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("cursor") {
		case "":
			io.WriteString(w, `{"success":true,"result":[{"name":"a"},{"name":"b","expiration":5,"metadata":{"x":1}}],"result_info":{"cursor":"next"}}`)
		case "next":
			io.WriteString(w, `{"success":true,"result":[{"name":"c"}],"result_info":{"cursor":""}}`)
		}
	}))
	defer server.Close()
	c, err := api.New(api.Config{Base: server.URL, Account: "local"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for k, err := range c.Keys(t.Context(), "1", "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, k.Name)
	}
	if want := []string{"a", "b", "c"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A listing by pages ends with the first one that is not full.
func TestPages(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		full := strings.TrimSuffix(strings.Repeat(`{"id":"x"},`, 100), ",")
		switch r.URL.Query().Get("page") {
		case "1":
			io.WriteString(w, result("[%s]", full))
		case "2":
			io.WriteString(w, result(`[{"id":"last"}]`))
		}
	}))
	defer server.Close()
	c, err := api.New(api.Config{Base: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Accounts(t.Context())
	if err != nil || len(got) != 101 || got[100].ID != "last" {
		t.Errorf("%d accounts, %v; want 101", len(got), err)
	}
}

func TestUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	base := server.URL
	server.Close()
	c, err := api.New(api.Config{Base: base})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Scripts(t.Context())
	if e, ok := errors.AsType[*api.UnreachableError](err); !ok || e.Base != base {
		t.Errorf("got %v, want *UnreachableError for %s", err, base)
	}
}

func TestEnds(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	c, err := api.New(api.Config{Base: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Scripts(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	late, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	if _, err := c.Upload(late, "x", nil, api.Metadata{MainModule: "x"}, nil); err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("got %v, want no answer in time", err)
	}
}

func TestNew(t *testing.T) {
	for _, base := range []string{"", "127.0.0.1:8788", "ftp://localhost", "http://", "http://%zz"} {
		if _, err := api.New(api.Config{Base: base}); err == nil {
			t.Errorf("%q was taken for a URL", base)
		}
	}
	if _, err := api.New(api.Config{Base: "http://localhost", Token: "a\nb"}); err == nil {
		t.Error("a token with a line end was taken")
	}
}
