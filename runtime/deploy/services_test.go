package deploy_test

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

func binding(binding, service string) deploy.Settings {
	return deploy.Settings{Services: []deploy.Service{{Binding: binding, Service: service}}}
}

func TestServices(t *testing.T) {
	r := newNode(t).open(t)
	mustAccount(t, r, "shop")
	refused := func(account, name string, s deploy.Settings, code host.Code, msg string) {
		t.Helper()
		_, err := r.Deploy(t.Context(), account, name, deploy.Upload{Module: guest(1), Settings: s})
		wantError(t, err, code, msg)
	}
	refused("local", "shop", binding("AUTH", "auth"), host.CodeInvalid, `service binding "AUTH": Function "auth" does not exist in account local; deploy it first`)
	mustDeploy(t, r, "shop", "auth", deploy.Upload{})
	refused("local", "shop", binding("AUTH", "auth"), host.CodeInvalid, `service binding "AUTH": Function "auth" does not exist in account local; deploy it first`)
	mustDeploy(t, r, "local", "auth", deploy.Upload{})
	mustDeploy(t, r, "local", "self", deploy.Upload{Settings: binding("ME", "self")})
	mustDeploy(t, r, "local", "shop", deploy.Upload{Settings: binding("AUTH", "auth")})
	mustDeploy(t, r, "local", "news", deploy.Upload{Settings: deploy.Settings{Services: []deploy.Service{{"B", "auth"}, {"A", "auth"}, {"S", "shop"}}}})

	got, err := r.References("local", "auth")
	want := []deploy.Reference{{"news", "A"}, {"news", "B"}, {"shop", "AUTH"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("references are %v, %v; want %v", got, err, want)
	}
	if got, err := r.References("shop", "auth"); err != nil || len(got) > 0 {
		t.Errorf("references to that of the other account are %v, %v; want none", got, err)
	}
	_, err = r.References("local", "nothing")
	wantError(t, err, host.CodeNotFound, `Function "nothing" does not exist in account local`)

	err = r.Delete(t.Context(), "local", "auth", false)
	wantError(t, err, host.CodeConflict, "Function auth is bound to A of Function news, and so to 3 in all; deploy those without it first, or delete it with force")
	for _, d := range []struct {
		account, name string
		force         bool
	}{{"shop", "auth", false}, {"local", "self", false}, {"local", "auth", true}} {
		if err := r.Delete(t.Context(), d.account, d.name, d.force); err != nil {
			t.Errorf("delete %v: %v", d, err)
		}
	}
}

// A node starts with a Function whose service was deleted, and calls tell.
func TestServiceDeleted(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	mustDeploy(t, r, "local", "auth", deploy.Upload{})
	mustDeploy(t, r, "local", "shop", deploy.Upload{Settings: binding("AUTH", "auth")})
	if err := r.Delete(t.Context(), "local", "auth", true); err != nil {
		t.Fatal(err)
	}
	r.Close()
	r, err := n.tryOpen(t, deploy.Config{
		Call: func(_ context.Context, _ *host.FetchRequest, find func() (*deploy.Active, error)) (*host.FetchResponse, error) {
			_, err := find()
			return nil, err
		}})
	if err != nil {
		t.Fatal(err)
	}
	active, _ := r.Lookup([]byte("http"), []byte("shop.localhost"), []byte("/"))
	_, err = active.Main().Bindings.Fetchers["AUTH"].Fetch(t.Context(), &host.FetchRequest{})
	wantError(t, err, host.CodeNotFound, `Function "auth", which is bound to AUTH, does not exist any more; deploy it again`)
	_, err = r.Deploy(t.Context(), "local", "shop", deploy.Upload{Module: guest(1), Settings: binding("AUTH", "auth")})
	wantError(t, err, host.CodeInvalid, `service binding "AUTH": Function "auth" does not exist in account local; deploy it first`)
}

func TestBindingsRefused(t *testing.T) {
	r := newNode(t).open(t)
	mustDeploy(t, r, "local", "auth", deploy.Upload{})
	limit := func(name, namespace string, limit, period int64) deploy.Settings {
		return deploy.Settings{RateLimits: []deploy.RateLimit{{name, namespace, deploy.SimpleLimit{limit, period}}}}
	}
	many := deploy.Settings{}
	for range 65 {
		many.Services = append(many.Services, deploy.Service{Binding: "A", Service: "auth"})
	}
	both := binding("A", "auth")
	both.VersionMetadata.Binding = "A"
	taken := limit("A", "1", 1, 10)
	taken.Vars = map[string]deploy.Var{"A": {Text: "x"}}
	for _, tt := range []struct {
		msg      string
		settings deploy.Settings
	}{
		{`binding "1A" is not an identifier: letters, digits and underscores, no digit first`, binding("1A", "auth")},
		{`service binding "A": name "A.b" is not 1 to 63 lower-case letters, digits and dashes with no dash first or last`, binding("A", "A.b")},
		{`rate limit "A": the period is 30; it is 10 or 60 seconds`, limit("A", "1", 1, 30)},
		{`rate limit "A": the limit is 0; it is 1 to 1000000000`, limit("A", "1", 0, 60)},
		{`rate limit "A": namespace_id "" is not 1 to 64 letters, digits, dashes and underscores`, limit("A", "", 1, 60)},
		{`binding "A B" is not an identifier: letters, digits and underscores, no digit first`, limit("A B", "1", 1, 60)},
		{`65 service bindings were given; at most 64 are allowed`, many},
		{`binding "A" is given twice`, both},
		{"binding \"A\" is given twice", taken},
	} {
		_, err := r.Deploy(t.Context(), "local", "shop", deploy.Upload{Module: guest(1), Settings: tt.settings})
		wantError(t, err, host.CodeInvalid, tt.msg)
	}
}

func TestVersionMetadata(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	settings := deploy.Settings{VersionMetadata: deploy.VersionMetadata{Binding: "CF_VERSION_METADATA"}}
	check := func(r *deploy.Registry, v deploy.Version) {
		t.Helper()
		var got struct {
			ID, Tag   string
			Timestamp time.Time
		}
		value := env(t, r, "hello")["CF_VERSION_METADATA"].Value
		if err := json.Unmarshal([]byte(value), &got); err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		if got.ID != v.ID || got.Tag != v.Tag || !got.Timestamp.Equal(v.Created) {
			t.Errorf("got %s, want id %s and timestamp %v", value, v.ID, v.Created)
		}
	}
	check(r, mustDeploy(t, r, "local", "hello", deploy.Upload{Settings: settings}))
	v := mustDeploy(t, r, "local", "hello", deploy.Upload{Module: guest(1), Settings: settings, Note: deploy.Note{Tag: "v1.2"}})
	check(r, v)
	r.Close()
	check(n.open(t), v)
}
