package control_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/control"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// filled is a path with everything it names. An account's namespace is the last
// argument.
func filled(pattern, account, namespace string) string {
	return "/" + strings.NewReplacer("{account}", account, "{script}", "shop", "{namespace}", namespace,
		"{key...}", "k", "{version}", "v", "{token}", "t").Replace(pattern)
}

func TestWithoutToken(t *testing.T) {
	f := newFixture(t, options{})
	token := f.account(t, "acme")
	revoked, info, err := f.registry.CreateToken(t.Context(), deploy.TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.registry.RevokeToken(t.Context(), "", info.ID); err != nil {
		t.Fatal(err)
	}
	calls := map[string]call{
		"none":         {noToken: true},
		"another form": {token: "hello"},
		"unknown":      {token: "mayfly_admin_000000000000000000000000000000000000"},
		"cut":          {token: token[:len(token)-1]},
		"other kind":   {token: strings.Replace(token, "_account_", "_admin_", 1)},
		"revoked":      {token: revoked},
		"basic":        {noToken: true, headers: []string{"Authorization", "Basic " + f.admin}},
		"empty":        {noToken: true, headers: []string{"Authorization", ""}},
	}
	for name, c := range calls {
		t.Run(name, func(t *testing.T) {
			for _, rt := range append(control.Routes(), [2]string{"GET", "nothing/here"}, [2]string{"PATCH", "user"}) {
				for _, account := range []string{"acme", "nobody"} {
					c.method, c.path = rt[0], filled(rt[1], account, "n")
					f.refused(t, c, 401, 10000, "Authentication error")
				}
			}
		})
	}
}

// TestOtherAccount tries everything that acme has with the token of another
// account: the answers do not depend on whether there is anything.
func TestOtherAccount(t *testing.T) {
	f := newFixture(t, options{})
	f.account(t, "acme")
	f.ok(t, upload(t, "acme", "shop", `{"main_module":"main.wasm"}`, guest(1)), nil)
	namespace := f.namespace(t, "acme")
	f.ok(t, call{method: "PUT", path: namespace + "/values/k", body: "v"}, nil)
	id := namespace[strings.LastIndexByte(namespace, '/')+1:]
	stranger := f.account(t, "stranger")

	for _, rt := range control.Routes() {
		if !strings.Contains(rt[1], "{account}") {
			continue
		}
		for _, account := range []string{"acme", "nobody", "local"} {
			c := call{method: rt[0], path: filled(rt[1], account, id), token: stranger, kind: "application/wasm", body: "{}"}
			f.refused(t, c, 403, 9109, "Unauthorized to access requested resource")
		}
	}
	f.refused(t, call{method: "PATCH", path: "/accounts/acme/workers/scripts", token: stranger}, 403, 9109, "Unauthorized to access requested resource")

	// What is another account's does not exist in one's own.
	own := strings.Replace(namespace, "/acme/", "/stranger/", 1)
	missing := `KV namespace "` + id + `" does not exist in account stranger`
	for _, path := range []string{"", "/keys", "/values/k", "/metadata/k"} {
		f.refused(t, call{method: "GET", path: own + path, token: stranger}, 404, 10013, missing)
	}
	f.refused(t, call{method: "PUT", path: own + "/values/k", token: stranger, body: "x"}, 404, 10013, missing)
	f.refused(t, call{method: "PUT", path: own + "/bulk", token: stranger, body: "[]"}, 404, 10013, missing)
	f.refused(t, call{method: "DELETE", path: own, token: stranger}, 404, 10013, missing)
	f.refused(t, call{method: "GET", path: "/accounts/stranger/workers/scripts/shop", token: stranger}, 404, 10007,
		`Function "shop" does not exist in account stranger`)
	bind := upload(t, "stranger", "x", `{"main_module":"main.wasm","bindings":[{"type":"kv_namespace","name":"KV","namespace_id":"`+id+`"}]}`, guest(1))
	bind.token = stranger
	f.refused(t, bind, 400, 10021, `KV binding "KV": `+missing+"; create it, or bind one that exists")

	var accounts []struct{ ID string }
	f.ok(t, call{method: "GET", path: "/accounts", token: stranger}, &accounts)
	if len(accounts) != 1 || accounts[0].ID != "stranger" {
		t.Errorf("got accounts %v, want only one's own", accounts)
	}
	var memberships []struct{ Account struct{ ID string } }
	f.ok(t, call{method: "GET", path: "/memberships", token: stranger}, &memberships)
	if len(memberships) != 1 || memberships[0].Account.ID != "stranger" {
		t.Errorf("got memberships %v, want only one's own", memberships)
	}
}

// TestAccountTokenIsNoAdmin tries what is for administrators in one's own
// account.
func TestAccountTokenIsNoAdmin(t *testing.T) {
	f := newFixture(t, options{})
	token := f.account(t, "acme")
	for _, c := range []call{
		{method: "POST", path: "/accounts"},
		{method: "DELETE", path: "/accounts/acme"},
		{method: "GET", path: "/accounts/acme/tokens"},
		{method: "POST", path: "/accounts/acme/tokens"},
		{method: "DELETE", path: "/accounts/acme/tokens/x"},
		{method: "GET", path: "/user/tokens"},
		{method: "POST", path: "/user/tokens"},
		{method: "DELETE", path: "/user/tokens/x"},
	} {
		c.token, c.body = token, "{}"
		f.refused(t, c, 403, 9109, "Unauthorized to access requested resource")
	}
	f.ok(t, call{method: "GET", path: "/accounts/acme", token: token}, nil)
	f.ok(t, call{method: "GET", path: "/accounts/acme/workers/scripts", token: token}, nil)
	f.ok(t, call{method: "GET", path: "/user", token: token}, nil)
	var verified struct{ Status string }
	if f.ok(t, call{method: "GET", path: "/user/tokens/verify", token: token}, &verified); verified.Status != "active" {
		t.Errorf("got %+v", verified)
	}
	f.ok(t, call{method: "GET", path: "/accounts/acme/tokens/verify", token: token}, nil)
}

type tokenReply struct{ ID, Name, Value string }

func TestAccountsAndTokens(t *testing.T) {
	f := newFixture(t, options{})
	var account struct {
		ID    string
		Hosts []string
	}
	f.ok(t, call{method: "POST", path: "/accounts", body: `{"name":"acme","hosts":["*.example.com"]}`}, &account)
	if account.ID != "acme" || !slices.Equal(account.Hosts, []string{"*.example.com"}) {
		t.Errorf("got %+v", account)
	}
	f.refused(t, call{method: "POST", path: "/accounts", body: `{"name":"acme"}`}, 409, 10409, `account "acme" exists already`)
	f.refused(t, call{method: "POST", path: "/accounts", body: `{"name":"local"}`}, 409, 10409, `account "local" exists already`)
	f.refused(t, call{method: "POST", path: "/accounts", body: `{"name":"A"}`}, 400, 10400,
		`name "A" is not 1 to 63 lower-case letters, digits and dashes with no dash first or last`)
	f.refused(t, call{method: "POST", path: "/accounts", body: `{"name":"a","hosts":["*example.com"]}`}, 400, 10400,
		`host "*example.com": write a name such as "example.com", or "*.example.com" for what is below it`)
	f.refused(t, call{method: "GET", path: "/accounts/nobody"}, 404, 10404, `account "nobody" does not exist`)

	var made tokenReply
	f.ok(t, call{method: "POST", path: "/accounts/acme/tokens", body: `{"name":"ci"}`}, &made)
	f.ok(t, call{method: "GET", path: "/accounts/acme", token: made.Value}, nil)
	var list []tokenReply
	f.ok(t, call{method: "GET", path: "/accounts/acme/tokens"}, &list)
	if len(list) != 1 || list[0] != (tokenReply{ID: made.ID, Name: "ci"}) {
		t.Errorf("got tokens %+v, want one without its value", list)
	}
	f.refused(t, call{method: "DELETE", path: "/accounts/local/tokens/" + made.ID}, 404, 10404, `token "`+made.ID+`" does not exist`)
	f.ok(t, call{method: "DELETE", path: "/accounts/acme/tokens/" + made.ID}, nil)
	f.refused(t, call{method: "GET", path: "/accounts/acme", token: made.Value}, 401, 10000, "Authentication error")

	f.ok(t, call{method: "POST", path: "/user/tokens", body: `{"name":"second"}`}, &made)
	f.ok(t, call{method: "GET", path: "/accounts/acme", token: made.Value}, nil)
	f.ok(t, call{method: "GET", path: "/user/tokens"}, &list)
	if len(list) != 2 {
		t.Errorf("got %d tokens for administrators, want 2", len(list))
	}
}

func TestDeleteAccount(t *testing.T) {
	f := newFixture(t, options{})
	token := f.account(t, "acme")
	f.ok(t, upload(t, "acme", "shop", `{"main_module":"main.wasm"}`, guest(1)), nil)
	namespace := f.namespace(t, "acme")
	remove := call{method: "DELETE", path: "/accounts/acme"}
	f.refused(t, remove, 409, 10409, "account acme still has Function shop; delete its Functions first")
	f.ok(t, call{method: "DELETE", path: "/accounts/acme/workers/scripts/shop"}, nil)
	f.refused(t, remove, 409, 10409, `account acme still has KV namespace "test"; delete its namespaces first`)
	f.ok(t, call{method: "DELETE", path: namespace}, nil)
	f.ok(t, remove, nil)
	f.refused(t, remove, 404, 10404, `account "acme" does not exist`)
	f.refused(t, call{method: "GET", path: "/accounts/acme", token: token}, 401, 10000, "Authentication error")
	f.refused(t, call{method: "DELETE", path: "/accounts/local"}, 403, 10403, "account local cannot be deleted")
}

// What an account may claim can be changed, but for what its Routes have.
func TestUpdateAccount(t *testing.T) {
	f := newFixture(t, options{})
	token := f.account(t, "acme")
	deployed := upload(t, "acme", "shop", `{"main_module":"main.wasm","mayfly":{"routes":["example.com/*"]}}`, guest(1))
	f.refused(t, deployed, 403, 10403, `route "example.com/*": account acme may not claim this host; ask the node's administrator to grant it, with 'mayfly account update'`)
	update := func(body string) call { return call{method: "PUT", path: "/accounts/acme", body: body} }
	f.refused(t, update(`{}`), 400, 10400, "hosts is missing: the list of all hosts that the account's routes may claim; [] for none")
	f.refused(t, update(`{"hosts":["a*"]}`), 400, 10400, `host "a*": write a name such as "example.com", or "*.example.com" for what is below it`)
	f.refused(t, call{method: "PUT", path: "/accounts/acme", body: `{"hosts":["*"]}`, token: token}, 403, 9109, "Unauthorized to access requested resource")
	f.refused(t, call{method: "PUT", path: "/accounts/local", body: `{"hosts":[]}`}, 403, 10403, "account local may claim every host, always")
	f.refused(t, call{method: "PUT", path: "/accounts/nobody", body: `{"hosts":[]}`}, 404, 10404, `account "nobody" does not exist`)
	f.ok(t, update(`{"hosts":["example.com","*.example.org"]}`), nil)
	f.ok(t, deployed, nil)
	f.refused(t, update(`{"hosts":["*.example.org"]}`), 409, 10409,
		`route "example.com/*" of Function shop is on a host that account acme could not claim then; remove it first, or grant its host too`)
	f.ok(t, update(`{"hosts":["example.com"]}`), nil)
	f.ok(t, call{method: "DELETE", path: "/accounts/acme/workers/scripts/shop"}, nil)
	f.ok(t, update(`{"hosts":[]}`), nil)
	if a, err := f.registry.Account("acme"); err != nil || len(a.Hosts) > 0 {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestRouteGrants(t *testing.T) {
	f := newFixture(t, options{})
	f.account(t, "acme", "example.com", "*.shop.example")
	f.account(t, "other", "example.com", "*.localhost")
	deployed := func(account, name, route string) call {
		return upload(t, account, name, `{"main_module":"main.wasm","mayfly":{"routes":["`+route+`"]}}`, guest(1))
	}
	denied := func(account, route string) string {
		return `route "` + route + `": account ` + account + " may not claim this host; ask the node's administrator to grant it, with 'mayfly account update'"
	}
	f.ok(t, deployed("acme", "a", "example.com/*"), nil)
	f.ok(t, deployed("acme", "b", "www.shop.example/*"), nil)
	f.ok(t, deployed("acme", "c", "*.acme.localhost/special/*"), nil)
	f.ok(t, deployed("local", "d", "www.example.org/*"), nil)
	for _, route := range []string{"www.example.com/*", "*.example.com/*", "shop.example/*", "*shop.example/*", "*/*", "x.localhost/*", "x.other.localhost/*"} {
		f.refused(t, deployed("acme", "x", route), 403, 10403, denied("acme", route))
	}
	f.refused(t, deployed("local", "x", "x.acme.localhost/*"), 403, 10403, denied("local", "x.acme.localhost/*"))
	f.refused(t, deployed("other", "x", "x.acme.localhost/*"), 403, 10403, denied("other", "x.acme.localhost/*"))
	f.refused(t, deployed("other", "x", "example.com/*"), 409, 10409, `route "example.com/*" belongs to a Function of another account; remove it there first`)
	f.refused(t, deployed("other", "x", "d.localhost/*"), 409, 10409, `route "d.localhost/*" is on the host of a Function of another account; choose another host`)
	f.refused(t, deployed("acme", "x", "example.com/*"), 409, 10409, `route "example.com/*" belongs to Function a; remove it there first`)

	f.ok(t, deployed("local", "e", "taken.localhost/*"), nil)
	f.refused(t, deployed("local", "taken", "x.example.org/*"), 409, 10409,
		`the host of Function taken is taken by route "taken.localhost/*" of Function e; choose another name`)
	f.ok(t, deployed("local", "g", "a.zone.localhost/*"), nil)
	f.refused(t, call{method: "POST", path: "/accounts", body: `{"name":"zone"}`}, 409, 10409,
		`route "a.zone.localhost/*" of Function g in account local is on a host that would be the new account's; choose another name`)
	if _, err := f.registry.Account(deploy.Local); err != nil {
		t.Error(err)
	}
}

func TestHealth(t *testing.T) {
	var notReady error
	f := newFixture(t, options{ready: func() error { return notReady }})
	var health struct{ Status, Version string }
	for _, path := range []string{"!/healthz", "!/readyz"} {
		if f.ok(t, call{method: "GET", path: path, noToken: true}, &health); health.Status != "ok" || health.Version != "1.2.3" {
			t.Errorf("%s: got %+v", path, health)
		}
		f.refused(t, call{method: "POST", path: path, noToken: true}, 405, 10405, "Method POST is not allowed here; GET is")
	}
	notReady = errors.New("the node is shutting down")
	f.refused(t, call{method: "GET", path: "!/readyz", noToken: true}, 503, 10503, "the node is shutting down")
	f.ok(t, call{method: "GET", path: "!/healthz", noToken: true}, nil)
}

func TestUnknownRoutes(t *testing.T) {
	f := newFixture(t, options{})
	for _, path := range []string{"/", "/nothing", "/accounts/local/workers/scripts/a/b", "/accounts//workers/scripts", "/accounts/local/", "!/", "!/client/v4", "!/x"} {
		shown := "/client/v4" + path
		if plain, ok := strings.CutPrefix(path, "!"); ok {
			shown = plain
		}
		f.refused(t, call{method: "GET", path: path}, 404, 7000, "No route for that URI: "+shown)
	}
	a := f.do(t, call{method: "PATCH", path: "/accounts/local/workers/scripts/x"})
	if got, want := a.header.Get("Allow"), "DELETE, GET, PUT"; a.status != 405 || got != want || a.envelope.Errors[0].Code != 10405 {
		t.Errorf("got %d %q %s, want 405 %q", a.status, got, a.body, want)
	}
	if a.header.Get("X-Request-Id") == "" {
		t.Error("got no request id")
	}
}
