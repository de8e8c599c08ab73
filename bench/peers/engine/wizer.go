package engine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// wizer runs a module's initialisation and gives the module as it is then,
// without that export. See https://github.com/bytecodealliance/wizer.
func wizer(ctx context.Context, program string, wasm []byte) ([]byte, error) {
	dir, err := os.MkdirTemp("", "mayfly-peers-")
	if err != nil {
		return nil, fmt.Errorf("pre-initialise: %w", err)
	}
	defer os.RemoveAll(dir)
	in, out := filepath.Join(dir, "in.wasm"), filepath.Join(dir, "out.wasm")
	if err := os.WriteFile(in, wasm, 0o600); err != nil {
		return nil, fmt.Errorf("pre-initialise: %w", err)
	}
	cmd := exec.CommandContext(ctx, program, in, "--allow-wasi", "--wasm-bulk-memory", "true", "-f", initialise, "-o", out)
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pre-initialise: %w\n%s", err, text)
	}
	return os.ReadFile(out)
}
