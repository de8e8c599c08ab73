package assets_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime/assets"
)

func mustPut(t testing.TB, blobs kv.Blobs, data []byte) assets.Content {
	t.Helper()
	d, err := blobs.Put(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	return assets.Content{Digest: d, Size: int64(len(data))}
}

func TestServerKeepsWithinMemory(t *testing.T) {
	blobs := memkv.NewBlobs()
	const most = 1 << 20
	s := assets.NewServer(blobs, most)
	for i := range 100 {
		c := mustPut(t, blobs, bytes.Repeat([]byte{byte(i)}, 100<<10))
		if data, ok, err := s.Bytes(t.Context(), &c); err != nil || !ok || len(data) != 100<<10 || data[0] != byte(i) {
			t.Fatalf("file %d: got %d bytes, %v, %v", i, len(data), ok, err)
		}
		if got := s.Memory(); got > most {
			t.Fatalf("%d bytes are kept", got)
		}
	}
	if s.Memory() < most/2 {
		t.Errorf("only %d bytes are kept", s.Memory())
	}
}

// TestServerBlobIsLonger: what the blob has beyond the file is not served.
func TestServerBlobIsLonger(t *testing.T) {
	blobs := memkv.NewBlobs()
	c := mustPut(t, blobs, []byte("file and more"))
	c.Size = 4
	s := assets.NewServer(blobs, 0)
	if data, _, err := s.Bytes(t.Context(), &c); err != nil || string(data) != "file" || cap(data) != 4 {
		t.Errorf("got %q, %v", data, err)
	}
	c.Size = 100
	if _, _, err := assets.NewServer(blobs, 0).Bytes(t.Context(), &c); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("a blob that is shorter: got %v", err)
	}
}

func TestServerLargeFile(t *testing.T) {
	blobs := memkv.NewBlobs()
	data := make([]byte, 1<<20+7)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	c := mustPut(t, blobs, append(data, "more"...))
	c.Size = int64(len(data))
	s := assets.NewServer(blobs, 0)
	if _, ok, err := s.Bytes(t.Context(), &c); ok || err != nil {
		t.Errorf("a large file is kept in memory: %v, %v", ok, err)
	}
	for _, r := range [][2]int{{0, len(data)}, {0, 0}, {1, 1}, {128<<10 - 1, 2}, {len(data) - 5, 5}, {300_000, 500_000}} {
		body, err := s.Open(t.Context(), &c, int64(r[0]), int64(r[1]))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, data[r[0]:r[0]+r[1]]) {
			t.Errorf("%d bytes from %d: got %d, %v", r[1], r[0], len(got), err)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	}
}

// broken has blobs whose bytes are not those of their digest.
type broken struct{ kv.Blobs }

func (broken) Get(context.Context, kv.Digest) ([]byte, error) { return nil, kv.ErrCorrupt }

func TestServerDamaged(t *testing.T) {
	blobs := memkv.NewBlobs()
	small, large := mustPut(t, blobs, []byte("a")), mustPut(t, blobs, make([]byte, 1<<20))
	s := assets.NewServer(broken{blobs}, 0)
	if _, _, err := s.Bytes(t.Context(), &small); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("a small file: got %v", err)
	}
	if _, err := s.Open(t.Context(), &large, 0, 1); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("a large file: got %v", err)
	}
	if _, err := s.Handle("v", small.Digest, assets.Config{}, assets.Options{}).Site(t.Context()); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("a manifest: got %v", err)
	}
}

// handle makes one for files whose contents are their paths.
func handle(t testing.TB, c assets.Config, paths ...string) *assets.Handle {
	t.Helper()
	blobs, m := memkv.NewBlobs(), assets.Manifest{}
	for _, p := range paths {
		m[p] = assets.File{Content: mustPut(t, blobs, []byte(p)), Type: assets.TypeOf(p)}
	}
	data, err := assets.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	d := mustPut(t, blobs, append(data, "\nmore"...))
	return assets.NewServer(blobs, 0).Handle("version", d.Digest, c, assets.Options{Function: true})
}

