package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/mayfly-run/mayfly/cli/internal/build"
	"github.com/mayfly-run/mayfly/cli/internal/dev"
	"github.com/mayfly-run/mayfly/cli/internal/envtypes"
	"github.com/spf13/cobra"
)

type typesCommand struct {
	stdio Stdio
	stage stageFlag
	name  string
	check bool
}

func newTypes(stdio Stdio) *cobra.Command {
	t := &typesCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "types [DIR]",
		Example: "  mayfly types\n  mayfly types --check\n  mayfly types examples/worker-orders --env-interface Bindings",
		Short:   "Write the TypeScript type of a Worker's env",
		Long: `Types writes ` + envtypes.File + ` into DIR (default: here): an interface with
what the Worker of mayfly.toml gets as env. That is variables, KV namespaces, other
Functions, rate limits, static files, and as secrets what .dev.vars has, of which it
reads the names only.

The types that it names come with the npm package @cloudflare/workers-types:

    npm install --save-dev typescript @cloudflare/workers-types

and "types": ["@cloudflare/workers-types"] in the compilerOptions of tsconfig.json.`,
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error { return t.run(c, argument(args, 0, ".")) },
	}
	t.stage.register(c.Flags())
	c.Flags().StringVar(&t.name, "env-interface", "Env", "name of the interface")
	c.Flags().BoolVar(&t.check, "check", false, "write nothing, and fail if the file is not what would be written")
	return c
}

// A name that a TypeScript interface can have.
var interfaceName = regexp.MustCompile(`^[\pL_$][\pL\pN_$]*$`)

func (t *typesCommand) run(c *cobra.Command, dir string) error {
	if !interfaceName.MatchString(t.name) {
		return usagef(c, "--env-interface wants the name of an interface, not %q", t.name)
	}
	p, err := build.OpenNames(dir, t.stage.get())
	if err != nil {
		return err
	}
	secrets, err := dev.Variables(p.Dir, p.Manifest.Stage)
	if err != nil {
		return err
	}
	text := envtypes.Write(p.Manifest, slices.Collect(maps.Keys(secrets)), t.name)
	return t.keep(filepath.Join(dir, envtypes.File), text)
}

// keep writes the file, unless it is somebody else's, or as it should be.
func (t *typesCommand) keep(file, text string) error {
	old, err := os.ReadFile(file)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("read types: %w", err)
	case err == nil && string(old) == text:
		_, err = fmt.Fprintf(t.stdio.Out, "%s is up to date\n", file)
		return err
	case t.check:
		return fmt.Errorf("%s is not what mayfly.toml says; 'mayfly types' writes it anew", file)
	case err == nil && !envtypes.Ours(string(old)):
		return fmt.Errorf("%s was not written by 'mayfly types'; move it away first", file)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write types: %w", err)
	}
	_, err = fmt.Fprintf(t.stdio.Out, "wrote %s\n", file)
	return err
}
