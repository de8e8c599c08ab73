package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/cli/internal/scaffold"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/spf13/cobra"
)

type newCommand struct {
	stdio    Stdio
	language string
}

func newNew(stdio Stdio) *cobra.Command {
	n := &newCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "new NAME",
		Example: "  mayfly new greet\n  mayfly new greet --lang ts\n  mayfly init greet",
		Aliases: []string{"init"},
		Short:   "Make a project",
		Long: `New makes the folder NAME with a Function that says hello: in Go with its test and a
copy of the SDK, or a Worker in JavaScript or TypeScript (--lang js, --lang ts). It
builds without a network.`,
		Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error { return n.run(c, args[0]) },
	}
	c.Flags().StringVar(&n.language, "lang", "go", "language: "+strings.Join(scaffold.Languages(), ", "))
	c.RegisterFlagCompletionFunc("lang", cobra.FixedCompletions(scaffold.Languages(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// testHint is how a new project is tested, by language.
var testHint = map[string]string{"go": "  go test ./...\n"}

func (n *newCommand) run(c *cobra.Command, dir string) error {
	name := filepath.Base(filepath.Clean(dir))
	if err := deploy.CheckName(name); err != nil {
		return usagef(c, "%v", err)
	}
	if !slices.Contains(scaffold.Languages(), n.language) {
		return usagef(c, "there is no template for --lang %s, only for %s", n.language, strings.Join(scaffold.Languages(), ", "))
	}
	err := scaffold.Create(dir, name, n.language)
	if errors.Is(err, scaffold.ErrExists) {
		return fmt.Errorf("%w; choose another name", err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(n.stdio.Out, `created %[1]s

  cd %[1]s
  mayfly dev       # serves it, again after every save
%[2]s  mayfly deploy    # puts it on a node
`, dir, testHint[n.language])
	return err
}
