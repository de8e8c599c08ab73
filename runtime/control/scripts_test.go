package control_test

import "testing"

type script struct {
	ID           string
	ETag         string
	VersionID    string `json:"version_id"`
	DeploymentID string `json:"deployment_id"`
	URL          string
	Routes       []struct{ Pattern string }
}

const scripts = "/accounts/local/workers/scripts"

func TestScriptLifecycle(t *testing.T) {
	f := newFixture(t, options{})
	var none []script
	if f.ok(t, call{method: "GET", path: scripts}, &none); none == nil || len(none) != 0 {
		t.Errorf("got %v, want an empty list", none)
	}
	var made script
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm","mayfly":{"routes":["example.com/*"]}}`, guest(1)), &made)
	if made.ID != "hello" || made.URL != "http://hello.localhost:8787" || made.VersionID == "" || made.DeploymentID == "" ||
		len(made.Routes) != 1 || made.Routes[0].Pattern != "example.com/*" {
		t.Errorf("got %+v", made)
	}
	var all []script
	f.ok(t, call{method: "GET", path: scripts}, &all)
	if len(all) != 1 || all[0].VersionID != made.VersionID {
		t.Errorf("got %+v, want the one that was made", all)
	}
	module := f.do(t, call{method: "GET", path: scripts + "/hello"})
	if module.body != guest(1) || module.header.Get("Content-Type") != "application/wasm" || module.header.Get("ETag") != `"`+made.ETag+`"` {
		t.Errorf("got a module of %d bytes, %v", len(module.body), module.header)
	}
	f.ok(t, call{method: "DELETE", path: scripts + "/hello"}, nil)
	f.refused(t, call{method: "GET", path: scripts + "/hello"}, 404, 10007, `Function "hello" does not exist in account local`)
	f.refused(t, call{method: "DELETE", path: scripts + "/hello"}, 404, 10007, `Function "hello" does not exist in account local`)
}

func TestBareUploadKeepsSettings(t *testing.T) {
	f := newFixture(t, options{})
	bare := func(n byte) call {
		return call{method: "PUT", path: scripts + "/hello", kind: "application/wasm", body: guest(n)}
	}
	f.ok(t, bare(1), nil)
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm","bindings":[{"type":"plain_text","name":"A","text":"a"}]}`, guest(2)), nil)
	f.ok(t, bare(3), nil)
	var settings struct{ Bindings []map[string]any }
	f.ok(t, call{method: "GET", path: scripts + "/hello/settings"}, &settings)
	if len(settings.Bindings) != 1 || settings.Bindings[0]["text"] != "a" {
		t.Errorf("got %v, want what the form set", settings.Bindings)
	}
}

func TestSettingsVersionsDeployments(t *testing.T) {
	f := newFixture(t, options{})
	ns, err := f.registry.CreateNamespace(t.Context(), "local", "sessions")
	if err != nil {
		t.Fatal(err)
	}
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm"}`, guest(1)), nil)
	var made script
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm","compatibility_date":"2026-01-02","usage_model":"standard",
		"bindings":[{"type":"plain_text","name":"A","text":"a"},{"type":"json","name":"J","json":{"x":[1]}},
			{"type":"kv_namespace","name":"KV","namespace_id":"`+ns.ID+`"}],
		"limits":{"cpu_ms":20},"mayfly":{"limits":{"memory_mb":64},"egress":{"allow":["*.example.com"]}}}`, guest(2)), &made)
	settings := f.ok(t, call{method: "GET", path: scripts + "/hello/settings"}, nil)
	want := `{"bindings":[{"type":"plain_text","name":"A","text":"a"},{"type":"json","name":"J","json":{"x":[1]}},` +
		`{"type":"kv_namespace","name":"KV","namespace_id":"` + ns.ID + `"}],"compatibility_date":"2026-01-02","compatibility_flags":[],` +
		`"usage_model":"standard","limits":{"cpu_ms":20},"mayfly":{"routes":[],"limits":{"cpu_ms":20,"memory_mb":64},` +
		`"egress":{"allow":["*.example.com"]},"url":"http://hello.localhost:8787"}}`
	if got := string(settings.envelope.Result); got != want {
		t.Errorf("got settings\n%s\nwant\n%s", got, want)
	}

	var versions struct {
		Items []struct {
			ID       string
			Number   int
			Metadata struct {
				AuthorEmail string `json:"author_email"`
			}
		}
	}
	f.ok(t, call{method: "GET", path: scripts + "/hello/versions"}, &versions)
	if len(versions.Items) != 2 || versions.Items[0].ID != made.VersionID || versions.Items[0].Number != 2 || versions.Items[0].Metadata.AuthorEmail != "test" {
		t.Errorf("got %+v", versions)
	}
	var version struct {
		Resources struct{ Script struct{ ETag string } }
	}
	f.ok(t, call{method: "GET", path: scripts + "/hello/versions/" + made.VersionID}, &version)
	if version.Resources.Script.ETag != made.ETag {
		t.Errorf("got %+v", version)
	}
	f.refused(t, call{method: "GET", path: scripts + "/hello/versions/x"}, 404, 10007, `Function hello has no version "x"; mayfly versions list shows those that are kept`)

	var deployments struct {
		Deployments []struct {
			ID       string
			Versions []struct {
				VersionID  string `json:"version_id"`
				Percentage int
			}
		}
	}
	f.ok(t, call{method: "GET", path: scripts + "/hello/deployments"}, &deployments)
	if d := deployments.Deployments; len(d) != 2 || d[0].ID == "" || made.DeploymentID != made.VersionID || d[0].Versions[0].VersionID != made.VersionID || d[0].Versions[0].Percentage != 100 {
		t.Errorf("got %+v", deployments)
	}
}

func TestSetRoutes(t *testing.T) {
	f := newFixture(t, options{})
	f.ok(t, upload(t, "local", "a", `{"main_module":"main.wasm"}`, guest(1)), nil)
	f.ok(t, upload(t, "local", "b", `{"main_module":"main.wasm","mayfly":{"routes":["b.example.com/*"]}}`, guest(1)), nil)
	put := func(body string) call { return call{method: "PUT", path: scripts + "/a/routes", body: body} }
	var got []struct{ Pattern, Script string }
	f.ok(t, put(`["EXAMPLE.com/*",{"pattern":"example.org/x","zone_name":"example.org"}]`), &got)
	if len(got) != 2 || got[0].Pattern != "example.com/*" || got[1].Script != "a" {
		t.Errorf("got %+v", got)
	}
	f.refused(t, put(`["b.example.com/*"]`), 409, 10409, `route "b.example.com/*" belongs to Function b; remove it there first`)
	f.refused(t, put(`["b.localhost/*"]`), 409, 10409, `route "b.localhost/*" is on the host of Function b; choose another host`)
	f.refused(t, put(`["x/*","x/*"]`), 400, 10021, `route "x/*" is given twice`)
	f.refused(t, put(`["example.com/?a"]`), 400, 10021,
		`route "example.com/?a": a query string cannot be matched; write "example.com/*", which matches every query`)
	f.refused(t, put(`{}`), 400, 10021, "the body's JSON has a object where slice is expected: ")
	f.refused(t, put(``), 400, 10021, "the body is empty; JSON is expected")
	f.refused(t, put(`[] []`), 400, 10021, "the body has more than one JSON value")
	if a, ok := f.registry.Lookup([]byte("http"), []byte("example.org"), []byte("/x")); !ok || a.Main().Function != "a" {
		t.Error("a refused change took the routes away")
	}
}

func TestSubdomain(t *testing.T) {
	f := newFixture(t, options{})
	f.ok(t, upload(t, "local", "a", `{"main_module":"main.wasm"}`, guest(1)), nil)
	var sub struct{ Enabled bool }
	if f.ok(t, call{method: "GET", path: scripts + "/a/subdomain"}, &sub); !sub.Enabled {
		t.Error("got a disabled subdomain")
	}
	f.ok(t, call{method: "GET", path: "/accounts/local/workers/subdomain"}, nil)
}
