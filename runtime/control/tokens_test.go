package control_test

import (
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/control"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// token is a token as the API shows it.
type token struct {
	ID, Name, Status, Value, Account string
	Scopes                           []string
	ExpiresOn                        time.Time `json:"expires_on"`
	LastUsedOn                       time.Time `json:"last_used_on"`
	Policies                         []struct {
		Effect    string
		Resources map[string]string
		Groups    []struct{ ID, Name string } `json:"permission_groups"`
	}
}

// clock is a time that a test moves while others look at it.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.set(epoch)
	return c
}

func (c *clock) Now() time.Time { return time.Unix(0, c.ns.Load()) }

func (c *clock) set(t time.Time) { c.ns.Store(t.UnixNano()) }

const acmeTokens = "/accounts/acme/tokens"

func TestTokenLife(t *testing.T) {
	at := newClock()
	f := newFixture(t, options{now: at.Now})
	f.account(t, "acme")
	var made token
	f.ok(t, call{method: "POST", path: acmeTokens, body: `{"name":"ci","scopes":["read","kv"],"expires_on":"2027-02-01T09:00:00+01:00"}`}, &made)
	if made.Status != "active" || made.Value == "" || !slices.Equal(made.Scopes, []string{"read", "kv"}) ||
		!made.ExpiresOn.Equal(time.Date(2027, 2, 1, 8, 0, 0, 0, time.UTC)) {
		t.Errorf("got %+v", made)
	}
	verify := call{method: "GET", path: "/user/tokens/verify", token: made.Value}
	one := acmeTokens + "/" + made.ID
	var got token

	f.ok(t, verify, &got)
	if got.ID != made.ID || got.Status != "active" || got.Account != "acme" || !slices.Equal(got.Scopes, []string{"read", "kv"}) {
		t.Errorf("verify: got %+v", got)
	}
	if f.ok(t, call{method: "GET", path: one}, &got); !got.LastUsedOn.Equal(epoch) || got.Value != "" {
		t.Errorf("got %+v, want its last use without its value", got)
	}
	at.set(epoch.Add(30 * time.Minute))
	f.ok(t, verify, nil)
	if f.ok(t, call{method: "GET", path: one}, &got); !got.LastUsedOn.Equal(epoch) {
		t.Errorf("a use half an hour later is kept: %v", got.LastUsedOn)
	}
	at.set(epoch.Add(90 * time.Minute))
	f.ok(t, verify, nil)
	if f.ok(t, call{method: "GET", path: one}, &got); !got.LastUsedOn.Equal(at.Now()) {
		t.Errorf("got the last use %v, want %v", got.LastUsedOn, at.Now())
	}

	f.ok(t, call{method: "PUT", path: one, body: `{"status":"disabled"}`}, &got)
	if got.Status != "disabled" || got.Name != "ci" || !slices.Equal(got.Scopes, []string{"read", "kv"}) || got.ExpiresOn.IsZero() {
		t.Errorf("got %+v, want only the status changed", got)
	}
	f.refused(t, verify, 401, 10000, "Authentication error: this token is disabled")
	got = token{}
	f.ok(t, call{method: "PUT", path: one, body: `{"status":"active","name":"cd","scopes":["deploy"],"expires_on":null}`}, &got)
	if got.Status != "active" || got.Name != "cd" || !slices.Equal(got.Scopes, []string{"deploy"}) || !got.ExpiresOn.IsZero() {
		t.Errorf("got %+v, want all changed", got)
	}
	f.ok(t, call{method: "GET", path: "/accounts/acme/workers/scripts", token: made.Value}, nil)
	f.refused(t, call{method: "GET", path: "/accounts/acme/storage/kv/namespaces/x/keys", token: made.Value}, 403, 9109, "Unauthorized to access requested resource")
	f.ok(t, call{method: "DELETE", path: one}, nil)
	f.refused(t, verify, 401, 10000, "Authentication error")
	f.refused(t, call{method: "GET", path: one}, 404, 10404, `token "`+made.ID+`" does not exist`)
	f.refused(t, call{method: "PUT", path: one, body: "{}"}, 404, 10404, `token "`+made.ID+`" does not exist`)
}

