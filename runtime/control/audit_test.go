package control_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/audit"
	"github.com/mayfly-run/mayfly/runtime/control"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

func mustAudit(t *testing.T, path string) (list []audit.Entry) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Read(bytes.NewReader(data), func(e audit.Entry) error {
		list = append(list, e)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAudit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f := newFixture(t, options{audit: path})
	shop := f.account(t, "shop")
	type target = map[string]string
	tests := []struct {
		call   call
		action string
		target target // nil: nothing is recorded
		status int
	}{
		{call{method: "GET", path: "/accounts"}, "", nil, 200},
		{call{method: "GET", path: scripts + "/nothing"}, "", nil, 404},
		{call{method: "POST", path: "/accounts", body: `{"name":"new"}`}, "POST accounts", target{"new_account": "new"}, 200},
		{call{method: "DELETE", path: "/accounts/new"}, "DELETE accounts/{account}", target{}, 200},
		{upload(t, "local", "hello", `{"main_module":"main.wasm","bindings":[{"type":"plain_text","name":"V","text":"canary"},{"type":"secret_text","name":"FIRST","text":"canary"}]}`, guest(1)),
			"PUT accounts/{account}/workers/scripts/{script}", target{"script": "hello", "version": "*", "secrets": "FIRST"}, 200},
		{secretCall(`{"name":"API_KEY","text":"canary"}`), "PUT accounts/{account}/workers/scripts/{script}/secrets", target{"script": "hello", "secret": "API_KEY", "version": "*"}, 200},
		{secretCall(`{"name":"canary","text":""}`), "PUT accounts/{account}/workers/scripts/{script}/secrets", target{"script": "hello"}, 400},
		{call{method: "PATCH", path: scripts + "/hello/secrets-bulk", body: `{"secrets":{"A":{"text":"canary"},"B":{"text":"canary"},"FIRST":null}}`},
			"PATCH accounts/{account}/workers/scripts/{script}/secrets-bulk", target{"script": "hello", "secrets": "A B", "deleted_secrets": "FIRST", "version": "*"}, 200},
		{call{method: "DELETE", path: secrets + "/A"}, "DELETE accounts/{account}/workers/scripts/{script}/secrets/{secret}", target{"script": "hello", "secret": "A", "version": "*"}, 200},
		{call{method: "PUT", path: scripts + "/hello/schedules", body: `[{"cron":"*/5 * * * *"},{"cron":"0 5 * * *"}]`},
			"PUT accounts/{account}/workers/scripts/{script}/schedules", target{"script": "hello", "crons": "*/5 * * * *; 0 5 * * *"}, 200},
		{call{method: "PUT", path: scripts + "/hello/routes", body: `["example.com/*"]`}, "PUT accounts/{account}/workers/scripts/{script}/routes", target{"script": "hello", "routes": "example.com/*"}, 200},
		{call{method: "PUT", path: scripts + "/hello/routes", body: `["canary.example.com/*", "?"]`}, "PUT accounts/{account}/workers/scripts/{script}/routes", target{"script": "hello"}, 400},
		{call{method: "PUT", path: "/accounts/local/workers/domains", body: `{"hostname":"www.example.com","service":"hello"}`}, "PUT accounts/{account}/workers/domains", target{"script": "hello", "domain": "www.example.com"}, 200},
		{call{method: "PUT", path: scripts + "/hello/domains/records", body: `{"origins":[{"hostname":"a.example.com"},{"hostname":"b.example.com"}],"override_existing_origin":true}`},
			"PUT accounts/{account}/workers/scripts/{script}/domains/records", target{"script": "hello", "domains": "a.example.com b.example.com", "override": "true"}, 200},
		{call{method: "DELETE", path: "/accounts/local/workers/domains/" + mustDomain(t, "a.example.com")}, "DELETE accounts/{account}/workers/domains/{domain}",
			target{"script": "hello", "hostname": "a.example.com", "domain": "*"}, 200},
		{call{method: "POST", path: scripts + "/hello/versions/prune", body: `{"keep":1}`}, "POST accounts/{account}/workers/scripts/{script}/versions/prune", target{"script": "hello", "removed": "*"}, 200},
		{call{method: "POST", path: scripts + "/hello/subdomain", body: `{"enabled":false,"previews_enabled":true}`}, "POST accounts/{account}/workers/scripts/{script}/subdomain",
			target{"script": "hello", "enabled": "false", "previews_enabled": "true"}, 200},
		{call{method: "DELETE", path: scripts + "/hello"}, "DELETE accounts/{account}/workers/scripts/{script}", target{"script": "hello"}, 200},
		{call{method: "DELETE", path: scripts + "/hello"}, "DELETE accounts/{account}/workers/scripts/{script}", target{"script": "hello"}, 404},
		{call{method: "POST", path: "/accounts/local/storage/kv/namespaces", body: `{"title":"x"}`}, "POST accounts/{account}/storage/kv/namespaces", target{"namespace": "*"}, 200},
		{call{method: "POST", path: "/accounts/shop/tokens", body: `{"name":"ci"}`}, "POST accounts/{account}/tokens", target{"token": "*", "token_name": "ci", "scopes": "read deploy kv queues"}, 200},
		{call{method: "GET", path: "/accounts", noToken: true}, "GET /client/v4/accounts", target{}, 401},
		{call{method: "PUT", path: "/accounts/x/y?q=canary", token: "canary"}, "PUT /client/v4/accounts/x/y", target{}, 401},
		{call{method: "GET", path: scripts, token: shop}, "GET /client/v4/accounts/local/workers/scripts", target{}, 403},
		{call{method: "POST", path: "/accounts", token: shop, body: `{"name":"canary"}`}, "POST /client/v4/accounts", target{}, 403},
	}
	seen := 1 // the beginning
	for _, tt := range tests {
		a := f.do(t, tt.call)
		all := mustAudit(t, path)
		added := all[seen:]
		seen = len(all)
		if a.status != tt.status || tt.target == nil && len(added) > 0 || tt.target != nil && len(added) != 1 {
			t.Errorf("%s %s: got status %d and the entries %+v", tt.call.method, tt.call.path, a.status, added)
			continue
		}
		if tt.target == nil {
			continue
		}
		e := added[0]
		for name, want := range tt.target {
			if want == "*" && e.Target[name] != "" {
				tt.target[name] = e.Target[name]
			}
		}
		if tt.target = merged(tt.target); e.Action != tt.action || e.Status != tt.status || !reflect.DeepEqual(merged(e.Target), tt.target) ||
			e.Request != a.header.Get("X-Request-Id") || !strings.HasPrefix(e.Remote, "127.0.0.1:") || (e.Token == "") != (tt.status == 401) {
			t.Errorf("%s %s: got %+v", tt.call.method, tt.call.path, e)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"canary", f.admin, shop, "mayfly_"} {
		if bytes.Contains(data, []byte(text)) {
			t.Errorf("the log has %q", text)
		}
	}
}

// mustDomain is the id of a custom domain.
func mustDomain(t *testing.T, hostname string) string {
	t.Helper()
	route, err := deploy.DomainRoute(hostname, false)
	if err != nil {
		t.Fatal(err)
	}
	return route.ID()
}

// merged is a target that may have been nil.
func merged(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// Every route but those that read, or move messages, is recorded.
func TestAuditOfAllRoutes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f := newFixture(t, options{audit: path})
	for _, rt := range control.Routes() {
		before := len(mustAudit(t, path))
		f.do(t, call{method: rt[0], path: "/" + strings.NewReplacer("{account}", "local", "{", "", "}", "", "...", "").Replace(rt[1])})
		added := len(mustAudit(t, path)) - before
		want := 1
		if rt[0] == "GET" && rt[1] != "mayfly/backup" || strings.HasSuffix(rt[1], "bulk/get") || strings.Contains(rt[1], "{queue}/messages") {
			want = 0
		}
		if added != want {
			t.Errorf("%s %s: got %d entries, want %d", rt[0], rt[1], added, want)
		}
	}
}

// While the log can't be written nothing is changed, and reading goes on.
func TestAuditThatCannotBeWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f := newFixture(t, options{audit: path})
	if err := os.Truncate(path, 10); err != nil {
		t.Fatal(err)
	}
	a := f.do(t, call{method: "POST", path: "/accounts", body: `{"name":"new"}`})
	if a.status != 500 || !strings.Contains(a.body, "the audit log can't be written, so nothing is changed; the node's log has the details of request "+a.header.Get("X-Request-Id")) {
		t.Errorf("got %d %s", a.status, a.body)
	}
	f.ok(t, call{method: "GET", path: "/accounts"}, nil)
	if a := f.do(t, call{method: "GET", path: "/accounts", noToken: true}); a.status != 401 {
		t.Errorf("a stranger got %d %s", a.status, a.body)
	}
	if len(f.registry.Accounts()) != 1 {
		t.Error("the account was made")
	}
}
