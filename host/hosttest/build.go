package hosttest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// BuildGo builds the main package in dir for wasip1 with the Go command that
// runs the tests. Flags go to go build, such as -buildmode=c-shared. The build
// cache makes the second time fast.
func BuildGo(dir string, flags ...string) ([]byte, error) {
	out, err := os.MkdirTemp("", "guest")
	if err != nil {
		return nil, fmt.Errorf("build guest: %w", err)
	}
	defer os.RemoveAll(out)
	file := filepath.Join(out, "guest.wasm")
	args := append([]string{"build", "-ldflags=-s -w", "-o", file}, flags...)
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build guest %s: %w\n%s", dir, err, text)
	}
	return os.ReadFile(file)
}
