package guests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// build compiles the Go project in dir as users do: with its names, which
// Mayfly's snapshots need for fresh random numbers in each request.
func build(dir string) ([]byte, error) {
	out, err := os.MkdirTemp("", "mayfly-bench-")
	if err != nil {
		return nil, fmt.Errorf("build guest: %w", err)
	}
	defer os.RemoveAll(out)
	file := filepath.Join(out, "guest.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-buildmode=c-shared", "-o", file, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build guest %s: %w\n%s", dir, err, text)
	}
	return os.ReadFile(file)
}
