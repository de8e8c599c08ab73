package mayfly_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLinkedImports builds modules and checks that what has a price is linked
// only into those that use it: importing respond_stream or wait_until costs a
// thread, and packages cost size.
func TestLinkedImports(t *testing.T) {
	tests := map[string]struct {
		imports string // all from mayfly; "" for not checked
		without []string
		maxSize int64
	}{
		"light":      {"handles last_error log request_url respond", []string{"respond_stream", "wait_until"}, 2_300_000},
		"background": {"handles last_error log respond wait_until", []string{"respond_stream"}, 2_300_000},
		"stream":     {"body_read body_write close handles last_error log request_body respond respond_stream wait", []string{"wait_until"}, 2_500_000},
		"kv":         {"", []string{"respond_stream", "wait_until"}, 6_000_000},
		"http":       {"", []string{"wait_until", "fetch_send", "fetcher_send", "kv_open"}, 6_500_000},
		"services":   {"", []string{"respond_stream", "wait_until", "fetch_send", "kv_open"}, 4_000_000},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wasm := build(t, "./testdata/"+name)
			t.Logf("%d bytes", len(wasm))
			if int64(len(wasm)) > tt.maxSize {
				t.Errorf("%d bytes, want %d at most", len(wasm), tt.maxSize)
			}
			imports := importsOf(t, wasm, "mayfly")
			if got := strings.Join(imports, " "); tt.imports != "" && got != tt.imports {
				t.Errorf("imports %s, want %s", got, tt.imports)
			}
			for _, unused := range tt.without {
				if slices.Contains(imports, unused) {
					t.Errorf("imports %s", unused)
				}
			}
		})
	}
}

// TestLightPackages keeps heavy packages out of package mayfly.
func TestLightPackages(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", ".")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	for _, heavy := range []string{"net/http", "net/url", "encoding/json", "fmt", "log/slog", "reflect", "os"} {
		if slices.Contains(deps, heavy) {
			t.Errorf("package mayfly links %s", heavy)
		}
	}
}

func build(t *testing.T, dir string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", file, dir)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", dir, err, out)
	}
	wasm, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// importsOf returns the sorted names that a module imports from another; see
// section 5.5.5 of the WebAssembly specification. All are functions here.
func importsOf(t *testing.T, wasm []byte, module string) (names []string) {
	t.Helper()
	r := bytes.NewReader(wasm[8:])
	for {
		id, err := r.ReadByte()
		if err != nil {
			t.Fatal("no import section")
		}
		size := number(r)
		if id != 2 {
			r.Seek(int64(size), 1)
			continue
		}
		for range number(r) {
			from, name := string(name(r)), string(name(r))
			r.ReadByte() // kind
			number(r)    // type
			if from == module {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names
	}
}

func number(r *bytes.Reader) uint64 {
	n, _ := binary.ReadUvarint(r) // the same as unsigned LEB128
	return n
}

func name(r *bytes.Reader) []byte {
	b := make([]byte, number(r))
	r.Read(b)
	return b
}
