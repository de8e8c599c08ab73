package control_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

type tail struct {
	ID, URL string
	Expires time.Time `json:"expires_at"`
}

// happen lets an Invocation of Function hello in account local fail.
func (f *fixture) happen(t testing.TB) {
	t.Helper()
	c := &host.Call{ID: "r1", Services: hosttest.Services(t), Bindings: &host.Bindings{Account: "local", Function: "hello", Version: "v1"},
		Request: hosttest.Request("GET", "http://hello.localhost/", "")}
	c.Begin(t.Context())
	var at telemetry.Observed
	f.observer.Begin(&at, c)
	c.End(nil)
	f.observer.End(&at, c, telemetry.Ended{Outcome: host.OutcomeException, Status: 500})
}

func TestTails(t *testing.T) {
	f := newFixture(t, options{})
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm"}`, guest(1)), nil)
	token := f.account(t, "local")
	tails := scripts + "/hello/tails"
	var made tail
	f.ok(t, call{method: "POST", path: tails, token: token, body: `{"filters":[{"outcome":["exception"]}]}`}, &made)
	if made.ID == "" || !made.Expires.After(time.Now()) || !strings.HasPrefix(made.URL, "ws"+strings.TrimPrefix(f.url, "http")+"/tails/") {
		t.Fatalf("got %+v", made)
	}
	conn, _, _, err := ws.Dialer{Protocols: []string{"trace-v1"}}.Dial(t.Context(), made.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	f.happen(t)
	if text, _, err := wsutil.ReadServerData(conn); err != nil || !strings.Contains(string(text), `"outcome":"exception"`) {
		t.Errorf("got %s, %v", text, err)
	}
	var list []tail
	if f.ok(t, call{method: "GET", path: tails, token: token}, &list); len(list) != 1 || list[0].ID != made.ID || list[0].URL != "" {
		t.Errorf("got %+v", list)
	}
	for range 2 { // the second time it is gone
		f.ok(t, call{method: "DELETE", path: tails + "/" + made.ID, token: token}, nil)
	}
	if _, _, err := wsutil.ReadServerData(conn); err == nil || !strings.Contains(err.Error(), "the tail was closed") {
		t.Errorf("after it was deleted: %v", err)
	}
	if f.ok(t, call{method: "GET", path: tails, token: token}, &list); len(list) != 0 {
		t.Errorf("got %+v", list)
	}
}

// A token that may do less than before ends what was begun with it.
func TestNarrowedToken(t *testing.T) {
	f := newFixture(t, options{})
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm"}`, guest(1)), nil)
	text, token, err := f.registry.CreateToken(t.Context(), deploy.TokenRequest{Account: "local", Name: "ci", Scopes: deploy.ScopeRead | deploy.ScopeDeploy})
	if err != nil {
		t.Fatal(err)
	}
	var made tail
	f.ok(t, call{method: "POST", path: scripts + "/hello/tails", token: text}, &made)
	var s session
	begin := beginCall(t, "local", "site", "/a.txt", "a")
	begin.token = text
	f.ok(t, begin, &s)
	if _, err := f.registry.ChangeToken(t.Context(), "local", token.ID, func(q *deploy.TokenRequest) { q.Scopes = deploy.ScopeKV }); err != nil {
		t.Fatal(err)
	}
	f.refused(t, assetCall(t, "local", s, "text/plain", "a"), 401, 10000, "Authentication error")
	conn, _, _, err := ws.Dialer{Protocols: []string{"trace-v1"}}.Dial(t.Context(), made.URL)
	if err == nil {
		conn.Close()
		t.Error("the tail can be read")
	}
}

func TestTailsRefused(t *testing.T) {
	f := newFixture(t, options{})
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm"}`, guest(1)), nil)
	stranger := f.account(t, "other")
	tails := scripts + "/hello/tails"
	f.refused(t, call{method: "POST", path: tails, token: stranger}, 403, 9109, "Unauthorized to access requested resource")
	f.refused(t, call{method: "GET", path: scripts + "/hello/errors", token: stranger}, 403, 9109, "Unauthorized to access requested resource")
	f.refused(t, call{method: "POST", path: scripts + "/absent/tails"}, 404, 10007, `Function "absent" does not exist in account local`)
	f.refused(t, call{method: "POST", path: tails, body: `{"filters":[{"client_ip":["me"]}]}`}, 400, 10021, `client_ip "me" is neither an address nor "self"`)
	f.refused(t, call{method: "GET", path: "!/tails/0123", noToken: true}, 426, 10426, "this is a WebSocket of the subprotocol trace-v1")
	f.refused(t, call{method: "GET", path: "!/tails/0123", noToken: true, headers: []string{"Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Protocol", "trace-v1"}},
		404, 10404, "there is no such tail, it has ended, or somebody reads it already")
}

func TestErrors(t *testing.T) {
	f := newFixture(t, options{})
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm"}`, guest(1)), nil)
	var list []telemetry.Failure
	if f.ok(t, call{method: "GET", path: scripts + "/hello/errors"}, &list); list == nil || len(list) != 0 {
		t.Errorf("got %v, want an empty list", list)
	}
	f.happen(t)
	if f.ok(t, call{method: "GET", path: scripts + "/hello/errors"}, &list); len(list) != 1 || list[0].Outcome != "exception" || list[0].VersionID != "v1" {
		t.Errorf("got %+v", list)
	}
	f.ok(t, call{method: "DELETE", path: scripts + "/hello"}, nil)
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm"}`, guest(1)), nil)
	if f.ok(t, call{method: "GET", path: scripts + "/hello/errors"}, &list); len(list) != 0 {
		t.Errorf("got %+v of a Function that was deleted", list)
	}
	if a := f.do(t, call{method: http.MethodGet, path: scripts + "/absent/errors"}); a.status != 404 {
		t.Errorf("got %d %s", a.status, a.body)
	}
}