func TestFetch(t *testing.T) {
	h := handle(t, assets.Config{RunWorkerFirst: assets.First{All: true}}, "/index.html", "/a.txt", "/ü.txt")
	tests := []struct {
		method, url, headers string
		status               int
		body, field, value   string
	}{
		{"GET", "https://any.host/a.txt", "", 200, "/a.txt", "content-type", "text/plain; charset=utf-8"},
		{"GET", "https://any.host", "", 200, "/index.html", "content-length", "11"},
		{"HEAD", "https://any.host/a.txt", "", 200, "", "content-length", "6"},
		{"GET", "https://any.host/%C3%BC.txt", "", 200, "/ü.txt", "accept-ranges", "bytes"},
		{"GET", "https://any.host/index.html?q=1#x", "", 307, "", "location", "/?q=1"},
		{"GET", "https://any.host/a.txt", "range\x00bytes=1-2\x00", 206, "a.", "content-range", "bytes 1-2/6"},
		{"GET", "https://any.host/none", "", 404, "", "etag", ""},
		{"POST", "https://any.host/a.txt", "", 405, "", "allow", "GET, HEAD"},
	}
	for _, tt := range tests {
		resp, err := h.Fetch(t.Context(), &host.FetchRequest{Method: tt.method, URL: tt.url, Headers: host.Headers(tt.headers)})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		value, _ := resp.Headers.Get(tt.field)
		if err != nil || resp.Status != tt.status || string(body) != tt.body || string(value) != tt.value {
			t.Errorf("%s %s: got %d %q, %s: %s, %v; want %d %q, %s", tt.method, tt.url, resp.Status, body, tt.field, value, err, tt.status, tt.body, tt.value)
		}
	}
	for _, url := range []string{"/a.txt", "ftp://x/", "https://", "https://x/%zz"} {
		_, err := h.Fetch(t.Context(), &host.FetchRequest{Method: "GET", URL: url})
		if e, ok := errors.AsType[*host.Error](err); !ok || e.Code != host.CodeInvalid {
			t.Errorf("%s: got %v", url, err)
		}
	}
	if resp, err := h.Serve(t.Context(), &host.FetchRequest{Method: "GET", URL: "https://any.host/a.txt"}); resp != nil || err != nil {
		t.Errorf("as a request from outside, where the Function comes first: got %+v, %v", resp, err)
	}
}

// TestServerTogether has many ask for little at the same time.
func TestServerTogether(t *testing.T) {
	blobs := memkv.NewBlobs()
	var files []assets.Content
	for i := range 20 {
		files = append(files, mustPut(t, blobs, []byte(strings.Repeat(fmt.Sprint(i), 10_000))))
	}
	s := assets.NewServer(blobs, 200_000)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 500 {
				c := files[(g+i*7)%len(files)]
				if data, _, err := s.Bytes(t.Context(), &c); err != nil || int64(len(data)) != c.Size || kv.DigestOf(data) != c.Digest {
					t.Errorf("got %d bytes, %v", len(data), err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestCompress(t *testing.T) {
	text := []byte(strings.Repeat("a text that repeats itself. ", 1000))
	tests := []struct {
		kind string
		data []byte
		want int
	}{
		{"text/html; charset=utf-8", text, 2}, {"image/svg+xml", text, 2}, {"application/json", text, 2}, {"application/wasm", text, 2},
		{"image/png", text, 0}, {"", text, 0}, {"video/mp4", text, 0}, {"font/woff2", text, 0},
		{"text/plain", text[:100], 0}, {"text/plain", nil, 0},
	}
	for _, tt := range tests {
		got, err := assets.Compress(tt.data, tt.kind)
		if err != nil || len(got) != tt.want {
			t.Errorf("%d bytes of %q: got %d forms, %v, want %d", len(tt.data), tt.kind, len(got), err, tt.want)
		}
	}
}

func TestTypeOf(t *testing.T) {
	for name, want := range map[string]string{
		"/index.html": "text/html; charset=utf-8", "/A.CSS": "text/css; charset=utf-8", "/a.min.js": "text/javascript; charset=utf-8",
		"/x.tar.gz": "application/gzip", "/f.woff2": "font/woff2", "/i.svg": "image/svg+xml", "/none": "", "/.hidden": "", "/a.b/c": "",
	} {
		if got := assets.TypeOf(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
