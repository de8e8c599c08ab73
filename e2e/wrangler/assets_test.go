package wrangler_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// mustWrite replaces the project's files, given by name and text in turn.
func (w *wrangler) mustWrite(t *testing.T, files ...string) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(w.dir, filepath.FromSlash(files[i]))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (n *node) wantAt(t *testing.T, path string, status int, want string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+n.web+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "hello.localhost"
	resp, err := http.DefaultTransport.RoundTrip(req) // follows nothing
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if got := string(body) + resp.Header.Get("Location"); err != nil || resp.StatusCode != status || got != want {
		t.Errorf("%s: got %d %q, %v; want %d %q", path, resp.StatusCode, got, err, status, want)
	}
}

const withAssets = `
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    return pathname === "/api/logo" ? env.ASSETS.fetch(new URL("/logo.svg", request.url)) : new Response("worker " + pathname);
  },
};
`

// TestAssets deploys static files, alone and beside a Worker.
func TestAssets(t *testing.T) {
	n := startNode(t)
	w := newWrangler(t, n)
	const head = "name = \"hello\"\ncompatibility_date = \"2025-06-01\"\n"
	w.mustWrite(t, "wrangler.toml", head+"[assets]\ndirectory = \"public\"\nnot_found_handling = \"404-page\"\n",
		"public/index.html", "start", "public/about.html", "about", "public/404.html", "not here", "public/logo.svg", "<svg/>",
		"public/_headers", "/*\n  X-A: 1\n", "public/_redirects", "/old /about 301\n")
	w.mustRun(t, step{args: "deploy", want: `(?s)Uploaded 4 of 4 assets.*Current Version ID`})
	n.wantAt(t, "/", 200, "start")
	n.wantAt(t, "/about", 200, "about")
	n.wantAt(t, "/about.html", 307, "/about")
	n.wantAt(t, "/old", 301, "/about")
	n.wantAt(t, "/x", 404, "not here")
	w.mustWrite(t, "public/index.html", "changed")
	w.mustRun(t, step{args: "deploy", want: `(?s)Uploaded 1 of 1 asset\b.*3 already uploaded`})
	n.wantAt(t, "/", 200, "changed")
	w.mustRun(t, step{args: "deploy", want: `No updated asset files to upload`})

	w.mustWrite(t, "index.js", withAssets, "wrangler.toml", head+
		"main = \"index.js\"\n[assets]\ndirectory = \"public\"\nbinding = \"ASSETS\"\nrun_worker_first = [\"/api/*\"]\n")
	w.mustRun(t, step{args: "deploy", want: `(?s)No updated asset files to upload.*env.ASSETS`})
	n.wantAt(t, "/", 200, "changed")
	n.wantAt(t, "/x", 200, "worker /x")
	n.wantAt(t, "/api/logo", 200, "<svg/>")
	w.mustRun(t, step{args: "versions upload", want: `Worker Version ID`})
	w.mustRun(t, step{args: "secret put KEY", stdin: "x", want: `Success|isn't currently deployed`, fails: true})
	w.mustRun(t, step{args: "rollback -y", want: `has been deployed to 100%`})
	n.wantAt(t, "/", 200, "changed")
	w.mustWrite(t, "public/_redirects", "/a\n")
	w.mustRun(t, step{args: "deploy", want: `_redirects:1: there are 1 words`, fails: true})
	n.wantAt(t, "/", 200, "changed")
}
