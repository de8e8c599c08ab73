package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/mayfly-run/mayfly/cli/internal/build"
	"github.com/mayfly-run/mayfly/cli/internal/progress"
	"github.com/spf13/cobra"
)

type buildCommand struct {
	stdio Stdio
	stage stageFlag
	json  bool
}

func newBuild(stdio Stdio) *cobra.Command {
	b := &buildCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "build [DIR]",
		Example: "  mayfly build\n  mayfly build examples/hello --env staging",
		Short:   "Build what a project deploys: NAME.wasm, or a bundle of JavaScript",
		Long: `Build makes the module of the project in DIR (default: here) and prints its
path.

It runs the command in [build] of mayfly.toml, if there is one. If main is a
.wasm file, that is the module. If it is JavaScript or TypeScript, it is bundled with
all that it imports into DIR/.mayfly/build/NAME.js. Otherwise the Go package that main
names is compiled to DIR/NAME.wasm:

    GOOS=wasip1 GOARCH=wasm go build -trimpath -o NAME.wasm

with -buildmode=c-shared if the package imports the Mayfly SDK, directly or not.
A program that does not import it is a command: it gets each request as CGI.`,
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error {
			return b.run(c.Context(), argument(args, 0, "."))
		},
	}
	b.stage.register(c.Flags())
	c.Flags().BoolVar(&b.json, "json", false, "print name and file as JSON")
	return c
}

func (b *buildCommand) run(ctx context.Context, dir string) error {
	p, file, err := buildProject(ctx, b.stdio, dir, b.stage.get())
	if err != nil {
		return err
	}
	if file == "" {
		return errFilesOnly
	}
	file = shortPath(dir, p, file)
	if b.json {
		return printJSON(b.stdio.Out, map[string]string{"name": p.Manifest.Name, "file": file})
	}
	_, err = fmt.Fprintln(b.stdio.Out, file)
	return err
}

// errFilesOnly: there is no module of such a project.
var errFilesOnly = errors.New("the project has no module, only static files: [assets] without main")

// buildProject opens and builds the project in dir. Compilers write to Err.
func buildProject(ctx context.Context, stdio Stdio, dir, stage string) (*build.Project, string, error) {
	p, err := build.Open(dir, stage)
	if err != nil {
		return nil, "", err
	}
	line := startProgress(stdio, "building "+p.Manifest.Name)
	file, err := p.Build(ctx, pausing{stdio.Err, line})
	line.Done()
	return p, file, err
}

// shortPath is file as it is found from where the command runs.
func shortPath(dir string, p *build.Project, file string) string {
	rel, err := filepath.Rel(p.Dir, file)
	if err != nil || filepath.IsAbs(dir) {
		return file
	}
	return filepath.Join(dir, rel)
}

// startProgress shows a line on Err if that is a terminal.
func startProgress(stdio Stdio, label string) *progress.Line {
	if !isTerminal(stdio.Err) {
		return nil
	}
	return progress.Start(stdio.Err, label)
}

// pausing lets other output through above a line of progress.
type pausing struct {
	w    io.Writer
	line *progress.Line
}

func (p pausing) Write(b []byte) (int, error) { return p.line.Above(p.w, b) }
