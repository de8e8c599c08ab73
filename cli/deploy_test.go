package cli_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/cli"
)

// What goes up with a module is Cloudflare's metadata, with ours beside it.
func TestDeployMetadata(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app.wasm"), []byte("module"), 0o644); err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile("testdata/deploy.toml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mayfly.toml"), manifest, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, path, golden string }{
		{"project", dir, "testdata/deploy.project.json"},
		{"file", filepath.Join(dir, "app.wasm"), "testdata/deploy.file.json"},
	} {
		t.Run(test.name, func(t *testing.T) {
			want, err := os.ReadFile(test.golden)
			if err != nil {
				t.Fatal(err)
			}
			if got := mustUpload(t, test.path); got != string(want) {
				t.Errorf("metadata is\n%s, want\n%s", got, want)
			}
		})
	}
}

// mustUpload deploys to a node that only listens, and returns the metadata.
func mustUpload(t *testing.T, path string) string {
	t.Helper()
	var metadata bytes.Buffer
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.Indent(&metadata, []byte(r.FormValue("metadata")), "", "  "); err != nil {
			t.Error(err)
		}
		io.WriteString(w, `{"success":true,"result":{"id":"app","url":"http://app.localhost"}}`)
	}))
	defer server.Close()
	t.Setenv("MAYFLY_API_TOKEN", "token")
	var out, errs strings.Builder
	code := cli.Run(t.Context(), []string{"deploy", path, "--api", server.URL}, cli.Stdio{In: strings.NewReader(""), Out: &out, Err: &errs})
	if code != 0 || out.String() != "http://app.localhost\n" {
		t.Fatalf("ended with %d, %q, %q", code, out.String(), errs.String())
	}
	return metadata.String() + "\n"
}
