package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/mayfly-run/mayfly/host/native"
)

// handlesStub is a module with the one function of the ABI that the SDK calls during
// initialisation: handles, which returns 0.
var handlesStub = []byte("\x00asm\x01\x00\x00\x00" +
	"\x01\x06\x01\x60\x01\x7f\x01\x7f" + // (i32) -> i32
	"\x03\x02\x01\x00" +
	"\x07\x0b\x01\x07handles\x00\x00" +
	"\x0a\x06\x01\x04\x00\x41\x00\x0b") // i32.const 0

// wizer runs a module's initialisation and gives the module as it is then,
// without that export. See https://github.com/bytecodealliance/wizer.
func wizer(ctx context.Context, program string, wasm []byte) ([]byte, error) {
	dir, err := os.MkdirTemp("", "mayfly-peers-")
	if err != nil {
		return nil, fmt.Errorf("pre-initialise: %w", err)
	}
	defer os.RemoveAll(dir)
	in, out, stub := filepath.Join(dir, "in.wasm"), filepath.Join(dir, "out.wasm"), filepath.Join(dir, "stub.wasm")
	if err := errors.Join(os.WriteFile(in, wasm, 0o600), os.WriteFile(stub, handlesStub, 0o600)); err != nil {
		return nil, fmt.Errorf("pre-initialise: %w", err)
	}
	cmd := exec.CommandContext(ctx, program, in, "--allow-wasi", "--wasm-bulk-memory", "true", "--preload", native.Name+"="+stub, "-f", initialise, "-o", out)
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pre-initialise: %w\n%s", err, text)
	}
	return os.ReadFile(out)
}
