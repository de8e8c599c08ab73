package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/mayfly-run/mayfly/cli/internal/build"
	"github.com/spf13/cobra"
)

type deleteCommand struct {
	stdio Stdio
	node  nodeFlags
	stage stageFlag
	name  string
	force bool
}

func newDelete(stdio Stdio) *cobra.Command {
	d := &deleteCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "delete NAME",
		Example: "  mayfly delete hello\n  mayfly delete hello --force --account shop\n  mayfly delete --env staging",
		Short:   "Delete a Function; what it keeps in KV stays",
		Long: `Delete removes the Function NAME, or with --env the one that mayfly.toml here has
for that stage.`,
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error { return d.find(c, args) },
	}
	c.ValidArgsFunction = completeScripts(&d.node)
	d.node.register(c.Flags())
	d.stage.register(c.Flags())
	c.Flags().StringVar(&d.name, "name", "", "name of the Function, as NAME says it too")
	c.Flags().BoolVarP(&d.force, "force", "f", false, "do not ask, and delete even a Function that others bind")
	return c
}

// find finds out which Function is meant: one that is named, here or by a stage.
// The manifest's own is not enough, so that nothing is deleted by being in the
// wrong folder.
func (d *deleteCommand) find(c *cobra.Command, args []string) error {
	name := argument(args, 0, d.name)
	if name == "" && !d.stage.given() {
		return usagef(c, "NAME is missing")
	}
	if name == "" {
		p, err := build.OpenNames(".", d.stage.get())
		if err != nil {
			return err
		}
		name = p.Manifest.Name
	}
	return d.run(c, name)
}

func (d *deleteCommand) run(c *cobra.Command, name string) error {
	client, err := d.node.client(c)
	if err != nil {
		return err
	}
	if err := confirm(d.stdio, d.force, "Delete the Function %s?", name); err != nil {
		return err
	}
	if err := client.DeleteScript(c.Context(), name, d.force); err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.stdio.Out, "deleted %s\n", name)
	return err
}

var errDeclined = errors.New("nothing was done")

// confirm asks a person at a terminal. Scripts are not asked.
func confirm(stdio Stdio, force bool, format string, args ...any) error {
	if force || !isTerminal(stdio.In) {
		return nil
	}
	fmt.Fprintf(stdio.Err, format+" [y/N] ", args...)
	answer, _ := bufio.NewReader(stdio.In).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errDeclined
	}
	return nil
}
