package assets_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/assets"
)

// site makes a Site of files whose contents are their paths.
func site(c assets.Config, o assets.Options, paths ...string) *assets.Site {
	m := assets.Manifest{}
	for _, p := range paths {
		m[p] = assets.File{Content: content(p), Type: assets.TypeOf(p)}
	}
	return assets.NewSite(m, c, o)
}

func content(text string) assets.Content {
	return assets.Content{Digest: kv.DigestOf([]byte(text)), Size: int64(len(text))}
}

func get(path string) *assets.Request {
	path, query, _ := strings.Cut(path, "?")
	if query != "" {
		query = "?" + query
	}
	return &assets.Request{Method: http.MethodGet, Host: "example.com", Path: path, Query: query}
}

func field(a assets.Answer, name string) string {
	var values []string
	for _, f := range a.Header {
		if strings.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return strings.Join(values, ", ")
}

// TestHTMLHandling holds Sites against what Cloudflare's own tests expect of its
// asset worker (workers-sdk, fixtures/workers-shared-asset-config/test-cases): for
// each request, where redirects end and with which file.
func TestHTMLHandling(t *testing.T) {
	for _, tt := range htmlCases {
		s := site(assets.Config{HTMLHandling: tt.handling}, assets.Options{}, strings.Fields(tt.files)...)
		for _, line := range strings.Split(strings.TrimSpace(tt.want), "\n") {
			words := strings.Fields(line)
			t.Run(tt.handling+" "+tt.files+" "+words[0], func(t *testing.T) { checkHTML(t, s, words) })
		}
	}
}

func checkHTML(t *testing.T, s *assets.Site, words []string) {
	path := words[0]
	a := s.Fetch(get(path))
	for hops := 0; a.Status == http.StatusTemporaryRedirect && hops < 5; hops++ {
		path = field(a, "Location")
		a = s.Fetch(get(path))
	}
	if words[1] == "404" {
		if a.Status != http.StatusNotFound {
			t.Errorf("got %d at %s, want 404", a.Status, path)
		}
		return
	}
	if a.Status != http.StatusOK || path != words[1] || a.Content == nil || *a.Content != content(words[2]) {
		t.Errorf("got %+v at %s, want %s at %s", a, path, words[2], words[1])
	}
}

// htmlCases are lines of a request's path, where it ends, and the file.
var htmlCases = []struct{ handling, files, want string }{
	{"auto-trailing-slash", "/index.html", `
/index.html / /index.html
/index / /index.html
`},
	{"auto-trailing-slash", "/both.html /both/index.html", `
/both /both /both.html
/both.html /both /both.html
/both/ /both/ /both/index.html
/both/index.html /both/ /both/index.html
/both/index /both/ /both/index.html
`},
	{"auto-trailing-slash", "/file.html", `
/file /file /file.html
/file.html /file /file.html
/file/ /file /file.html
/file/index /file /file.html
/file/index.html /file /file.html
`},
	{"auto-trailing-slash", "/folder/index.html", `
/folder /folder/ /folder/index.html
/folder.html /folder/ /folder/index.html
/folder/ /folder/ /folder/index.html
/folder/index /folder/ /folder/index.html
/folder/index.html /folder/ /folder/index.html
`},
	{"auto-trailing-slash", "/bin%2F /bin/index.html", `
/bin /bin/ /bin/index.html
/bin.html /bin/ /bin/index.html
/bin%2F /bin/ /bin/index.html
/bin%252F /bin%252F /bin%2F
/bin/ /bin/ /bin/index.html
/bin/index /bin/ /bin/index.html
/bin/index.html /bin/ /bin/index.html
`},
	{"auto-trailing-slash", "/file-bin /file-bin.html", `
/file-bin /file-bin /file-bin
/file-bin.html /file-bin.html /file-bin.html
/file-bin/ 404
/file-bin/index 404
/file-bin/index.html 404
`},
	{"drop-trailing-slash", "/index.html", `
/index.html / /index.html
/index / /index.html
`},
	{"drop-trailing-slash", "/both.html /both/index.html", `
/both /both /both.html
/both.html /both /both.html
/both/ /both /both.html
/both/index /both /both.html
/both/index.html /both/index.html /both/index.html
`},
	{"drop-trailing-slash", "/file.html", `
/file /file /file.html
/file.html /file /file.html
/file/ /file /file.html
/file/index /file /file.html
/file/index.html /file /file.html
`},
	{"drop-trailing-slash", "/folder/index.html", `
/folder /folder /folder/index.html
/folder.html /folder /folder/index.html
/folder/ /folder /folder/index.html
/folder/index /folder /folder/index.html
/folder/index.html /folder /folder/index.html
`},
	{"drop-trailing-slash", "/bin%2F /bin/index.html", `
/bin /bin /bin/index.html
/bin.html /bin /bin/index.html
/bin%2F /bin /bin/index.html
/bin%252F /bin%252F /bin%2F
/bin/ /bin /bin/index.html
/bin/index /bin /bin/index.html
/bin/index.html /bin /bin/index.html
`},
	{"drop-trailing-slash", "/file-bin /file-bin.html", `
/file-bin /file-bin /file-bin
/file-bin.html /file-bin.html /file-bin.html
/file-bin/ 404
/file-bin/index 404
/file-bin/index.html 404
`},
	{"force-trailing-slash", "/index.html", `
/index.html / /index.html
/index / /index.html
`},
	{"force-trailing-slash", "/both.html /both/index.html", `
/both /both/ /both/index.html
/both.html /both.html /both.html
/both/ /both/ /both/index.html
/both/index /both/ /both/index.html
/both/index.html /both/ /both/index.html
`},
	{"force-trailing-slash", "/file.html", `
/file /file/ /file.html
/file.html /file/ /file.html
/file/ /file/ /file.html
/file/index /file/ /file.html
/file/index.html /file/ /file.html
`},
	{"force-trailing-slash", "/folder/index.html", `
/folder /folder/ /folder/index.html
/folder.html /folder/ /folder/index.html
/folder/ /folder/ /folder/index.html
/folder/index /folder/ /folder/index.html
/folder/index.html /folder/ /folder/index.html
`},
	{"force-trailing-slash", "/bin%2F /bin/index.html", `
/bin /bin/ /bin/index.html
/bin.html /bin/ /bin/index.html
/bin%2F /bin/ /bin/index.html
/bin%252F /bin%252F /bin%2F
/bin/ /bin/ /bin/index.html
/bin/index /bin/ /bin/index.html
/bin/index.html /bin/ /bin/index.html
`},
	{"force-trailing-slash", "/file-bin /file-bin.html", `
/file-bin /file-bin /file-bin
/file-bin.html /file-bin/ /file-bin.html
/file-bin/ /file-bin/ /file-bin.html
/file-bin/index /file-bin/ /file-bin.html
/file-bin/index.html /file-bin/ /file-bin.html
`},
	{"none", "/index.html", `
/ 404
/index 404
/index.html /index.html /index.html
`},
	{"none", "/both.html /both/index.html", `
/both 404
/both.html /both.html /both.html
/both/ 404
/both/index.html /both/index.html /both/index.html
`},
	{"none", "/file.html", `
/file/index.html 404
`},
	{"none", "/folder/index.html", `
/folder.html 404
`},
	{"none", "/bin%2F /bin/index.html", `
/bin 404
/bin.html 404
/bin%2F 404
/bin%252F /bin%252F /bin%2F
/bin/ 404
/bin/index 404
`},
	{"none", "/file-bin /file-bin.html", `
/file-bin /file-bin /file-bin
/file-bin.html /file-bin.html /file-bin.html
/file-bin/ 404
/file-bin/index 404
/file-bin/index.html 404
`},
	{"auto-trailing-slash", "/[boop].html", `
/[boop] /%5Bboop%5D /[boop].html
/%5Bboop%5D /%5Bboop%5D /[boop].html
/%5Bboop%5D.html /%5Bboop%5D /[boop].html
/[boop].html /%5Bboop%5D /[boop].html
/%5Bboop%5D/ /%5Bboop%5D /[boop].html
/[boop]/ /%5Bboop%5D /[boop].html
`},
	{"auto-trailing-slash", "/[boop].html /[boop]/index.html", `
/[boop] /%5Bboop%5D /[boop].html
/%5Bboop%5D /%5Bboop%5D /[boop].html
/[boop].html /%5Bboop%5D /[boop].html
/%5Bboop%5D.html /%5Bboop%5D /[boop].html
/[boop]/ /%5Bboop%5D/ /[boop]/index.html
/%5Bboop%5D/ /%5Bboop%5D/ /[boop]/index.html
/[boop]/index.html /%5Bboop%5D/ /[boop]/index.html
/%5Bboop%5D/index.html /%5Bboop%5D/ /[boop]/index.html
`},
	{"auto-trailing-slash", "/beep/[bòop].html", `
/beep/[b%C3%B2op] /beep/%5Bb%C3%B2op%5D /beep/[bòop].html
`},
	{"auto-trailing-slash", "/%5Bboop%5D.html /[boop].html", `
/[boop] /%5Bboop%5D /[boop].html
/[boop].html /%5Bboop%5D /[boop].html
/%5Bboop%5D /%5Bboop%5D /[boop].html
/%5Bboop%5D.html /%5Bboop%5D /[boop].html
/%255Bboop%255D /%255Bboop%255D /%5Bboop%5D.html
/%255Bboop%255D.html /%255Bboop%255D /%5Bboop%5D.html
`},
	{"auto-trailing-slash", "/beep?boop.html", `
/beep?boop 404
/beep%3Fboop /beep%3Fboop /beep?boop.html
/beep%3Fboop/ /beep%3Fboop /beep?boop.html
`},
	{"drop-trailing-slash", "/[boop].html", `
/[boop] /%5Bboop%5D /[boop].html
/%5Bboop%5D /%5Bboop%5D /[boop].html
/%5Bboop%5D.html /%5Bboop%5D /[boop].html
/[boop].html /%5Bboop%5D /[boop].html
/%5Bboop%5D/ /%5Bboop%5D /[boop].html
/[boop]/ /%5Bboop%5D /[boop].html
`},
	{"drop-trailing-slash", "/[boop].html /[boop]/index.html", `
/[boop] /%5Bboop%5D /[boop].html
/%5Bboop%5D /%5Bboop%5D /[boop].html
/[boop].html /%5Bboop%5D /[boop].html
/%5Bboop%5D.html /%5Bboop%5D /[boop].html
/[boop]/ /%5Bboop%5D /[boop].html
/%5Bboop%5D/ /%5Bboop%5D /[boop].html
/[boop]/index.html /%5Bboop%5D/index.html /[boop]/index.html
/%5Bboop%5D/index.html /%5Bboop%5D/index.html /[boop]/index.html
`},
	{"drop-trailing-slash", "/beep/[bòop].html", `
/beep/[b%C3%B2op] /beep/%5Bb%C3%B2op%5D /beep/[bòop].html
`},
	{"drop-trailing-slash", "/%5Bboop%5D.html /[boop].html", `
/[boop] /%5Bboop%5D /[boop].html
/[boop].html /%5Bboop%5D /[boop].html
/%5Bboop%5D /%5Bboop%5D /[boop].html
/%5Bboop%5D.html /%5Bboop%5D /[boop].html
/%255Bboop%255D /%255Bboop%255D /%5Bboop%5D.html
/%255Bboop%255D.html /%255Bboop%255D /%5Bboop%5D.html
`},
	{"drop-trailing-slash", "/beep?boop.html", `
/beep?boop 404
/beep%3Fboop /beep%3Fboop /beep?boop.html
/beep%3Fboop/ /beep%3Fboop /beep?boop.html
`},
	{"force-trailing-slash", "/[boop].html", `
/%5Bboop%5D/ /%5Bboop%5D/ /[boop].html
/[boop]/ /%5Bboop%5D/ /[boop].html
`},
	{"force-trailing-slash", "/[boop].html /[boop]/index.html", `
/[boop] /%5Bboop%5D/ /[boop]/index.html
/%5Bboop%5D /%5Bboop%5D/ /[boop]/index.html
/[boop].html /%5Bboop%5D.html /[boop].html
/%5Bboop%5D.html /%5Bboop%5D.html /[boop].html
/[boop]/ /%5Bboop%5D/ /[boop]/index.html
/%5Bboop%5D/ /%5Bboop%5D/ /[boop]/index.html
/[boop]/index.html /%5Bboop%5D/ /[boop]/index.html
/%5Bboop%5D/index.html /%5Bboop%5D/ /[boop]/index.html
`},
	{"force-trailing-slash", "/beep/[bòop].html", `
/beep/[b%C3%B2op]/ /beep/%5Bb%C3%B2op%5D/ /beep/[bòop].html
`},
	{"force-trailing-slash", "/%5Bboop%5D.html /[boop].html", `
/[boop] /%5Bboop%5D/ /[boop].html
/[boop].html /%5Bboop%5D/ /[boop].html
/%5Bboop%5D /%5Bboop%5D/ /[boop].html
/%5Bboop%5D.html /%5Bboop%5D/ /[boop].html
/%255Bboop%255D /%255Bboop%255D/ /%5Bboop%5D.html
/%255Bboop%255D.html /%255Bboop%255D/ /%5Bboop%5D.html
`},
	{"force-trailing-slash", "/beep?boop.html", `
/beep?boop/ 404
/beep%3Fboop /beep%3Fboop/ /beep?boop.html
/beep%3Fboop/ /beep%3Fboop/ /beep?boop.html
`},
	{"none", "/[boop].html", `
/[boop] 404
/%5Bboop%5D 404
/[boop].html /%5Bboop%5D.html /[boop].html
/%5Bboop%5D.html /%5Bboop%5D.html /[boop].html
`},
	{"none", "/beep/[bòop].html", `
/beep/[b%C3%B2op].html /beep/%5Bb%C3%B2op%5D.html /beep/[bòop].html
`},
	{"none", "/%5Bboop%5D.html /[boop].html", `
/[boop].html /%5Bboop%5D.html /[boop].html
/%5Bboop%5D.html /%5Bboop%5D.html /[boop].html
/[boop] 404
/%5Bboop%5D 404
/%255Bboop%255D.html /%255Bboop%255D.html /%5Bboop%5D.html
/%255Bboop%255D 404
`},
	{"none", "/beep?boop.html", `
/beep?boop/ 404
/beep%3Fboop.html /beep%3Fboop.html /beep?boop.html
/beep%3Fboop 404
`},
}
