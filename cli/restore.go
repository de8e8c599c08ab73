package cli

import (
	"fmt"
	"os"

	"github.com/mayfly-run/mayfly/kv/backup"
	"github.com/mayfly-run/mayfly/runtime/datadir"
	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/spf13/cobra"
)

type restoreCommand struct {
	stdio   Stdio
	node    nodeFlags
	data    string
	cluster bool
	json    bool
}

func newRestore(stdio Stdio) *cobra.Command {
	r := &restoreCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "restore FILE --data DIR | --cluster",
		Example: "  mayfly restore node.backup --data new-data\n  mayfly restore node.backup --cluster",
		Short:   "Make a new data directory of a backup, or fill a new cluster",
		Long: `Restore verifies a backup from beginning to end, and makes a data directory of it
that is new or empty. A restore that was interrupted leaves a directory on which no
node starts: remove it.

Revisions from before the backup compare with nothing afterwards: a client that
holds one reads again. The node makes itself a new admin token, and revokes that of
the old file; other tokens stay. Secrets need the key of the node that was backed
up.

With --cluster the backup goes into a running cluster, by the node that --api names
(admin token). Nothing may have been deployed or stored there; its nodes need the key
of the secrets from their first start. If that is cut off, do it again.`,
		Args: exactly("FILE"),
		RunE: func(c *cobra.Command, args []string) error { return r.run(c, args[0]) },
	}
	c.Flags().StringVar(&r.data, "data", "", "data directory to make")
	c.Flags().BoolVar(&r.cluster, "cluster", false, "restore into a running cluster that has not been used")
	r.node.register(c.Flags())
	c.Flags().BoolVar(&r.json, "json", false, "print JSON")
	return c
}

func (r *restoreCommand) run(c *cobra.Command, name string) error {
	if r.data == "" && !r.cluster {
		return usagef(c, "--data is missing: the data directory to make; or --cluster")
	}
	if r.data != "" && r.cluster {
		return usagef(c, "--data and --cluster are two places; choose one")
	}
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read backup: %w", err)
	}
	defer file.Close()
	line := startProgress(r.stdio, "reading")
	sum, err := r.restore(c, file, func(step string) { line.Set("%s", step) })
	line.Done()
	if err != nil {
		return err
	}
	return printSummary(r.stdio.Out, r.json, "restored", name, sum)
}

func (r *restoreCommand) restore(c *cobra.Command, file *os.File, progress func(string)) (backup.Summary, error) {
	if !r.cluster {
		return node.Restore(c.Context(), file, datadir.Dir(r.data), progress)
	}
	client, err := r.node.client(c)
	if err != nil {
		return backup.Summary{}, err
	}
	progress("restoring")
	return client.Restore(c.Context(), file)
}
