package trigger_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/assets"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
	"github.com/molecule-man/go-brrr"
)

// deployFiles deploys files, given by path and text in turn, with a module or alone.
func (s *server) deployFiles(name string, module []byte, a deploy.Assets, files ...string) {
	s.t.Helper()
	m, texts := map[string]deploy.AssetFile{}, map[string]string{}
	for i := 0; i < len(files); i += 2 {
		hash := kv.DigestOf([]byte(files[i] + files[i+1])).String()[:32]
		m[files[i]] = deploy.AssetFile{Hash: hash, Size: int64(len(files[i+1]))}
		texts[hash] = files[i+1]
	}
	token, _, err := s.registry.BeginAssets(s.t.Context(), "local", name, m, deploy.Token{})
	if err != nil {
		s.t.Fatal(err)
	}
	for path, f := range m {
		if err := s.registry.PutAsset(s.t.Context(), token, f.Hash, []byte(texts[f.Hash]), assets.TypeOf(path)); err != nil {
			s.t.Fatal(err)
		}
	}
	must(s.registry.Deploy(s.t.Context(), "local", name, deploy.Upload{
		Module: module, Settings: deploy.Settings{Assets: &a}, Assets: &deploy.UploadAssets{Session: token}}))(s.t)
}

func (s *server) fetch(method, name, path string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	req := must(http.NewRequest(method, "http://"+s.addr+path, nil))(s.t)
	req.Host = name + ".localhost"
	req.Header.Set("Accept-Encoding", "identity")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	noFollow := &http.Client{Timeout: client.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp := must(noFollow.Do(req))(s.t)
	defer resp.Body.Close()
	return resp, string(must(io.ReadAll(resp.Body))(s.t))
}

func TestAssetsOverHTTP(t *testing.T) {
	page := strings.Repeat("<p>a page that is long enough to be compressed</p>\n", 200)
	large := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
	var access bytes.Buffer
	s := start(t, host.Limits{}, nil, func(c *trigger.HTTPConfig) { c.AccessLog = slog.New(slog.NewTextHandler(&access, nil)) })
	s.deployFiles("site", nil, deploy.Assets{Config: assets.Config{NotFoundHandling: assets.Page404}},
		"/index.html", page, "/large.bin", large, "/404.html", "not here", "/empty.txt", "")
	tests := []struct {
		method, path string
		headers      []string
		status       int
		body         string
		want         string // in the header
	}{
		{"GET", "/", nil, 200, page, "Content-Type: text/html; charset=utf-8"},
		{"GET", "/", nil, 200, page, "Vary: Accept-Encoding"},
		{"HEAD", "/", nil, 200, "", fmt.Sprintf("Content-Length: %d", len(page))},
		{"GET", "/index.html?a=b", nil, 307, "", "Location: /?a=b"},
		{"GET", "/x", nil, 404, "not here", "Content-Type: text/html; charset=utf-8"},
		{"HEAD", "/x", nil, 404, "", "Content-Length: 8"},
		{"POST", "/", nil, 405, "", "Allow: GET, HEAD"},
		{"GET", "/large.bin", nil, 200, large, "Content-Length: 1048576"},
		{"HEAD", "/large.bin", nil, 200, "", "Content-Length: 1048576"},
		{"GET", "/large.bin", []string{"Range", "bytes=262140-393220"}, 206, large[262140:393221], "Content-Range: bytes 262140-393220/1048576"},
		{"GET", "/large.bin", []string{"Range", "bytes=-3"}, 206, "def", "Content-Length: 3"},
		{"GET", "/large.bin", []string{"Range", "bytes=1048576-"}, 416, "", "Content-Range: bytes */1048576"},
		{"GET", "/empty.txt", nil, 200, "", "Content-Length: 0"},
		{"GET", "/%2e%2e/%2e%2e/etc/passwd", nil, 404, "not here", "Content-Length: 8"},
	}
	for _, tt := range tests {
		resp, body := s.fetch(tt.method, "site", tt.path, tt.headers...)
		name, value, _ := strings.Cut(tt.want, ": ")
		if resp.Close { // none of them had a body
			t.Errorf("%s %s: the connection ended", tt.method, tt.path)
		}
		if resp.StatusCode != tt.status || body != tt.body || resp.Header.Get(name) != value {
			t.Errorf("%s %s %q: got %d, %d bytes, %v; want %d, %d bytes, %s", tt.method, tt.path, tt.headers, resp.StatusCode, len(body), resp.Header, tt.status, len(tt.body), tt.want)
		}
	}
	first, _ := s.fetch("GET", "site", "/")
	if again, body := s.fetch("GET", "site", "/", "If-None-Match", first.Header.Get("ETag")); again.StatusCode != 304 || body != "" {
		t.Errorf("with the ETag: got %d, %q", again.StatusCode, body)
	}
	if want := `method=GET url=http://site.localhost/large.bin status=200 account=local function=site`; !strings.Contains(access.String(), want) {
		t.Errorf("the access log has no %s:\n%s", want, access.String())
	}
}

func TestAssetsCompressed(t *testing.T) {
	page := strings.Repeat("<p>a page that is long enough to be compressed</p>\n", 200)
	s := start(t, host.Limits{}, nil)
	s.deployFiles("site", nil, deploy.Assets{}, "/index.html", page)
	tags := map[string]bool{}
	for accept, want := range map[string]string{"br": "br", "gzip": "gzip", "identity": "", "br;q=0": ""} {
		resp, body := s.fetch("GET", "site", "/", "Accept-Encoding", accept)
		if got := resp.Header.Get("Content-Encoding"); got != want || decoded(t, body, want) != page {
			t.Errorf("%s: got %d bytes of %q", accept, len(body), got)
		}
		tags[resp.Header.Get("ETag")] = true
	}
	if len(tags) != 3 {
		t.Errorf("got the tags %v, want one of each form", tags)
	}
}

func decoded(t *testing.T, body, encoding string) string {
	switch encoding {
	case "br":
		return string(must(brrr.Decompress([]byte(body)))(t))
	case "gzip":
		r := must(gzip.NewReader(strings.NewReader(body)))(t)
		return string(must(io.ReadAll(r))(t))
	}
	return body
}

// TestAssetsAndFunction: the Function gets what no file answers, and files by its
// binding, as other Functions do that call it.
func TestAssetsAndFunction(t *testing.T) {
	s := start(t, host.Limits{}, nil)
	s.deployFiles("app", helloGuest("the function"), deploy.Assets{}, "/a.txt", "the file", "/index.html", "start")
	for path, want := range map[string]string{"/a.txt": "the file", "/": "start", "/x": "the function"} {
		if status, body := s.get("app", path); status != 200 || body != want {
			t.Errorf("%s: got %d %q, want %q", path, status, body, want)
		}
	}
	if status, body := s.send("POST", "app", "/x", "body"); status != 200 || body != "the function" {
		t.Errorf("POST: got %d %q", status, body)
	}
	s.deployFiles("first", relayGuest("https://assets/a.txt"), deploy.Assets{Binding: "PEER", Config: assets.Config{RunWorkerFirst: assets.First{All: true}}},
		"/a.txt", "by the binding")
	if status, body := s.get("first", "/x"); status != 200 || body != "by the binding" {
		t.Errorf("from the binding: got %d %q", status, body)
	}
	s.deployFiles("missing", relayGuest("https://assets/none"), deploy.Assets{Binding: "PEER"}, "/a.txt", "a")
	if status, body := s.get("missing", "/x"); status != 404 || body != "" {
		t.Errorf("what is not there, from the binding: got %d %q", status, body)
	}
	for path, want := range map[string]string{"/a.txt": "the file", "/x": "the function"} {
		s.bind("caller", relayGuest("http://app"+path), "app")
		if status, body := s.get("caller", "/"); status != 200 || body != want {
			t.Errorf("%s from another Function: got %d %q, want %q", path, status, body, want)
		}
	}
}

// TestAssetsOverHTTP2: they are the same.
func TestAssetsOverHTTP2(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
	s := start(t, host.Limits{}, nil)
	s.deployFiles("site", nil, deploy.Assets{}, "/index.html", "start", "/large.bin", large)
	client := h2Client(t, s.secure())
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	tests := []struct {
		method, path, headers string
		status                int
		body                  string
		length                int64
	}{
		{"GET", "/", "", 200, "start", 5},
		{"HEAD", "/", "", 200, "", 5},
		{"GET", "/index.html", "", 307, "", 0},
		{"GET", "/large.bin", "", 200, large, 1 << 20},
		{"HEAD", "/large.bin", "", 200, "", 1 << 20},
		{"GET", "/large.bin", "bytes=1-300000", 206, large[1:300001], 300000},
		{"GET", "/none", "", 404, "", 0},
	}
	for _, tt := range tests {
		req := must(http.NewRequest(tt.method, "https://site.localhost"+tt.path, nil))(t)
		if tt.headers != "" {
			req.Header.Set("Range", tt.headers)
		}
		resp := must(client.Do(req))(t)
		body := must(io.ReadAll(resp.Body))(t)
		if resp.ProtoMajor != 2 || resp.StatusCode != tt.status || string(body) != tt.body || resp.ContentLength != tt.length {
			t.Errorf("%s %s %s: got %d, %d bytes, length %d; want %d, %d bytes, length %d", tt.method, tt.path, tt.headers,
				resp.StatusCode, len(body), resp.ContentLength, tt.status, len(tt.body), tt.length)
		}
	}
}

// TestAssetsWhileDeploying asks for two files without a pause while Versions are
// deployed: both are always there, and whole.
func TestAssetsWhileDeploying(t *testing.T) {
	s := start(t, host.Limits{}, nil)
	text := func(i int) string { return strings.Repeat(fmt.Sprint(i%10), 300<<10) }
	s.deployFiles("site", nil, deploy.Assets{}, "/a.txt", text(0), "/b.txt", "same")
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				resp, body := s.fetch("GET", "site", "/a.txt")
				if resp.StatusCode != 200 || len(body) != 300<<10 || strings.Trim(body, body[:1]) != "" {
					t.Errorf("got %d, %d bytes", resp.StatusCode, len(body))
					return
				}
			}
		})
	}
	for i := range 20 {
		s.deployFiles("site", nil, deploy.Assets{}, "/a.txt", text(i), "/b.txt", "same")
	}
	close(stop)
	clients.Wait()
}
