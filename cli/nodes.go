package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

type nodesCommand struct {
	stdio Stdio
	node  nodeFlags
	json  bool
}

func newNodes(stdio Stdio) *cobra.Command {
	n := &nodesCommand{stdio: stdio}
	parent := &cobra.Command{
		Use:     "nodes",
		Example: "  mayfly nodes\n  mayfly nodes --json",
		Short:   "List the nodes of a cluster, drain and remove them (admin token)",
		Long: `Nodes lists those that share everything: where each answers, in which version of
Mayfly, and what it has to do. A node that has said nothing for 15 seconds is
behind: it has ended, or can't reach the others, and then serves what it knows.`,
		Args: atMost(0),
		RunE: func(c *cobra.Command, _ []string) error { return n.list(c) },
	}
	n.node.register(parent.PersistentFlags())
	parent.PersistentFlags().BoolVar(&n.json, "json", false, "print JSON")
	list := &cobra.Command{
		Use:     "list",
		Example: "  mayfly nodes list\n  mayfly nodes list --json",
		Short:   "List the nodes of a cluster",
		Args:    atMost(0),
		RunE:    parent.RunE,
	}
	drain := &cobra.Command{
		Use:     "drain ID",
		Example: "  mayfly nodes drain ju2xqfcpezw4mmir",
		Short:   "Have a node take no new work",
		Long: `Drain has a node say that it is not in service (503 at /healthz and /readyz of its
admin listener), so that what balances load sends it nothing more, and begin no
work of cron triggers, queues and later invocations. Requests that come all the
same are answered. It stays so, over restarts too, until mayfly nodes resume.`,
		Args: exactly("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return n.set(c, args[0], "draining", (*api.Client).DrainNode)
		},
	}
	resume := &cobra.Command{
		Use:     "resume ID",
		Example: "  mayfly nodes resume ju2xqfcpezw4mmir",
		Short:   "Have a drained node take work again",
		Args:    exactly("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return n.set(c, args[0], "ready", (*api.Client).ResumeNode)
		},
	}
	remove := &cobra.Command{
		Use:     "remove ID",
		Example: "  mayfly nodes remove ju2xqfcpezw4mmir",
		Short:   "Remove a node that has ended from its cluster, for good",
		Long: `Remove takes a node out of the cluster that has ended and does not come back: drain
it and stop it first. Its NATS server, if it had one in it, is counted no more, and
the others copy what they lack. It is refused where that would lose something, or
where fewer servers would be left than everything is kept on; it says then what to
do. The node's data directory starts no node of this cluster any more.`,
		Args: exactly("ID"),
		RunE: func(c *cobra.Command, args []string) error { return n.remove(c, args[0]) },
	}
	parent.AddCommand(list, drain, resume, remove)
	return parent
}

func (n *nodesCommand) list(c *cobra.Command) error {
	client, err := n.node.client(c)
	if err != nil {
		return err
	}
	all, err := client.Nodes(c.Context())
	if err != nil {
		return err
	}
	if n.json {
		return printJSON(n.stdio.Out, append([]api.Node{}, all...))
	}
	return table(n.stdio.Out, "ID\tSTATE\tHTTP\tADMIN\tVERSION\tUP\tREQUESTS/S\tRUNNING\tMEMORY", len(all), func(i int) string {
		a := all[i]
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%.1f\t%d\t%d MiB", a.ID, a.State, firstOf(a.HTTP, "-"), firstOf(a.Admin, "-"), firstOf(a.Version, "-"),
			time.Since(a.Started).Round(time.Second), a.Load.Requests, a.Load.Concurrency, a.Load.Memory>>20)
	})
}

func (n *nodesCommand) set(c *cobra.Command, id, state string, do func(*api.Client, context.Context, string) error) error {
	client, err := n.node.client(c)
	if err != nil {
		return err
	}
	if err := do(client, c.Context(), id); err != nil {
		return err
	}
	if n.json {
		return printJSON(n.stdio.Out, map[string]string{"id": id, "state": state})
	}
	_, err = fmt.Fprintf(n.stdio.Out, "node %s is %s\n", id, state)
	return err
}

func (n *nodesCommand) remove(c *cobra.Command, id string) error {
	client, err := n.node.client(c)
	if err != nil {
		return err
	}
	done, err := client.RemoveNode(c.Context(), id)
	if err != nil {
		return err
	}
	if n.json {
		return printJSON(n.stdio.Out, done)
	}
	_, err = fmt.Fprint(n.stdio.Out, removed(done))
	return err
}

// removed says what is done, and what is left to do.
func removed(done api.Removal) string {
	lines := []string{fmt.Sprintf("node %s is removed", done.ID)}
	switch {
	case done.NATS == "elsewhere":
		lines = append(lines, "It is off the list, and that is all: the NATS servers are yours to run. A node of this id that starts is there again.")
	case done.NATS == "none":
		lines = append(lines, "It had no NATS server in it. A node of this id that starts is there again.")
	case done.Server != "":
		lines = append(lines, fmt.Sprintf("Take %s out of peers of the other nodes, when they are restarted next.", done.Server))
	}
	if len(done.Copying) > 0 {
		lines = append(lines, "The other servers are still copying what it had. Stop none of them until they are done; run this again to see that. Streams:")
		for _, name := range done.Copying {
			lines = append(lines, "  "+name)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}
