package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"github.com/mayfly-run/mayfly/runtime/datadir"
	"github.com/mayfly-run/mayfly/runtime/doctor"
	"github.com/spf13/cobra"
)

type doctorCommand struct {
	stdio                    Stdio
	data                     string
	repair, acceptLoss, json bool
}

func newDoctor(stdio Stdio) *cobra.Command {
	d := &doctorCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "doctor --data DIR",
		Example: "  mayfly doctor --data data\n  mayfly doctor --data data --repair",
		Short:   "Check the data directory of a node that does not run",
		Long: `Doctor reads everything in a data directory and compares it with its checksums:
the database and each entry in it, modules and snapshots, compiled code; whether
what Functions need is there; who may read the files; and how much space is free.
It says of each problem what it means and what to do, and ends with 1 if there is
one. It changes nothing.

Of a node of a cluster it reads all but the database, which is a copy of what the
cluster has: the node checks that when it starts, and loads it anew if it is damaged.

With --repair it removes damaged snapshots and compiled code, which are made again,
and puts single flipped bits in the log of recent writes back. It never removes what
users have stored.

With --accept-loss it does that, and cuts the log of recent writes off where more is
damaged in it: the node starts again, without the writes from there on. The log as
it was is kept beside it.`,
		Args: atMost(0),
		RunE: func(c *cobra.Command, _ []string) error { return d.run(c) },
	}
	f := c.Flags()
	f.StringVar(&d.data, "data", "", "data directory")
	f.BoolVar(&d.repair, "repair", false, "remove what is damaged and made again")
	f.BoolVar(&d.acceptLoss, "accept-loss", false, "cut a damaged log of recent writes off: what follows is lost")
	f.BoolVar(&d.json, "json", false, "print JSON")
	return c
}

func (d *doctorCommand) run(c *cobra.Command) error {
	if d.data == "" {
		return usagef(c, "--data is missing: the data directory to check")
	}
	if d.stdio.Self == nil {
		return errors.New("doctor has to start this program again, and can't")
	}
	line := startProgress(d.stdio, "checking")
	report, err := doctor.Run(c.Context(), doctor.Config{Dir: datadir.Dir(d.data), Child: d.child, Repair: d.repair, AcceptLoss: d.acceptLoss})
	line.Done()
	if err != nil {
		return err
	}
	if d.json {
		err = printJSON(d.stdio.Out, report)
	} else {
		err = printReport(d.stdio.Out, report)
	}
	if err == nil && !report.Sound() {
		err = errors.New("the data directory is not as it should be")
	}
	return err
}

func (d *doctorCommand) child(ctx context.Context) *exec.Cmd {
	cmd := d.stdio.Self(ctx)
	cmd.Args = []string{cmd.Args[0], doctorChild}
	return cmd
}

func printReport(w io.Writer, r *doctor.Report) error {
	for _, p := range r.Problems {
		state := "  do: " + p.Fix
		if p.Repaired {
			state = "  repaired: " + p.Done
		}
		if _, err := fmt.Fprintf(w, "%s: %s\n  this means: %s\n%s\n", p.Where, p.What, p.Means, state); err != nil {
			return err
		}
	}
	if r.NoKey {
		if _, err := fmt.Fprintln(w, "There are secrets, and their key (kek) is not in the directory: the node starts only if it gets the key from elsewhere, see docs/secrets.md."); err != nil {
			return err
		}
	}
	if r.Cluster {
		_, err := fmt.Fprintf(w, "checked the files of a node of a cluster and the code of %d modules: %d problems\nWhat is stored is the cluster's; the node checks its copy when it starts.\n", r.Compiled, len(r.Problems))
		return err
	}
	_, err := fmt.Fprintf(w, "checked %d entries, %d blobs and the code of %d modules: %d problems\n", r.Entries, r.Blobs, r.Compiled, len(r.Problems))
	return err
}
