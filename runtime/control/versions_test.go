package control_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// version is one as the API shows it.
type version struct {
	ID          string
	Number      int
	Annotations map[string]string
	Metadata    struct {
		HasPreview bool `json:"has_preview"`
	}
	Mayfly struct {
		PreviewURL string `json:"preview_url"`
	}
	Resources struct {
		Bindings []struct{ Type, Name, Text string }
	}
}

func (v version) bindings() (list []string) {
	for _, b := range v.Resources.Bindings {
		list = append(list, b.Type+" "+b.Name+" "+b.Text)
	}
	return list
}

// store uploads a Version that does not serve.
func store(t *testing.T, metadata, module string) call {
	c := upload(t, "local", "hello", metadata, module)
	c.method, c.path = "POST", scripts+"/hello/versions"
	return c
}

func TestUploadVersion(t *testing.T) {
	f := newFixture(t, options{})
	f.refused(t, store(t, `{"main_module":"main.wasm"}`, guest(1)), 404, 10007, `Function "hello" does not exist in account local`)
	var first script
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm","mayfly":{"routes":["example.com/*"]},"bindings":[
		{"type":"plain_text","name":"A","text":"a"},{"type":"json","name":"J","json":1},{"type":"secret_text","name":"S","text":"hush"}]}`, guest(1)), &first)
	var v version
	f.ok(t, store(t, `{"main_module":"main.wasm","annotations":{"workers/message":"second","workers/tag":"v2","workers/alias":"next"},
		"bindings":[{"type":"inherit","name":"J"},{"type":"plain_text","name":"A","text":"b"},{"type":"inherit","name":"S"}],
		"keep_bindings":["secret_text","plain_text"],"mayfly":{"routes":[]}}`, guest(2)), &v)
	if want := map[string]string{"workers/message": "second", "workers/tag": "v2", "workers/alias": "next", "workers/triggered_by": "upload"}; v.Number != 2 || fmt.Sprint(v.Annotations) != fmt.Sprint(want) || !v.Metadata.HasPreview {
		t.Errorf("got %+v", v)
	}
	if got, want := v.bindings(), []string{"plain_text A b", "json J ", "secret_text S "}; !slices.Equal(got, want) {
		t.Errorf("got bindings %q, want %q", got, want)
	}
	if want := "http://" + v.ID[:8] + "-hello.localhost:8787"; v.Mayfly.PreviewURL != want {
		t.Errorf("got preview %s, want %s", v.Mayfly.PreviewURL, want)
	}
	f.ok(t, call{method: "GET", path: "/accounts/local/workers/services/hello"}, nil)
	f.ok(t, call{method: "PUT", path: scripts + "/hello/routes", body: `["example.com/*"]`}, nil)
	list := f.ok(t, call{method: "GET", path: scripts}, nil)
	if !strings.Contains(list.body, first.VersionID) || strings.Contains(list.body, v.ID) {
		t.Errorf("the new version serves: %s", list.body)
	}
	f.refused(t, store(t, `{"main_module":"main.wasm","bindings":[{"type":"inherit","name":"X"}]}`, guest(2)), 400, 10021,
		`binding "X" can't be inherited: the newest version has none of that name`)
	f.refused(t, store(t, `{"main_module":"main.wasm","annotations":{"workers/alias":"A b"}}`, guest(2)), 400, 10021,
		`alias: name "A b" is not 1 to 63 lower-case letters, digits and dashes with no dash first or last`)
}

func TestCreateDeployment(t *testing.T) {
	f := newFixture(t, options{})
	var first, second script
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm"}`, guest(1)), &first)
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm"}`, guest(2)), &second)
	post := func(body string) call { return call{method: "POST", path: scripts + "/hello/deployments", body: body} }
	both := fmt.Sprintf(`"versions":[{"version_id":%q,"percentage":10},{"version_id":%q,"percentage":90}]`, first.VersionID, second.VersionID)
	var made struct {
		ID          string
		Annotations map[string]string
		Versions    []struct {
			VersionID  string `json:"version_id"`
			Percentage int
		}
		Mayfly struct {
			Rollout struct {
				RollbackOn string  `json:"rollback_on"`
				After      float64 `json:"promote_after_seconds"`
			}
		}
	}
	f.ok(t, post(`{"strategy":"percentage",`+both+`,"annotations":{"workers/message":"why"},
		"mayfly":{"rollout":{"version":"`+first.VersionID+`","promote_after_seconds":60,"rollback_on":"errors>1%,p99>2x"}}}`), &made)
	if len(made.Versions) != 2 || made.Versions[0].VersionID != second.VersionID || made.Annotations["workers/message"] != "why" ||
		made.Mayfly.Rollout.RollbackOn != "errors>1%,p99>2x" || made.Mayfly.Rollout.After != 60 {
		t.Errorf("got %+v", made)
	}
	if one := f.ok(t, call{method: "GET", path: scripts + "/hello/deployments/" + made.ID}, nil); !strings.Contains(one.body, `"percentage":90`) {
		t.Errorf("got %s", one.body)
	}
	f.refused(t, call{method: "GET", path: scripts + "/hello/deployments/x"}, 404, 10007, "Function hello has no deployment x")
	f.refused(t, post(`{"strategy":"random",`+both+`}`), 400, 10021, `the strategy is "random"; percentage is offered`)
	f.refused(t, post(`{}`), 400, 10021, "a deployment has one version or two, not 0")
	f.refused(t, post(`{`+both+`,"mayfly":{"rollout":{"rollback_on":"x"}}}`), 400, 10021,
		`"x" is no condition to roll back on; write errors>1%, p99>2x, or both with a comma between`)

	// Going back to other secrets has to be meant.
	f.ok(t, post(`{"versions":[{"version_id":"`+second.VersionID+`","percentage":100}]}`), nil)
	f.ok(t, secretCall(`{"name":"KEY","text":"hush"}`), nil)
	back := post(`{"versions":[{"version_id":"` + first.VersionID + `","percentage":100}]}`)
	f.refused(t, back, 409, 10220, "The version has other secrets than the one that serves; add ?force=true to deploy it all the same, "+
		"as 'wrangler rollback' does when it has asked. The following secrets have changed: KEY")
	back.path += "?force=true"
	f.ok(t, back, nil)
	f.refused(t, secretCall(`{"name":"KEY","text":"2"}`), 409, 10215, "the newest version of the Function does not serve, and changing a secret would let it: "+
		"deploy it first (mayfly versions deploy), or change the secret together with an upload")
}

// What is downloaded of a Version can be uploaded as it is.
func TestDownloadContent(t *testing.T) {
	f := newFixture(t, options{})
	var first script
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm"}`, guest(1)), &first)
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm"}`, guest(2)), nil)
	for query, want := range map[string]string{"": guest(2), "?version=" + first.VersionID: guest(1)} {
		a := f.do(t, call{method: "GET", path: scripts + "/hello/content/v2" + query})
		if a.status != 200 || a.header.Get("cf-entrypoint") != "main.wasm" || !strings.HasPrefix(a.header.Get("Content-Type"), "multipart/form-data") || !strings.Contains(a.body, want) {
			t.Errorf("%s: got %d, %v", query, a.status, a.header)
		}
	}
	f.refused(t, call{method: "GET", path: scripts + "/hello/content/v2?version=x"}, 404, 10007, `Function hello has no version "x"; mayfly versions list shows those that are kept`)
}

func TestPruneAndDiff(t *testing.T) {
	f := newFixture(t, options{})
	var made [3]script
	for i := range made {
		f.ok(t, upload(t, "local", "hello", fmt.Sprintf(`{"main_module":"main.wasm","limits":{"cpu_ms":%d}}`, 10+i), guest(byte(i))), &made[i])
	}
	var diff struct {
		Changes []struct{ What, Before, After string }
	}
	f.ok(t, call{method: "GET", path: scripts + "/hello/versions/" + made[0].VersionID + "/diff/" + made[1].VersionID}, &diff)
	if len(diff.Changes) != 2 || diff.Changes[0].What != "limits.cpu_ms" || diff.Changes[0].Before != "10" || diff.Changes[0].After != "11" || diff.Changes[1].What != "module" {
		t.Errorf("got %+v", diff)
	}
	var removed struct{ Removed []string }
	f.ok(t, call{method: "POST", path: scripts + "/hello/versions/prune", body: `{"keep":1}`}, &removed)
	if want := []string{made[0].VersionID, made[1].VersionID}; !slices.Equal(removed.Removed, want) {
		t.Errorf("removed %q, want %q", removed.Removed, want)
	}
	f.refused(t, call{method: "POST", path: scripts + "/hello/versions/prune", body: `{}`}, 400, 10021, "0 versions can't be kept; 1 is the least")
}

func TestHosts(t *testing.T) {
	f := newFixture(t, options{})
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm"}`, guest(1)), nil)
	path := scripts + "/hello/subdomain"
	for _, tt := range []struct{ body, want string }{
		{`{"enabled":false}`, `{"enabled":false,"previews_enabled":false}`},
		{`{"enabled":true}`, `{"enabled":true,"previews_enabled":true}`},
		{`{"enabled":true,"previews_enabled":false}`, `{"enabled":true,"previews_enabled":false}`},
	} {
		f.ok(t, call{method: "POST", path: path, body: tt.body}, nil)
		if got := f.ok(t, call{method: "GET", path: path}, nil); string(got.envelope.Result) != tt.want {
			t.Errorf("%s: got %s, want %s", tt.body, got.envelope.Result, tt.want)
		}
		_, ok := f.registry.Lookup([]byte("http"), []byte("hello.localhost"), []byte("/"))
		if want := strings.Contains(tt.want, `"enabled":true`); ok != want {
			t.Errorf("%s: it serves: %v", tt.body, ok)
		}
	}
}

// A list of all bindings changes secrets, and nothing else.
func TestPatchSettings(t *testing.T) {
	f := newFixture(t, options{})
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm","bindings":[{"type":"plain_text","name":"A","text":"a"},
		{"type":"secret_text","name":"S","text":"1"},{"type":"secret_text","name":"T","text":"1"}]}`, guest(1)), nil)
	patch := func(settings string) call {
		const boundary = "frontier"
		return call{method: "PATCH", path: scripts + "/hello/settings", kind: "multipart/form-data; boundary=" + boundary,
			body: "--" + boundary + "\r\nContent-Disposition: form-data; name=\"settings\"\r\n\r\n" + settings + "\r\n--" + boundary + "--\r\n"}
	}
	var settings version
	f.ok(t, patch(`{"bindings":[{"type":"plain_text","name":"A"},{"type":"secret_text","name":"S"},{"type":"secret_text","name":"U","text":"2"}]}`), &settings.Resources)
	if got, want := settings.bindings(), []string{"plain_text A a", "secret_text S ", "secret_text U "}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for body, msg := range map[string]string{
		`{"bindings":[]}`: `binding "A" is not in the list, and can't be removed without an upload`,
		`{"bindings":[{"type":"plain_text","name":"A","text":"b"}]}`:                 `binding "A": only secrets can be changed without an upload`,
		`{"bindings":[{"type":"plain_text","name":"A"},{"type":"json","name":"X"}]}`: `binding "X": only secrets can be changed without an upload`,
		`{"bindings":[{"type":"secret_text","name":"A","text":"x"}]}`:                `binding "A": only secrets can be changed without an upload`,
		`x`: `the form has no field named settings with the JSON expected: invalid character 'x' looking for beginning of value`,
	} {
		a := f.do(t, patch(body))
		if a.status != 400 || len(a.envelope.Errors) != 1 || a.envelope.Errors[0].Message != msg {
			t.Errorf("%s: got %s, want %s", body, a.body, msg)
		}
	}
}