func TestExpiry(t *testing.T) {
	at := newClock()
	f := newFixture(t, options{now: at.Now})
	f.account(t, "acme")
	for _, path := range []string{acmeTokens, "/user/tokens"} {
		at.set(epoch)
		var made token
		f.ok(t, call{method: "POST", path: path, body: `{"expires_on":"` + epoch.Add(time.Hour).Format(time.RFC3339) + `"}`}, &made)
		at.set(epoch.Add(time.Hour - time.Second))
		f.ok(t, call{method: "GET", path: "/user", token: made.Value}, nil)
		at.set(epoch.Add(time.Hour))
		f.refused(t, call{method: "GET", path: "/user", token: made.Value}, 401, 10000,
			"Authentication error: this token expired at "+epoch.Add(time.Hour).UTC().Format(time.RFC3339))
		var got token
		if f.ok(t, call{method: "GET", path: path + "/" + made.ID}, &got); got.Status != "expired" {
			t.Errorf("got %+v", got)
		}
		f.ok(t, call{method: "PUT", path: path + "/" + made.ID, body: `{"name":"renamed"}`}, nil) // its expiry may stay in the past
		f.ok(t, call{method: "DELETE", path: path + "/" + made.ID}, nil)
	}
}

// TestPolicies makes a token in Cloudflare's words.
func TestPolicies(t *testing.T) {
	f := newFixture(t, options{})
	f.account(t, "acme")
	var groups []struct{ ID, Name string }
	f.ok(t, call{method: "GET", path: acmeTokens + "/permission_groups"}, &groups)
	if len(groups) != 5 || groups[2].Name != "Workers KV Storage Write" {
		t.Errorf("got %+v", groups)
	}
	policy := func(effect, resources, groups string) string {
		return `{"name":"x","policies":[{"effect":"` + effect + `","resources":{` + resources + `},"permission_groups":[` + groups + `]}]}`
	}
	const here = `"com.cloudflare.api.account.acme":"*"`
	var made token
	f.ok(t, call{method: "POST", path: acmeTokens, body: policy("allow", here, `{"id":"kv"},{"name":"Workers Scripts Read"}`)}, &made)
	if !slices.Equal(made.Scopes, []string{"read", "kv"}) || len(made.Policies) != 1 || len(made.Policies[0].Groups) != 2 ||
		made.Policies[0].Resources["com.cloudflare.api.account.acme"] != "*" || made.Policies[0].Groups[1].Name != "Workers KV Storage Write" {
		t.Errorf("got %+v", made)
	}

	const wanted = `the resources of a policy have to be {"com.cloudflare.api.account.acme": "*"} here`
	for _, tt := range []struct{ name, path, body, msg string }{
		{"deny", acmeTokens, policy("deny", here, `{"id":"kv"}`), `the effect of a policy is "deny"; only "allow" is offered`},
		{"other account", acmeTokens, policy("allow", `"com.cloudflare.api.account.local":"*"`, `{"id":"kv"}`), wanted},
		{"zone", acmeTokens, policy("allow", here+`,"com.cloudflare.api.account.zone.*":"*"`, `{"id":"kv"}`), wanted},
		{"unknown group", acmeTokens, policy("allow", here, `{"id":"c8fed203ed3043cba015a93ad1616f1f"}`), `there is no scope "c8fed203ed3043cba015a93ad1616f1f"; there are read, deploy, kv, admin, queues`},
		{"no group", acmeTokens, policy("allow", here, ``), "no scope is given; there are read, deploy, kv, admin, queues"},
		{"unknown scope", acmeTokens, `{"scopes":["write"]}`, `there is no scope "write"; there are read, deploy, kv, admin, queues`},
		{"no scope", acmeTokens, `{"scopes":[]}`, "no scope is given; there are read, deploy, kv, admin, queues"},
		{"both", acmeTokens, `{"scopes":["kv"],"policies":[]}`, "scopes and policies exclude each other"},
		{"past", acmeTokens, `{"expires_on":"2020-01-01T00:00:00Z"}`, "a token cannot expire in the past, at 2020-01-01T00:00:00Z"},
		{"no time", acmeTokens, `{"expires_on":"soon"}`, `the body is not the JSON expected here: "soon" is not a time such as "2027-01-31T12:00:00Z"`},
		{"not before", acmeTokens, `{"not_before":"2030-01-01T00:00:00Z"}`, "not_before is not offered; leave it out, and make the token when it is needed"},
		{"condition", acmeTokens, `{"condition":{"request_ip":{"in":["127.0.0.1"]}}}`, "condition is not offered: a token is good from any address; leave it out"},
		{"status", acmeTokens, `{"status":"expired"}`, `status is "expired"; active or disabled is expected`},
		{"long name", acmeTokens, `{"name":"` + strings.Repeat("x", 129) + `"}`, "the name of a token has at most 128 bytes"},
		{"scopes for administrators", "/user/tokens", `{"scopes":["read"]}`, "a token for administrators may do everything; give scopes to a token of an account"},
		{"policies for administrators", "/user/tokens", policy("allow", here, `{"id":"kv"}`), "a token for administrators may do everything; make one with policies at accounts/{account}/tokens"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.refused(t, call{method: "POST", path: tt.path, body: tt.body}, 400, 10400, tt.msg)
		})
	}
	if list, err := f.registry.Tokens("acme"); err != nil || len(list) != 2 {
		t.Errorf("got %v, %v; a refused token was made", list, err)
	}
}

func TestFailureLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	at := newClock()
	f := newFixture(t, options{now: at.Now, failures: control.FailureLimits{PerAddress: 6}, audit: path})
	other := f.account(t, "acme")
	bad := call{method: "GET", path: "/user", token: "guess"}
	const wait = "Please wait and consider throttling your request speed: too many requests without a good token"

	f.ok(t, call{method: "GET", path: "/user"}, nil)
	for range 6 {
		f.refused(t, bad, 401, 10000, "Authentication error")
	}
	if a := f.do(t, bad); a.status != 429 || a.header.Get("Retry-After") != "11" {
		t.Errorf("got %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
	f.refused(t, call{method: "GET", path: "/user", token: other}, 429, 971, wait) // a guess learns nothing
	f.ok(t, call{method: "GET", path: "/user"}, nil)                               // nobody is locked out
	at.set(at.Now().Add(11 * time.Second))
	f.ok(t, call{method: "GET", path: "/user", token: other}, nil)
	f.refused(t, bad, 401, 10000, "Authentication error")
	f.refused(t, bad, 429, 971, wait)
	f.ok(t, call{method: "GET", path: "/user", token: other}, nil)

	recorded := map[int]int{}
	for _, e := range mustAudit(t, path) {
		recorded[e.Status]++
	}
	if recorded[401] != 7 || recorded[429] != 3 {
		t.Errorf("got the statuses %v in the log, want 7 of 401 and 3 of 429", recorded)
	}
}

// TestRevokedTokenThatWasGood is refused like any other from an address that it
// was good from.
func TestRevokedTokenThatWasGood(t *testing.T) {
	f := newFixture(t, options{failures: control.FailureLimits{All: 1, PerAddress: 100}})
	f.account(t, "acme")
	text, made, err := f.registry.CreateToken(t.Context(), deploy.TokenRequest{Account: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	f.ok(t, call{method: "GET", path: "/user", token: text}, nil)
	if err := f.registry.RevokeToken(t.Context(), "acme", made.ID); err != nil {
		t.Fatal(err)
	}
	f.refused(t, call{method: "GET", path: "/user", token: text}, 401, 10000, "Authentication error")
	if a := f.do(t, call{method: "GET", path: "/user", token: text}); a.status != 429 {
		t.Errorf("got %d, want all addresses limited together", a.status)
	}
}
