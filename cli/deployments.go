package cli

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

type deploymentsCommand struct {
	functionFlags
	stdio Stdio
	json  bool
}

func newDeployments(stdio Stdio) *cobra.Command {
	d := &deploymentsCommand{stdio: stdio}
	parent := group(&cobra.Command{
		Use:   "deployments",
		Short: "Show which versions of a Function serve, and which did",
	})
	d.register(parent)
	list := &cobra.Command{
		Use: "list", Short: "List what served when, and why, newest first", Args: atMost(0),
		Example: "  mayfly deployments list --name hello",
		RunE:    func(c *cobra.Command, _ []string) error { return d.show(c, false) },
	}
	status := &cobra.Command{
		Use: "status", Short: "Show what serves now", Args: atMost(0),
		Example: "  mayfly deployments status --name hello",
		RunE:    func(c *cobra.Command, _ []string) error { return d.show(c, true) },
	}
	for _, c := range []*cobra.Command{list, status} {
		c.Flags().BoolVar(&d.json, "json", false, "print JSON")
	}
	parent.AddCommand(list, status)
	return parent
}

func (d *deploymentsCommand) show(c *cobra.Command, now bool) error {
	client, function, err := d.open(c)
	if err != nil {
		return err
	}
	all, err := client.Deployments(c.Context(), function)
	if err != nil {
		return err
	}
	if now {
		all = all[:1]
	}
	if d.json && now {
		return printJSON(d.stdio.Out, all[0])
	}
	if d.json {
		return printJSON(d.stdio.Out, all)
	}
	return table(d.stdio.Out, "CREATED\tBY\tVERSIONS\tMESSAGE", len(all), func(i int) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s", date(all[i].CreatedOn), cmp.Or(all[i].AuthorEmail, "-"), sharesText(all[i].Versions), reasonOf(all[i]))
	})
}

// reasonOf is what is said about a Deployment, or how it goes on.
func reasonOf(d api.Deployment) string {
	if d.Mayfly.Rollout != nil && d.Annotations[api.MessageAnnotation] == "" {
		return "rollout of " + d.Mayfly.Rollout.Version
	}
	return cmp.Or(d.Annotations[api.MessageAnnotation], "-")
}

type rollbackCommand struct {
	functionFlags
	stdio   Stdio
	message string
	yes     bool
}

func newRollback(stdio Stdio) *cobra.Command {
	r := &rollbackCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "rollback [VERSION]",
		Short:   "Let the version serve that did before, or another one",
		Example: "  mayfly rollback\n  mayfly rollback 3f2a --message 'it was slower'",
		Args:    atMost(1),
		RunE:    func(c *cobra.Command, args []string) error { return r.run(c, argument(args, 0, "")) },
	}
	r.register(c)
	c.Flags().StringVarP(&r.message, "message", "m", "Rollback", "why, for the history")
	c.Flags().BoolVarP(&r.yes, "yes", "y", false, "do not ask")
	return c
}

func (r *rollbackCommand) run(c *cobra.Command, id string) error {
	client, function, err := r.open(c)
	if err != nil {
		return err
	}
	if id == "" {
		id, err = servedBefore(c, client, function)
	} else {
		id, err = fullID(c, client, function, id)
	}
	if err != nil {
		return err
	}
	shares := []api.Share{{VersionID: id, Percentage: 100}}
	if err := confirm(r.stdio, r.yes, "Let version %s serve %s?", id, function); err != nil {
		return err
	}
	return deployShares(c, r.stdio, client, function, shares, r.message, r.yes)
}

// servedBefore is the Version that served alone before what serves now.
func servedBefore(c *cobra.Command, client *api.Client, function string) (string, error) {
	all, err := client.Deployments(c.Context(), function)
	if err != nil {
		return "", err
	}
	for _, d := range all[1:] {
		if len(d.Versions) == 1 && d.Versions[0] != all[0].Versions[0] {
			return d.Versions[0].VersionID, nil
		}
	}
	return "", errors.New("no other version has served; 'mayfly versions list' shows those that are kept: name one of them")
}

type diffCommand struct {
	functionFlags
	stdio Stdio
	json  bool
}

func newDiff(stdio Stdio) *cobra.Command {
	d := &diffCommand{stdio: stdio}
	c := &cobra.Command{
		Use:   "diff [VERSION] [VERSION]",
		Short: "Show how two versions differ: settings, bindings, size",
		Long: `Diff compares two versions; one with the version that serves; none: the one that
serves with the newest. A line with + is what the second one may newly reach. Of
secrets it tells that they changed, never their text.`,
		Example: "  mayfly diff\n  mayfly diff 3f2a 9c81",
		Args:    atMost(2),
		RunE:    func(c *cobra.Command, args []string) error { return d.run(c, args) },
	}
	d.register(c)
	c.Flags().BoolVar(&d.json, "json", false, "print JSON")
	return c
}

func (d *diffCommand) run(c *cobra.Command, args []string) error {
	client, function, err := d.open(c)
	if err != nil {
		return err
	}
	a, b, err := compared(c, client, function, args)
	if err != nil {
		return err
	}
	changes, err := client.Diff(c.Context(), function, a, b)
	if err != nil {
		return err
	}
	if d.json {
		return printJSON(d.stdio.Out, append([]api.Change{}, changes...))
	}
	if len(changes) == 0 {
		_, err := fmt.Fprintf(d.stdio.Out, "%s and %s are the same\n", a, b)
		return err
	}
	return table(d.stdio.Out, "\t\t"+a[:8]+"\t"+b[:8], len(changes), func(i int) string {
		mark := ""
		if changes[i].Wants {
			mark = "+"
		}
		return fmt.Sprintf("%s\t%s\t%s\t%s", mark, changes[i].What, cmp.Or(changes[i].Before, "-"), cmp.Or(changes[i].After, "-"))
	})
}

// compared are the Versions that are meant.
func compared(c *cobra.Command, client *api.Client, function string, args []string) (a, b string, err error) {
	if len(args) == 2 {
		if a, err = fullID(c, client, function, args[0]); err != nil {
			return "", "", err
		}
		b, err = fullID(c, client, function, args[1])
		return a, b, err
	}
	deployments, err := client.Deployments(c.Context(), function)
	if err != nil {
		return "", "", err
	}
	a = deployments[0].Versions[0].VersionID
	if len(args) == 1 {
		b, err = fullID(c, client, function, args[0])
		return a, b, err
	}
	all, err := client.Versions(c.Context(), function)
	if err != nil {
		return "", "", err
	}
	return a, all[0].ID, nil
}
