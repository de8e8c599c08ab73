package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Failed is a build that the compiler or the build command refused.
type Failed struct {
	Command string
	Output  []byte // what it wrote
	Err     error
}

func (e *Failed) Error() string { return fmt.Sprintf("build: %s: %v", e.Command, e.Err) }

// Unwrap gives the command's exit status.
func (e *Failed) Unwrap() error { return e.Err }

// Build runs the manifest's build command, if any, and then compiles the Go
// package or bundles the JavaScript that main names, unless main is a module
// already. It returns the module's file, "" if there are static files only. The
// manifest's warnings go to log, and what compilers write as
// they go; the error of one that failed is *Failed.
func (p *Project) Build(ctx context.Context, log io.Writer) (string, error) {
	for _, w := range p.Manifest.Warnings {
		fmt.Fprintln(log, "warning:", w)
	}
	if command := p.Manifest.Build.Command; command != "" {
		cmd := exec.CommandContext(ctx, "sh", "-c", command)
		cmd.Dir = filepath.Join(p.Dir, filepath.FromSlash(p.Manifest.Build.Cwd))
		if err := run(cmd, command, log); err != nil {
			return "", err
		}
	}
	if p.FilesOnly() {
		return "", nil
	}
	if p.namesModule() {
		return p.prebuilt()
	}
	if p.isScript() {
		return p.bundle(), p.buildScript(ctx, log)
	}
	if !p.isGo() {
		return "", p.nothingToBuild()
	}
	return p.output(), p.buildGo(ctx, log)
}

// prebuilt is the module that main names.
func (p *Project) prebuilt() (string, error) {
	if _, err := os.Stat(p.module()); err != nil {
		return "", fmt.Errorf("find the module that main names: %w", err)
	}
	return p.module(), nil
}

// nothingToBuild says what is missing in a folder that can't be built.
func (p *Project) nothingToBuild() error {
	if p.Manifest.Build.Command != "" {
		return &ManifestError{errors.New(`main has to name the .wasm file that the build command writes: main = "out.wasm"`)}
	}
	return &ManifestError{fmt.Errorf("%s has neither Go sources nor a module: in mayfly.toml, set main to a .js or .ts file, or to a .wasm file and command in [build] to what makes it", p.Dir)}
}

const maxOutput = 1 << 20 // bytes of a compiler's output that Failed keeps

// run runs a compiler, which writes to log and, for Failed, to memory.
func run(cmd *exec.Cmd, name string, log io.Writer) error {
	var kept head
	out := io.MultiWriter(log, &kept)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second // children of the shell may hold its output
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("%s is not installed, or not in PATH", cmd.Args[0])
	}
	return &Failed{name, kept.Bytes(), err}
}

// head keeps the first maxOutput bytes and counts on compilers to say what
// matters first.
type head struct{ bytes.Buffer }

func (h *head) Write(p []byte) (int, error) {
	h.Buffer.Write(p[:min(len(p), maxOutput-h.Len())])
	return len(p), nil
}
