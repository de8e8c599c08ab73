package cli

import (
	"fmt"
	"strings"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

type accountCommand struct {
	stdio Stdio
	node  nodeFlags
	hosts []string
	force bool
	json  bool
}

func newAccount(stdio Stdio) *cobra.Command {
	a := &accountCommand{stdio: stdio}
	parent := group(&cobra.Command{
		Use:   "account",
		Short: "Make, change and list accounts, the tenants of a node",
	})
	a.node.register(parent.PersistentFlags())
	parent.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON")
	create := &cobra.Command{
		Use:     "create NAME",
		Example: "  mayfly account create shop --host shop.example --host '*.shop.example'",
		Short:   "Make an account (admin token)",
		Args:    exactly("NAME"),
		RunE:    func(c *cobra.Command, args []string) error { return a.create(c, args[0]) },
	}
	update := &cobra.Command{
		Use:     "update NAME",
		Example: "  mayfly account update shop --host shop.example --host '*.shop.example'\n  mayfly account update shop --host ''",
		Short:   "Say anew which hosts an account's routes may claim (admin token)",
		Args:    exactly("NAME"),
		RunE:    func(c *cobra.Command, args []string) error { return a.update(c, args[0]) },
	}
	for _, c := range []*cobra.Command{create, update} {
		c.Flags().StringSliceVar(&a.hosts, "host", nil, "host that the account's routes may claim, such as example.com or *.example.com; may be repeated")
	}
	remove := &cobra.Command{
		Use:     "delete NAME",
		Example: "  mayfly account delete shop",
		Short:   "Delete an account that has no Functions, namespaces and queues (admin token)",
		Args:    exactly("NAME"),
		RunE:    func(c *cobra.Command, args []string) error { return a.remove(c, args[0]) },
	}
	remove.Flags().BoolVarP(&a.force, "force", "f", false, "do not ask")
	parent.AddCommand(create, update, remove, &cobra.Command{
		Use:     "list",
		Example: "  mayfly account list\n  mayfly account list --json",
		Short:   "List the accounts that the token may see",
		Args:    atMost(0),
		RunE:    func(c *cobra.Command, _ []string) error { return a.list(c) },
	})
	return parent
}

func (a *accountCommand) create(c *cobra.Command, name string) error {
	client, err := a.node.client(c)
	if err != nil {
		return err
	}
	made, err := client.CreateAccount(c.Context(), name, a.hosts)
	if err != nil {
		return err
	}
	if a.json {
		return printJSON(a.stdio.Out, made)
	}
	_, err = fmt.Fprintf(a.stdio.Out, "created account %s\n\nMake a token for it with:\n  mayfly token create --account %s\n", made.ID, made.ID)
	return err
}

func (a *accountCommand) update(c *cobra.Command, name string) error {
	if !c.Flags().Changed("host") {
		return usagef(c, "--host is missing: all hosts that the account may claim; '' for none")
	}
	client, err := a.node.client(c)
	if err != nil {
		return err
	}
	changed, err := client.SetAccountHosts(c.Context(), name, a.hosts)
	if err != nil {
		return err
	}
	if a.json {
		return printJSON(a.stdio.Out, changed)
	}
	_, err = fmt.Fprintf(a.stdio.Out, "account %s may claim: %s\n", changed.ID, firstOf(strings.Join(changed.Hosts, " "), "nothing"))
	return err
}

func (a *accountCommand) remove(c *cobra.Command, name string) error {
	client, err := a.node.client(c)
	if err != nil {
		return err
	}
	if err := confirm(a.stdio, a.force, "Delete account %s and its tokens?", name); err != nil {
		return err
	}
	if err := client.DeleteAccount(c.Context(), name); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdio.Out, "deleted account %s\n", name)
	return err
}

func (a *accountCommand) list(c *cobra.Command) error {
	client, err := a.node.client(c)
	if err != nil {
		return err
	}
	all, err := client.Accounts(c.Context())
	if err != nil {
		return err
	}
	if a.json {
		return printJSON(a.stdio.Out, append([]api.Account{}, all...))
	}
	return table(a.stdio.Out, "ID\tNAME\tHOSTS", len(all), func(i int) string {
		return fmt.Sprintf("%s\t%s\t%s", all[i].ID, all[i].Name, firstOf(strings.Join(all[i].Hosts, " "), "-"))
	})
}
