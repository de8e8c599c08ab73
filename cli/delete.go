package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

type deleteCommand struct {
	stdio Stdio
	node  nodeFlags
	force bool
}

func newDelete(stdio Stdio) *cobra.Command {
	d := &deleteCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "delete NAME",
		Example: "  mayfly delete hello\n  mayfly delete hello --force --account shop",
		Short:   "Delete a Function; what it keeps in KV stays",
		Args:    exactly("NAME"),
		RunE:    func(c *cobra.Command, args []string) error { return d.run(c, args[0]) },
	}
	c.ValidArgsFunction = completeScripts(&d.node)
	d.node.register(c.Flags())
	c.Flags().BoolVarP(&d.force, "force", "f", false, "do not ask, and delete even a Function that others bind")
	return c
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
