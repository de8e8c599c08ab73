package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/mayfly-run/mayfly/kv/backup"
	"github.com/mayfly-run/mayfly/runtime/datadir"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/spf13/cobra"
)

type backupCommand struct {
	stdio Stdio
	node  nodeFlags
	data  string
	json  bool
}

func newBackup(stdio Stdio) *cobra.Command {
	b := &backupCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "backup FILE",
		Example: "  mayfly backup node.backup\n  mayfly backup \"$(date +%F).backup\"",
		Short:   "Write a whole node into a file (admin token)",
		Long: `Backup writes everything that a running node has stored into one file: Functions
with their Versions and modules, KV, accounts, tokens (as hashes), secrets (as they
are sealed), queues with their messages, all as of one moment (but the messages of a
cluster, which are those that there are while they are written), while the node goes
on. What comes is verified; FILE appears when it is whole. FILE may be - for standard
output.

Not in it is what a node makes again, its configuration, and the key of the
secrets: keep that one elsewhere. With --data a node that does not run is backed
up, from its data directory.`,
		Args: exactly("FILE"),
		RunE: func(c *cobra.Command, args []string) error { return b.run(c, args[0]) },
	}
	b.node.register(c.Flags())
	c.Flags().StringVar(&b.data, "data", "", "data directory of a node that does not run")
	c.Flags().BoolVar(&b.json, "json", false, "print JSON")
	return c
}

func (b *backupCommand) run(c *cobra.Command, file string) error {
	from, err := b.open(c)
	if err != nil {
		return err
	}
	defer from.Close()
	if file == "-" {
		_, err := backup.Verify(io.TeeReader(from, b.stdio.Out))
		return err
	}
	if _, err := os.Stat(file); err == nil {
		return fmt.Errorf("%s exists already: choose another name, or remove it", file)
	}
	line := startProgress(b.stdio, "backing up")
	sum, err := download(from, file)
	line.Done()
	if err != nil {
		return err
	}
	return printSummary(b.stdio.Out, b.json, "backed up", file, sum)
}

// open begins a backup, of a running node or of a directory.
func (b *backupCommand) open(c *cobra.Command) (io.ReadCloser, error) {
	if b.data != "" {
		return offline(c.Context(), datadir.Dir(b.data))
	}
	client, err := b.node.client(c)
	if err != nil {
		return nil, err
	}
	return client.Backup(c.Context())
}

// offline writes a backup of a data directory into a pipe.
func offline(ctx context.Context, dir datadir.Dir) (io.ReadCloser, error) {
	if _, err := os.Stat(dir.KV()); err != nil {
		return nil, fmt.Errorf("%s is not the data directory of a node: %w", dir, err)
	}
	data, err := node.OpenData(node.DataConfig{Dir: dir})
	if err != nil {
		return nil, err
	}
	from, to := io.Pipe()
	go func() { // until everything was read, or from is closed
		_, err := deploy.WriteBackup(ctx, to, data.Store, data.Blobs, readBuildInfo().Version)
		to.CloseWithError(errors.Join(err, data.Close()))
	}()
	return from, nil
}

// download verifies a backup while it is written to a file, which gets its name at
// the end.
func download(from io.Reader, file string) (sum backup.Summary, err error) {
	to, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*") // mode 0600
	if err != nil {
		return sum, fmt.Errorf("write backup: %w", err)
	}
	defer os.Remove(to.Name()) // there is nothing to remove once it is renamed
	sum, err = backup.Verify(io.TeeReader(from, to))
	if err == nil {
		err = to.Sync()
	}
	if err := errors.Join(err, to.Close()); err != nil {
		return sum, fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.Rename(to.Name(), file); err != nil {
		return sum, fmt.Errorf("write backup: %w", err)
	}
	return sum, syncDir(filepath.Dir(file))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func printSummary(w io.Writer, asJSON bool, what, file string, sum backup.Summary) error {
	if asJSON {
		return printJSON(w, sum)
	}
	_, err := fmt.Fprintf(w, "%s %s: %d entries and %d modules as of %s, %d bytes\n",
		what, file, sum.Entries, sum.Blobs, sum.Created.Format("2006-01-02 15:04:05 MST"), sum.Bytes)
	return err
}
