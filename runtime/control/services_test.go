package control_test

import (
	"strings"
	"testing"
)

// bound is the metadata of a module with bindings.
func bound(bindings string) string {
	return `{"main_module":"main.wasm","bindings":[` + bindings + `]}`
}

const oneOfEach = `{"type":"service","name":"AUTH","service":"auth"},` +
	`{"type":"ratelimit","name":"LIMITER","namespace_id":"1001","simple":{"limit":100,"period":60}},` +
	`{"type":"version_metadata","name":"CF_VERSION_METADATA"}`

func TestServiceBindings(t *testing.T) {
	f := newFixture(t, options{})
	f.ok(t, upload(t, "local", "auth", bound(``), guest(1)), nil)
	var made script
	// As wrangler sends them, with what has no meaning here.
	f.ok(t, upload(t, "local", "shop", bound(`{"type":"service","name":"AUTH","service":"auth","environment":"production"},`+
		`{"type":"ratelimit","name":"LIMITER","namespace_id":"1001","simple":{"limit":100,"period":60}},`+
		`{"type":"version_metadata","name":"CF_VERSION_METADATA"}`), guest(1)), &made)
	answer := f.ok(t, call{method: "GET", path: scripts + "/shop/settings"}, nil)
	wantContains(t, answer.body, `"bindings":[`+oneOfEach+`]`)
	wantContains(t, f.ok(t, call{method: "GET", path: scripts + "/shop/versions/" + made.VersionID}, nil).body, `"bindings":[`+oneOfEach+`]`)

	// A bare module keeps them.
	f.ok(t, call{method: "PUT", path: scripts + "/shop", kind: "application/wasm", body: guest(2)}, nil)
	wantContains(t, f.ok(t, call{method: "GET", path: scripts + "/shop/settings"}, nil).body, `"bindings":[`+oneOfEach+`]`)

	wantContains(t, f.ok(t, call{method: "GET", path: scripts + "/auth/references"}, nil).body,
		`"services":{"incoming":[{"service":"shop","environment":"production","name":"AUTH"}],"outgoing":[]}`)
	wantContains(t, f.ok(t, call{method: "GET", path: scripts + "/shop/references"}, nil).body,
		`"services":{"incoming":[],"outgoing":[{"service":"auth","environment":"production","name":"AUTH"}]}`)
	f.refused(t, call{method: "GET", path: scripts + "/nothing/references"}, 404, 10007, `Function "nothing" does not exist in account local`)

	f.refused(t, call{method: "DELETE", path: scripts + "/auth"}, 409, 10409,
		"Function auth is bound to AUTH of Function shop, and so to 1 in all; deploy those without it first, or delete it with force")
	f.refused(t, call{method: "DELETE", path: scripts + "/auth?force=false"}, 409, 10409,
		"Function auth is bound to AUTH of Function shop, and so to 1 in all; deploy those without it first, or delete it with force")
	f.ok(t, call{method: "DELETE", path: scripts + "/auth?force=true"}, nil)
}

func TestRefusedBindings(t *testing.T) {
	f := newFixture(t, options{})
	f.ok(t, upload(t, "local", "auth", bound(``), guest(1)), nil)
	for _, tt := range []struct{ bindings, msg string }{
		{`{"type":"service","name":"A","service":"nobody"}`, `service binding "A": Function "nobody" does not exist in account local; deploy it first`},
		{`{"type":"service","name":"A"}`, `service binding "A": name "" is not 1 to 63 lower-case letters, digits and dashes with no dash first or last`},
		{`{"type":"service","name":"A","service":"auth","environment":"staging"}`, `service binding "A": environment "staging" is not offered; bind the Function of that stage by its name`},
		{`{"type":"service","name":"A","service":"auth","entrypoint":"Admin"}`, `service binding "A": entrypoint "Admin" is not offered; a Function has only the default one`},
		{`{"type":"service","name":"A","service":"auth"},{"type":"plain_text","name":"A","text":"x"}`, `binding "A" is given twice`},
		{`{"type":"ratelimit","name":"A","namespace_id":"1"}`, `rate limit "A" has no simple limit: {"limit": 100, "period": 60}`},
		{`{"type":"ratelimit","name":"A","namespace_id":"1","simple":{"limit":1,"period":1}}`, `rate limit "A": the period is 1; it is 10 or 60 seconds`},
		{`{"type":"version_metadata"}`, `the binding of the version metadata has no name`},
		{`{"type":"version_metadata","name":"A"},{"type":"version_metadata","name":"B"}`, `version metadata is bound twice, to "A" and "B"`},
	} {
		f.refused(t, upload(t, "local", "shop", bound(tt.bindings), guest(1)), 400, 10021, tt.msg)
	}
	f.refused(t, call{method: "GET", path: scripts + "/shop"}, 404, 10007, `Function "shop" does not exist in account local`)
}

func wantContains(t *testing.T, body, want string) {
	t.Helper()
	if !strings.Contains(body, want) {
		t.Errorf("got %s, want it to have %s", body, want)
	}
}
