package control_test

import (
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/control"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// wants is the rule for what a token of an account needs for a route: scopes, of
// which one is enough, "any" for all tokens, or "node" for none of an account.
func wants(method, path string) string {
	reads := method == "GET" || strings.HasSuffix(path, "/bulk/get")
	area := strings.TrimPrefix(path, "accounts/{account}")
	switch {
	case path == "accounts" && !reads, area == "" && !reads, path == "mayfly/backup":
		return "node"
	case strings.HasSuffix(path, "tokens/verify"), strings.HasSuffix(path, "tokens/permission_groups"):
		return "any"
	case strings.HasPrefix(path, "user/tokens"), strings.HasPrefix(path, "mayfly/"):
		return "node"
	case strings.HasPrefix(path, "zones"):
		return "read"
	case area == path, area == "": // of no account, or only about it
		return "any"
	case strings.HasPrefix(area, "/tokens"):
		return "admin"
	case area == "/storage/kv/namespaces" && !reads:
		return "deploy kv" // a deploy makes those that it needs
	case strings.HasPrefix(area, "/storage/kv/namespaces") && reads && strings.Count(area, "/") <= 4:
		return "read kv" // their names
	case strings.HasPrefix(area, "/storage/kv/"):
		return "kv"
	case area == "/queues" && !reads, strings.HasPrefix(area, "/queues/{queue}/consumers") && !reads:
		return "deploy queues" // a deploy makes those that it needs
	case strings.HasPrefix(area, "/queues") && (!reads || strings.HasSuffix(path, "/purge")):
		return "queues"
	case strings.HasPrefix(area, "/queues"):
		return "read queues"
	case reads, strings.Contains(path, "/tails"): // which are looked at
		return "read"
	}
	return "deploy"
}

// includes are the scopes that a scope stands for.
func includes(scope string) string {
	switch scope {
	case "admin":
		return "admin deploy read kv queues"
	case "deploy":
		return "deploy read"
	}
	return scope
}

// allowed reports whether a scope is enough for what a route wants.
func allowed(scope, want string) bool {
	if want == "any" {
		return true
	}
	for _, has := range strings.Fields(includes(scope)) {
		for _, enough := range strings.Fields(want) {
			if has == enough {
				return true
			}
		}
	}
	return false
}

// TestScopes tries all routes with each scope, in the token's account and in
// others, whether what is asked for is there or not.
func TestScopes(t *testing.T) {
	for _, scope := range []string{"read", "deploy", "kv", "queues", "admin", "read kv", "deploy kv"} {
		t.Run(scope, func(t *testing.T) {
			f := newFixture(t, options{})
			f.account(t, "acme")
			f.account(t, "other")
			token := f.scoped(t, "acme", scope)
			namespace := f.namespace(t, "acme")
			id := namespace[strings.LastIndexByte(namespace, '/')+1:]
			for _, rt := range control.Routes() {
				want := wants(rt[0], rt[1])
				may := false
				for _, s := range strings.Fields(scope) {
					may = may || allowed(s, want)
				}
				c := call{method: rt[0], path: filled(rt[1], "acme", id), token: token, body: "{}"}
				if a := f.do(t, c); (a.status != 403) != may || !may && !strings.Contains(a.body, `"code":9109,"message":"Unauthorized to access requested resource"`) {
					t.Errorf("%s %s with %s: got %d %s, and it wants %s", c.method, c.path, scope, a.status, a.body, want)
				}
				if strings.Contains(rt[1], "{account}") {
					for _, account := range []string{"other", "nobody", "local"} {
						c.path = filled(rt[1], account, id)
						f.refused(t, c, 403, 9109, "Unauthorized to access requested resource")
					}
				}
			}
		})
	}
}

// scoped makes a token of an account.
func (f *fixture) scoped(t testing.TB, account, scopes string) (token string) {
	t.Helper()
	s, err := deploy.ParseScopes(strings.Fields(scopes))
	if err != nil {
		t.Fatal(err)
	}
	token, _, err = f.registry.CreateToken(t.Context(), deploy.TokenRequest{Account: account, Name: scopes, Scopes: s})
	if err != nil {
		t.Fatal(err)
	}
	return token
}
