package site_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/cli/internal/site"
)

// folder makes files, given by name and text in turn.
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(dir, filepath.FromSlash(files[i]))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustRead(t *testing.T, dir string) *site.Folder {
	t.Helper()
	f, err := site.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRead(t *testing.T) {
	dir := folder(t,
		"index.html", "<p>", "css/site.css", "p{}", ".well-known/security.txt", "x", "_headers", "/*\n X: 1", "_redirects", "/a /b",
		"sub/_headers", "served", ".git/config", "secret", "sub/node_modules/a.js", "no", "draft.md", "no", "sub/draft.md", "no", "keep.md", "yes",
		"old/a.html", "no", ".assetsignore", "# drafts\n*.md\n!keep.md\n/old/\n")
	if err := os.Symlink(filepath.Join(dir, "index.html"), filepath.Join(dir, "link.html")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), filepath.Join(dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	f := mustRead(t, dir)
	var got []string
	for _, file := range f.Files {
		got = append(got, file.Path)
	}
	want := []string{"/.well-known/security.txt", "/css/site.css", "/index.html", "/keep.md", "/link.html", "/sub/_headers"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if f.Headers != "/*\n X: 1" || f.Redirects != "/a /b" {
		t.Errorf("got %q, %q", f.Headers, f.Redirects)
	}
	if file := f.Files[2]; file.Size != 3 || file.Type != "text/html; charset=utf-8" || len(file.Hash) != 32 || len(f.Manifest()) != len(want) {
		t.Errorf("got %+v", file)
	}
}

// TestHash: the end of the name is part of it, since the type comes from there.
func TestHash(t *testing.T) {
	f := mustRead(t, folder(t, "a.txt", "same", "b.txt", "same", "c.html", "same", "d.txt", "other"))
	h := func(i int) string { return f.Files[i].Hash }
	if h(0) != h(1) || h(0) == h(2) || h(0) == h(3) || len(f.ByHash()) != 3 {
		t.Errorf("got %q", []string{h(0), h(1), h(2), h(3)})
	}
}

func TestReadErrors(t *testing.T) {
	if _, err := site.Read(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "[assets] directory") {
		t.Errorf("a folder that is not there: got %v", err)
	}
	file := filepath.Join(folder(t, "a", ""), "a")
	if _, err := site.Read(file); err == nil || !strings.Contains(err.Error(), "is not a folder") {
		t.Errorf("a file: got %v", err)
	}
	if _, err := site.Read(folder(t, "a\nb", "")); err == nil || !strings.Contains(err.Error(), "control characters") {
		t.Errorf("a name with a line end: got %v", err)
	}
}
