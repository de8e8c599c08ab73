package cli

import (
	"fmt"
	"os"

	"github.com/mayfly-run/mayfly/runtime/datadir"
	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/spf13/cobra"
)

type restoreCommand struct {
	stdio Stdio
	data  string
	json  bool
}

func newRestore(stdio Stdio) *cobra.Command {
	r := &restoreCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "restore FILE --data DIR",
		Example: "  mayfly restore node.backup --data new-data",
		Short:   "Make a new data directory of a backup",
		Long: `Restore verifies a backup from beginning to end, and makes a data directory of it
that is new or empty. A restore that was interrupted leaves a directory on which no
node starts: remove it.

Revisions from before the backup compare with nothing afterwards: a client that
holds one reads again. The node makes itself a new admin token, and revokes that of
the old file; other tokens stay. Secrets need the key of the node that was backed
up.`,
		Args: exactly("FILE"),
		RunE: func(c *cobra.Command, args []string) error { return r.run(c, args[0]) },
	}
	c.Flags().StringVar(&r.data, "data", "", "data directory to make")
	c.Flags().BoolVar(&r.json, "json", false, "print JSON")
	return c
}

func (r *restoreCommand) run(c *cobra.Command, name string) error {
	if r.data == "" {
		return usagef(c, "--data is missing: the data directory to make")
	}
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read backup: %w", err)
	}
	defer file.Close()
	line := startProgress(r.stdio, "reading")
	sum, err := node.Restore(c.Context(), file, datadir.Dir(r.data), func(step string) { line.Set("%s", step) })
	line.Done()
	if err != nil {
		return err
	}
	return printSummary(r.stdio.Out, r.json, "restored", name, sum)
}
