package control_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/assets"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// session is what a client knows of an upload of static files.
type session struct {
	JWT     string
	Buckets [][]string
}

// hashOf is what clients make of a file.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// manifest is the list of files, given by path and text in turn.
func manifest(t testing.TB, files ...string) string {
	t.Helper()
	m := map[string]deploy.AssetFile{}
	for i := 0; i < len(files); i += 2 {
		m[files[i]] = deploy.AssetFile{Hash: hashOf(files[i+1]), Size: int64(len(files[i+1]))}
	}
	data, err := json.Marshal(map[string]any{"manifest": m})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func beginCall(t testing.TB, account, name string, files ...string) call {
	t.Helper()
	return call{method: "POST", path: "/accounts/" + account + "/workers/scripts/" + name + "/assets-upload-session", kind: "application/json", body: manifest(t, files...)}
}

func (f *fixture) beginAssets(t testing.TB, account, name string, files ...string) (s session) {
	t.Helper()
	f.ok(t, beginCall(t, account, name, files...), &s)
	return s
}

// assetCall uploads files in base64, given by type and text in turn.
func assetCall(t testing.TB, account string, s session, files ...string) call {
	t.Helper()
	var parts []part
	for i := 0; i < len(files); i += 2 {
		parts = append(parts, part{hashOf(files[i+1]), files[i], base64.StdEncoding.EncodeToString([]byte(files[i+1]))})
	}
	body, kind := form(t, parts...)
	return call{method: "POST", path: "/accounts/" + account + "/workers/assets/upload?base64=true", token: s.JWT, kind: kind, body: body}
}

// deployFiles uploads files and deploys them alone.
func (f *fixture) deployFiles(t testing.TB, account, name string, files ...string) {
	t.Helper()
	s := f.beginAssets(t, account, name, files...)
	for i := 0; i < len(files); i += 2 {
		if a := f.do(t, assetCall(t, account, s, "text/plain", files[i+1])); a.status >= 300 {
			t.Fatalf("upload %s: got %d %s", files[i], a.status, a.body)
		}
	}
	f.ok(t, filesOnly(t, account, name, s.JWT, "{}"), nil)
}

func filesOnly(t testing.TB, account, name, jwt, config string) call {
	t.Helper()
	body, kind := form(t, part{"metadata", "application/json", fmt.Sprintf(`{"assets":{"jwt":%q,"config":%s},"compatibility_date":"2025-04-01"}`, jwt, config)})
	return call{method: "PUT", path: "/accounts/" + account + "/workers/scripts/" + name, kind: kind, body: body}
}

// serves answers a path of a Function as its front end would.
func (f *fixture) serves(t testing.TB, name, path string) string {
	t.Helper()
	_, v, err := f.registry.Function("local", name)
	if err != nil {
		t.Fatal(err)
	}
	active, ok := f.registry.Lookup([]byte("http"), []byte(name+".localhost"), []byte(path))
	if !ok || v.Settings.Assets == nil {
		return "nothing"
	}
	handle := active.Main().Assets
	site, err := handle.Site(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a, ok := site.Serve(&assets.Request{Method: "GET", Host: name + ".localhost", Path: path})
	if !ok {
		return "function"
	}
	if a.Content == nil {
		return fmt.Sprint(a.Status)
	}
	data, _, err := handle.Server().Bytes(t.Context(), a.Content)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(a.Status, " ", string(data))
}

// TestAssets goes the way that wrangler goes.
func TestAssets(t *testing.T) {
	f := newFixture(t, options{})
	files := []string{"/index.html", "<h1>start", "/a.txt", "same", "/b.txt", "same", "/old.txt", "old"}
	s := f.beginAssets(t, "local", "site", files...)
	missing := slices.Sorted(slices.Values(slices.Concat(s.Buckets...)))
	if want := slices.Sorted(slices.Values([]string{hashOf("<h1>start"), hashOf("same"), hashOf("old")})); !slices.Equal(missing, want) {
		t.Fatalf("got %q, want %q", missing, want)
	}
	first := f.do(t, assetCall(t, "local", s, "text/html; charset=utf-8", "<h1>start", "application/null", "same"))
	if first.status != http.StatusAccepted {
		t.Fatalf("got %d %s", first.status, first.body)
	}
	f.refused(t, filesOnly(t, "local", "site", s.JWT, "{}"), 400, 10021, "1 static files of this upload have not arrived")
	last := f.do(t, assetCall(t, "local", s, "text/plain", "old"))
	var done struct{ JWT string }
	if err := json.Unmarshal(last.envelope.Result, &done); err != nil || last.status != http.StatusCreated || done.JWT == "" {
		t.Fatalf("got %d %s", last.status, last.body)
	}
	f.ok(t, filesOnly(t, "local", "site", done.JWT, `{"not_found_handling":"single-page-application"}`), nil)
	for path, want := range map[string]string{"/": "200 <h1>start", "/a.txt": "200 same", "/b.txt": "200 same", "/x": "200 <h1>start", "/index.html": "307"} {
		if got := f.serves(t, "site", path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	if s := f.beginAssets(t, "local", "site", files...); len(s.Buckets) != 0 || s.JWT == "" {
		t.Errorf("of unchanged files %q are missing", s.Buckets)
	}
	if s := f.beginAssets(t, "local", "other", files...); len(s.Buckets) != 0 {
		t.Errorf("for another Function of the account %q are missing", s.Buckets)
	}
}

// TestAssetsWithModule has a Function beside the files, and later uploads that keep
// them.
func TestAssetsWithModule(t *testing.T) {
	f := newFixture(t, options{})
	s := f.beginAssets(t, "local", "app", "/a.txt", "a")
	f.do(t, assetCall(t, "local", s, "text/plain", "a"))
	metadata := `{"main_module":"main.wasm","assets":{"jwt":"` + s.JWT + `","config":{"run_worker_first":["/api/*"]}},"bindings":[{"type":"assets","name":"ASSETS"}]}`
	f.ok(t, upload(t, "local", "app", metadata, guest(1)), nil)
	var settings struct{ Bindings []map[string]any }
	f.ok(t, call{method: "GET", path: scripts + "/app/settings"}, &settings)
	if len(settings.Bindings) != 1 || settings.Bindings[0]["type"] != "assets" || settings.Bindings[0]["name"] != "ASSETS" {
		t.Errorf("got the bindings %v", settings.Bindings)
	}
	check := func(what string) {
		t.Helper()
		for path, want := range map[string]string{"/a.txt": "200 a", "/x": "function", "/api/a": "function"} {
			if got := f.serves(t, "app", path); got != want {
				t.Errorf("%s: %s: got %q, want %q", what, path, got, want)
			}
		}
	}
	check("first")
	f.ok(t, call{method: "PUT", path: scripts + "/app", kind: "application/wasm", body: guest(2)}, nil)
	check("bare module")
	f.ok(t, upload(t, "local", "app", `{"main_module":"main.wasm","keep_assets":true}`, guest(3)), nil)
	check("keep_assets")
	f.ok(t, call{method: "PUT", path: scripts + "/app/secrets", kind: "application/json", body: `{"name":"S","text":"s","type":"secret_text"}`}, nil)
	check("secret")
	f.ok(t, upload(t, "local", "app", `{"main_module":"main.wasm"}`, guest(4)), nil)
	if got := f.serves(t, "app", "/a.txt"); got != "nothing" {
		t.Errorf("without assets: got %q", got)
	}
}

// TestAssetsOfOthers: what another account has can't be told from what nobody has.
func TestAssetsOfOthers(t *testing.T) {
	f := newFixture(t, options{})
	acme := f.account(t, "acme")
	f.deployFiles(t, "local", "site", "/a.txt", "a")
	c := beginCall(t, "acme", "site", "/a.txt", "a")
	c.token = acme
	var s session
	if f.ok(t, c, &s); len(s.Buckets) != 1 {
		t.Errorf("got %q, want the file to be missing", s.Buckets)
	}
	before := len(f.blobList(t))
	up := assetCall(t, "acme", s, "text/plain", "a")
	if a := f.do(t, up); a.status != http.StatusCreated {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	if got := len(f.blobList(t)); got != before+1 {
		t.Errorf("there are %d blobs after %d: an upload of what another account has was shorter", got, before)
	}
	up.path = strings.Replace(up.path, "acme", "local", 1)
	f.refused(t, up, 403, 9109, "Unauthorized to access requested resource")
	f.refused(t, call{method: "GET", path: "/accounts/acme/workers/scripts", token: s.JWT}, 403, 9109, "Unauthorized to access requested resource")
	f.refused(t, filesOnly(t, "local", "site", s.JWT, "{}"), 400, 10021, "these static files were uploaded for another Function")
	f.refused(t, filesOnly(t, "local", "site", "a.b.c", "{}"), 400, 10021,
		"this upload of static files is not known: it is over an hour old, or the node was started again since, or too many others were begun; begin it again")
}

func (f *fixture) blobList(t testing.TB) []string {
	t.Helper()
	list, err := f.blobs.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range list {
		names = append(names, d.String())
	}
	return names
}

func TestAssetsRefused(t *testing.T) {
	f := newFixture(t, options{assets: deploy.AssetLimits{Files: 2, FileSize: 10, Pending: 12}})
	session := func(body string) call {
		return call{method: "POST", path: scripts + "/site/assets-upload-session", kind: "application/json", body: body}
	}
	f.refused(t, session("{}"), 400, 10021, `the body has no manifest: {"manifest": {"/index.html": {"hash": "...", "size": 1}}}`)
	f.refused(t, beginCall(t, "local", "site", "/a", "a", "/b", "b", "/c", "c"), 413, 10027, "there are 3 static files; at most 2 are allowed")
	f.refused(t, beginCall(t, "local", "site", "/a", "eleven byte"), 413, 10027, "static file /a has 11 bytes; at most 10 bytes are allowed")
	f.refused(t, beginCall(t, "local", "site", "/a", "1234567", "/b", "7654321"), 413, 10027, "the static files that are new have 14 bytes; at most 12 bytes can be uploaded at a time")
	f.refused(t, beginCall(t, "local", "site", "a", "a"), 400, 10021, `static file: path "a" does not begin with a / and a name`)
	f.refused(t, session(`{"manifest":{"/a":{"hash":"x","size":1}}}`), 400, 10021, `static file /a: the hash "x" is not 32 hexadecimal digits`)
	f.refused(t, session(`{"manifest":{"/a":{"hash":"`+hashOf("")+`","size":-1}}}`), 400, 10021, `static file /a: its size is -1, and another file with the same hash has 0`)

	s := f.beginAssets(t, "local", "site", "/a", "a")
	f.refused(t, assetCall(t, "local", s, "text/plain", "b"), 400, 10021, `no static file with the hash "`+hashOf("b")+`" was announced`)
	wrong := assetCall(t, "local", s, "text/plain", "a")
	wrong.body = strings.Replace(wrong.body, "YQ==", "YWE=", 1)
	f.refused(t, wrong, 400, 10021, "static file /a has 2 bytes, and 1 were announced; perhaps it was written to meanwhile")
	wrong.body = strings.Replace(wrong.body, "YWE=", "!!!!", 1)
	f.refused(t, wrong, 400, 10021, `the static file "`+hashOf("a")+`" is not base64: illegal base64 data at input byte 0`)
	wrong.token = ""
	f.refused(t, wrong, 400, 10021, "this request takes the jwt of an assets-upload-session in the place of a token")
	f.refused(t, upload(t, "local", "x", `{"main_module":"main.wasm","assets":{}}`, guest(1)), 400, 10021, "assets has no jwt: give the one of an upload that is complete, or keep_assets")
	f.refused(t, upload(t, "local", "x", `{"main_module":"main.wasm","bindings":[{"type":"assets","name":"A"}]}`, guest(1)), 400, 10021, `binding "A" is of static files, but the upload has none`)
	if a := f.do(t, assetCall(t, "local", s, "text/plain", "a")); a.status != http.StatusCreated {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	f.refused(t, filesOnly(t, "local", "site", s.JWT, `{"html_handling":"x"}`), 400, 10021, `assets: html_handling is "x"; it can be auto-trailing-slash, force-trailing-slash, drop-trailing-slash, none`)
	f.refused(t, filesOnly(t, "local", "site", s.JWT, `{"run_worker_first":true}`), 400, 10021, "assets: there is no Function that could be run first; leave run_worker_first out, or set main")
	f.refused(t, filesOnly(t, "local", "site", s.JWT, `{"_redirects":"/a"}`), 400, 10021, "assets: _redirects:1: there are 1 words; a path, where it leads and perhaps a status are expected")
	f.ok(t, filesOnly(t, "local", "site", s.JWT, "{}"), nil)
}

// TestAssetsAreRemoved: files that no Version has any more go, those that one has
// stay.
func TestAssetsAreRemoved(t *testing.T) {
	var later atomic.Int64
	f := newFixture(t, options{now: func() time.Time { return epoch.Add(time.Duration(later.Load())) }})
	f.deployFiles(t, "local", "keeps", "/a.txt", "a")
	kept := f.blobList(t)
	f.deployFiles(t, "local", "goes", "/a.txt", "a", "/b.txt", strings.Repeat("long enough to be compressed ", 100))
	if n := len(f.blobList(t)); n < len(kept)+4 {
		t.Fatalf("got %d blobs after %d", n, len(kept))
	}
	later.Store(int64(2 * time.Hour)) // the sessions are over
	f.ok(t, call{method: "DELETE", path: scripts + "/goes"}, nil)
	for deadline := time.Now().Add(2 * time.Minute); len(f.blobList(t)) > len(kept); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("got %d blobs, want %d", len(f.blobList(t)), len(kept))
		}
	}
	if got := f.serves(t, "keeps", "/a.txt"); got != "200 a" {
		t.Errorf("got %q", got)
	}
	if s := f.beginAssets(t, "local", "x", "/a.txt", "a", "/b.txt", "b"); len(s.Buckets) != 1 || !slices.Equal(s.Buckets[0], []string{hashOf("b")}) {
		t.Errorf("got %q", s.Buckets)
	}
}
