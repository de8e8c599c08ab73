package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

type domainCommand struct {
	stdio          Stdio
	node           nodeFlags
	json, disabled bool
}

func newDomain(stdio Stdio) *cobra.Command {
	d := &domainCommand{stdio: stdio}
	parent := group(&cobra.Command{
		Use:   "domain",
		Short: "List, add and remove custom domains",
		Long: `A custom domain is a host that a Function answers for, with all its paths. Have the
host's DNS point to the node. A node with [tls.acme] gets a certificate for it.`,
	})
	d.node.register(parent.PersistentFlags())
	list := &cobra.Command{
		Use: "list", Short: "List the custom domains of the account", Args: atMost(0),
		Example: "  mayfly domain list\n  mayfly domain list --json",
		RunE:    func(c *cobra.Command, _ []string) error { return d.list(c) },
	}
	list.Flags().BoolVar(&d.json, "json", false, "print JSON")
	add := &cobra.Command{
		Use: "add NAME HOST...", Short: "Give a Function custom domains", Args: atLeast(2, "NAME", "HOST"),
		Example:           "  mayfly domain add hello hello.example.com",
		ValidArgsFunction: completeScripts(&d.node),
		RunE:              func(c *cobra.Command, args []string) error { return d.add(c, args[0], args[1:]) },
	}
	add.Flags().BoolVar(&d.disabled, "disabled", false, "hold the hosts, and answer nothing there")
	remove := &cobra.Command{
		Use: "remove HOST...", Short: "Take custom domains from the Functions that have them", Args: atLeast(1, "HOST"),
		Example: "  mayfly domain remove hello.example.com",
		RunE:    func(c *cobra.Command, args []string) error { return d.remove(c, args) },
	}
	parent.AddCommand(list, add, remove)
	return parent
}

func (d *domainCommand) list(c *cobra.Command) error {
	client, err := d.node.client(c)
	if err != nil {
		return err
	}
	all, err := client.Domains(c.Context())
	if err != nil {
		return err
	}
	if d.json {
		return printJSON(d.stdio.Out, all)
	}
	return table(d.stdio.Out, "HOST\tFUNCTION\tENABLED", len(all), func(i int) string {
		return fmt.Sprintf("%s\t%s\t%t", all[i].Hostname, all[i].Service, all[i].Enabled)
	})
}

func (d *domainCommand) add(c *cobra.Command, name string, hosts []string) error {
	client, err := d.node.client(c)
	if err != nil {
		return err
	}
	for _, host := range hosts {
		added, err := client.PutDomain(c.Context(), host, name, !d.disabled)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(d.stdio.Out, "%s is %s's\n", added.Hostname, name); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	return nil
}

// remove removes all hosts, or none if one is nobody's.
func (d *domainCommand) remove(c *cobra.Command, hosts []string) error {
	client, err := d.node.client(c)
	if err != nil {
		return err
	}
	all, err := client.Domains(c.Context())
	if err != nil {
		return err
	}
	var found []api.Domain
	for _, host := range hosts {
		i := slices.IndexFunc(all, func(d api.Domain) bool { return strings.EqualFold(d.Hostname, host) })
		if i < 0 {
			return fmt.Errorf("%q is no custom domain of this account; 'mayfly domain list' shows those there are", host)
		}
		found = append(found, all[i])
	}
	for _, f := range found {
		if err := client.RemoveDomain(c.Context(), f.ID); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(d.stdio.Out, "%s is no longer %s's\n", f.Hostname, f.Service); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	return nil
}
