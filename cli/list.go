package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

type listCommand struct {
	stdio Stdio
	node  nodeFlags
	json  bool
}

func newList(stdio Stdio) *cobra.Command {
	l := &listCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "list",
		Example: "  mayfly list\n  mayfly list --account shop --json",
		Short:   "List the account's Functions",
		Args:    atMost(0),
		RunE:    func(c *cobra.Command, _ []string) error { return l.run(c) },
	}
	l.node.register(c.Flags())
	c.Flags().BoolVar(&l.json, "json", false, "print JSON")
	return c
}

func (l *listCommand) run(c *cobra.Command) error {
	client, err := l.node.client(c)
	if err != nil {
		return err
	}
	all, err := client.Scripts(c.Context())
	if err != nil {
		return err
	}
	if l.json {
		return printJSON(l.stdio.Out, append([]api.Script{}, all...))
	}
	return table(l.stdio.Out, "NAME\tMODIFIED\tURL", len(all), func(i int) string {
		return fmt.Sprintf("%s\t%s\t%s", all[i].ID, date(all[i].ModifiedOn), cmp.Or(all[i].URL, "-"))
	})
}

// table writes rows in columns, which tabs separate.
func table(w io.Writer, head string, n int, row func(i int) string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, head)
	for i := range n {
		fmt.Fprintln(t, row(i))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

func date(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// completeScripts offers the names of the account's Functions to the shell.
func completeScripts(node *nodeFlags) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		client, err := node.client(c)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), completionTime)
		defer cancel()
		all, _ := client.Scripts(ctx) // a shell waits for names, it has no place for errors
		for _, s := range all {
			names = append(names, s.ID)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completionTime is how long a shell's user is kept waiting for names.
const completionTime = 2 * time.Second
