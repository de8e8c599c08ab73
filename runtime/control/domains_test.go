package control_test

import (
	"fmt"
	"slices"
	"testing"
)

type routeJSON struct {
	ID, Pattern, Script string
	CustomDomain        bool `json:"custom_domain"`
	Enabled             bool
}

type domainJSON struct {
	ID, Hostname, Service, Environment string
	Enabled, Modified                  bool
}

const (
	allRoutes  = "/accounts/local/workers/routes"
	allDomains = "/accounts/local/workers/domains"
)

// routesAre compares all routes of account local.
func (f *fixture) routesAre(t *testing.T, want ...string) {
	t.Helper()
	var list []routeJSON
	f.ok(t, call{method: "GET", path: allRoutes}, &list)
	var got []string
	for _, r := range list {
		text := r.Pattern + " " + r.Script
		if r.CustomDomain {
			text += " domain"
		}
		if !r.Enabled {
			text += " off"
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func newTwo(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, options{})
	f.ok(t, upload(t, "local", "a", `{"main_module":"main.wasm","mayfly":{"routes":["example.com/a/*",{"pattern":"a.example.com","custom_domain":true}]}}`, guest(1)), nil)
	f.ok(t, upload(t, "local", "b", `{"main_module":"main.wasm"}`, guest(1)), nil)
	return f
}

func TestRoutesOneByOne(t *testing.T) {
	f := newTwo(t)
	f.routesAre(t, "a.example.com/* a domain", "example.com/a/* a")
	f.ok(t, call{method: "PUT", path: scripts + "/a/routes", body: `["example.com/b/*"]`}, nil) // custom domains stay
	f.routesAre(t, "a.example.com/* a domain", "example.com/b/* a")
	var added []routeJSON
	f.ok(t, call{method: "POST", path: scripts + "/a/routes", body: `[{"pattern":"example.com/c/*","enabled":false}]`}, &added)
	if len(added) != 3 || added[2].Pattern != "example.com/c/*" || added[2].Enabled {
		t.Errorf("got %+v", added)
	}
	f.routesAre(t, "a.example.com/* a domain", "example.com/b/* a", "example.com/c/* a off")
	f.ok(t, call{method: "DELETE", path: scripts + "/a/routes/" + added[2].ID}, nil)
	f.routesAre(t, "a.example.com/* a domain", "example.com/b/* a")
	f.refused(t, call{method: "DELETE", path: scripts + "/a/routes/" + added[2].ID}, 404, 10007, fmt.Sprintf(`Function a has no route %q`, added[2].ID))
	f.refused(t, call{method: "POST", path: scripts + "/b/routes", body: `["example.com/b/*"]`}, 409, 10409, `route "example.com/b/*" belongs to Function a; remove it there first`)
	f.refused(t, call{method: "PUT", path: scripts + "/b/routes", body: `[{"pattern":"c.example.com","custom_domain":true}]`}, 400, 10021, `"c.example.com" is a custom domain; put it at /workers/domains`)
	var of []routeJSON
	if f.ok(t, call{method: "GET", path: scripts + "/b/routes"}, &of); len(of) != 0 {
		t.Errorf("b has %+v", of)
	}
}

func TestDomains(t *testing.T) {
	f := newTwo(t)
	var d domainJSON
	f.ok(t, call{method: "PUT", path: allDomains, body: `{"hostname":"B.example.com","service":"b","environment":"production","zone_id":"1"}`}, &d)
	if d.Hostname != "b.example.com" || d.Service != "b" || d.Environment != "production" || !d.Enabled || len(d.ID) != 32 {
		t.Errorf("got %+v", d)
	}
	f.routesAre(t, "a.example.com/* a domain", "b.example.com/* b domain", "example.com/a/* a")
	for _, path := range []string{"/" + d.ID, "/records/" + d.ID} {
		var got domainJSON
		if f.ok(t, call{method: "GET", path: allDomains + path}, &got); got != d {
			t.Errorf("%s: got %+v, want %+v", path, got, d)
		}
	}
	for query, want := range map[string]int{"": 2, "?service=a": 1, "?hostname=B.example.com": 1, "?service=a&hostname=b.example.com": 0} {
		var list []domainJSON
		if f.ok(t, call{method: "GET", path: allDomains + query}, &list); len(list) != want {
			t.Errorf("%q: got %+v", query, list)
		}
	}
	put := func(body string) call { return call{method: "PUT", path: allDomains, body: body} }
	f.refused(t, put(`{"hostname":"a.example.com","service":"b"}`), 409, 10409, `route "a.example.com/*" belongs to Function a; remove it there first`)
	f.refused(t, put(`{"hostname":"*.example.com","service":"b"}`), 400, 10021, `a custom domain is a host without path and wildcards, not "*.example.com"`)
	f.refused(t, put(`{"hostname":"c.example.com","service":"c"}`), 404, 10007, `Function "c" does not exist in account local`)
	f.ok(t, put(`{"hostname":"b.example.com","service":"b","enabled":false}`), &d)
	if d.Enabled {
		t.Error("the domain is enabled")
	}
	f.routesAre(t, "a.example.com/* a domain", "b.example.com/* b domain off", "example.com/a/* a")
	f.ok(t, call{method: "DELETE", path: allDomains + "/" + d.ID}, nil)
	f.refused(t, call{method: "DELETE", path: allDomains + "/" + d.ID}, 404, 10007, fmt.Sprintf(`domain %q does not exist in account local`, d.ID))
	f.routesAre(t, "a.example.com/* a domain", "example.com/a/* a")
}

// As wrangler deploys triggers: on a terminal it asks what would change.
func TestDomainsOfWrangler(t *testing.T) {
	f := newTwo(t)
	var set struct{ Added, Removed, Updated, Conflicting []domainJSON }
	f.ok(t, call{method: "POST", path: scripts + "/b/domains/changeset?replace_state=true", body: `[{"hostname":"a.example.com"},{"hostname":"b.example.com","zone_name":"example.com"}]`}, &set)
	if len(set.Added) != 1 || set.Added[0].Hostname != "b.example.com" || len(set.Updated) != 1 || !set.Updated[0].Modified || set.Removed == nil || set.Conflicting == nil {
		t.Errorf("got %+v", set)
	}
	var held domainJSON
	if f.ok(t, call{method: "GET", path: allDomains + "/records/" + set.Updated[0].ID}, &held); held.Service != "a" {
		t.Errorf("the domain that would move is %+v", held)
	}
	records := func(script, body string) call {
		return call{method: "PUT", path: scripts + "/" + script + "/domains/records", body: body}
	}
	const both = `"origins":[{"hostname":"a.example.com"},{"hostname":"b.example.com"}]}`
	f.refused(t, records("b", `{"override_scope":true,"override_existing_origin":false,`+both), 409, 10409, `route "a.example.com/*" belongs to Function a; remove it there first`)
	f.routesAre(t, "a.example.com/* a domain", "example.com/a/* a")
	f.ok(t, records("b", `{"override_scope":true,"override_existing_origin":true,"override_existing_dns_record":true,`+both), nil)
	f.routesAre(t, "a.example.com/* b domain", "b.example.com/* b domain", "example.com/a/* a")
	f.ok(t, call{method: "POST", path: scripts + "/b/domains/changeset", body: `[{"hostname":"b.example.com"}]`}, &set)
	if len(set.Removed) != 1 || set.Removed[0].Hostname != "a.example.com" || set.Updated[0].Modified {
		t.Errorf("got %+v", set)
	}
	f.ok(t, records("b", `{"origins":[]}`), nil)
	f.routesAre(t, "example.com/a/* a")
}

// Before it sets routes, wrangler looks for those of others in their zones.
func TestZones(t *testing.T) {
	f := newTwo(t)
	f.account(t, "acme")
	acme := f.scoped(t, "acme", "read")
	var zones []struct{ ID, Name string }
	for query, want := range map[string]int{"?name=Example.com&account.id=local": 1, "?name=example.com": 1, "": 0, "?name=a/b": 0} {
		if f.ok(t, call{method: "GET", path: "/zones" + query}, &zones); len(zones) != want {
			t.Errorf("%q: got %v", query, zones)
		}
	}
	f.ok(t, call{method: "GET", path: "/zones?name=example.com"}, &zones)
	for _, zone := range []string{zones[0].ID, "0123456789abcdef0123456789abcdef"} {
		var routes []routeJSON
		if f.ok(t, call{method: "GET", path: "/zones/" + zone + "/workers/routes"}, &routes); len(routes) != 2 || routes[1].Script != "a" {
			t.Errorf("%s: got %+v", zone, routes)
		}
	}
	f.refused(t, call{method: "GET", path: "/zones?name=example.com&account.id=local", token: acme}, 403, 9109, "Unauthorized to access requested resource")
	f.refused(t, call{method: "GET", path: "/zones/" + zones[0].ID + "/workers/routes", token: acme}, 403, 9109, "Unauthorized to access requested resource")
	var routes []routeJSON
	if f.ok(t, call{method: "GET", path: "/zones/0123/workers/routes", token: acme}, &routes); len(routes) != 0 {
		t.Errorf("another account sees %+v", routes)
	}
}
