package build

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// sdk is the Go SDK. A program that imports it, however indirectly, is built as
// a library whose exports the node calls; any other is a command that serves
// as CGI.
const sdk = "github.com/mayfly-run/mayfly/sdk/go"

// isGo reports whether main, or the folder itself, is a Go package.
func (p *Project) isGo() bool {
	if strings.HasSuffix(p.Manifest.Main, ".go") {
		return true
	}
	files, err := filepath.Glob(filepath.Join(p.Dir, filepath.FromSlash(p.Manifest.Main), "*.go"))
	return err == nil && len(files) > 0
}

// goPackage is the package that main names: a folder, or the folder of a file.
func (p *Project) goPackage() string {
	dir := p.Manifest.Main
	if strings.HasSuffix(dir, ".go") {
		dir = path.Dir(dir)
	}
	return "./" + path.Clean(dir)
}

func (p *Project) buildGo(ctx context.Context, log io.Writer) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-o", p.output()}
	usesSDK, err := p.importsSDK(ctx, log)
	if err != nil {
		return err
	}
	if usesSDK {
		args = append(args, "-buildmode=c-shared")
	}
	return run(p.goCommand(ctx, append(args, p.goPackage())...), "go build", log)
}

// importsSDK looks through the package's dependencies. What is wrong with them
// is left to the compiler to say.
func (p *Project) importsSDK(ctx context.Context, log io.Writer) (bool, error) {
	var list strings.Builder
	cmd := p.goCommand(ctx, "list", "-e", "-deps", "-f", "{{.ImportPath}}", p.goPackage())
	if err := run(cmd, "go list", &list); err != nil {
		io.WriteString(log, list.String())
		return false, err
	}
	for line := range strings.Lines(list.String()) {
		if line = strings.TrimSpace(line); line == sdk || strings.HasPrefix(line, sdk+"/") {
			return true, nil
		}
	}
	return false, nil
}

func (p *Project) goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = p.Dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "PWD="+p.Dir)
	return cmd
}
