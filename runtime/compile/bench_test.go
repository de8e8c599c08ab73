package compile_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// goGuest is a Go program of some 3 MB that decodes JSON.
var goGuest = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "guest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", file, ".")
	cmd.Dir = filepath.Join("..", "wasm", "testdata", "guest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=-mod=mod", "GOWORK=off")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// BenchmarkGo is what the code of a Go guest costs: compiled by a child, verified
// on disk, verified and loaded.
func BenchmarkGo(b *testing.B) {
	code, err := goGuest()
	if err != nil {
		b.Fatal(err)
	}
	benchmark(b, code)
}

func BenchmarkTiny(b *testing.B) { benchmark(b, answers(1)) }

func benchmark(b *testing.B, code []byte) {
	b.Run("miss", func(b *testing.B) {
		cfg, _ := counted(b.TempDir())
		c := mustOpen(b, cfg)
		for b.Loop() {
			mustEnsure(b, c, code)
			b.StopTimer()
			entry, _ := mustCode(b, cfg.Dir)
			if err := os.Remove(entry); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	cfg, _ := counted(b.TempDir())
	c := mustOpen(b, cfg)
	mustEnsure(b, c, code)
	entry, _ := mustCode(b, cfg.Dir)
	size := mustSize(b, entry)
	b.Run("hit", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			mustEnsure(b, c, code)
		}
	})
	b.Run("load", func(b *testing.B) {
		engine := mustEngine(b, c)
		b.SetBytes(size)
		for b.Loop() {
			compiled, err := c.Load(context.Background(), engine, code)
			if err != nil {
				b.Fatal(err)
			}
			compiled.Module.Close(context.Background())
		}
	})
}
