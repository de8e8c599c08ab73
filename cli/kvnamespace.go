package cli

import (
	"fmt"
	"strings"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

type kvNamespaceCommand struct {
	kvCommand
	namespace namespaceFlags
	newName   string
	force     bool
}

func newKVNamespace(k kvCommand) *cobra.Command {
	n := &kvNamespaceCommand{kvCommand: k}
	parent := group(&cobra.Command{Use: "namespace", Short: "Make, list, rename and delete namespaces"})
	n.node.register(parent.PersistentFlags())
	parent.PersistentFlags().BoolVar(&n.json, "json", false, "print JSON")
	create := &cobra.Command{
		Use:     "create TITLE",
		Example: "  mayfly kv namespace create sessions",
		Short:   "Make a namespace and print what binds it", Args: exactly("TITLE"),
		RunE: func(c *cobra.Command, args []string) error { return n.create(c, args[0]) },
	}
	list := &cobra.Command{
		Use:     "list",
		Example: "  mayfly kv namespace list\n  mayfly kv namespace list --json",
		Short:   "List the account's namespaces", Args: atMost(0),
		RunE: func(c *cobra.Command, _ []string) error { return n.list(c) },
	}
	remove := &cobra.Command{
		Use:     "delete [TITLE]",
		Example: "  mayfly kv namespace delete sessions\n  mayfly kv namespace delete --binding SESSIONS --env staging",
		Short:   "Delete a namespace with all its keys", Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error { return n.remove(c, argument(args, 0, "")) },
	}
	n.namespace.register(remove.Flags())
	remove.Flags().BoolVarP(&n.force, "force", "f", false, "do not ask")
	rename := &cobra.Command{
		Use:     "rename [TITLE] --new-name TITLE",
		Example: "  mayfly kv namespace rename sessions --new-name logins",
		Short:   "Give a namespace another title", Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error { return n.rename(c, argument(args, 0, "")) },
	}
	n.namespace.register(rename.Flags())
	rename.Flags().StringVar(&n.newName, "new-name", "", "the new title")
	parent.AddCommand(create, list, remove, rename)
	return parent
}

func (n *kvNamespaceCommand) create(c *cobra.Command, title string) error {
	client, err := n.node.client(c)
	if err != nil {
		return err
	}
	made, err := client.CreateNamespace(c.Context(), title)
	if err != nil {
		return err
	}
	if n.json {
		return printJSON(n.stdio.Out, made)
	}
	_, err = fmt.Fprintf(n.stdio.Out, `created the KV namespace %s

Bind it in mayfly.toml with:

[[kv_namespaces]]
binding = %q
id = %q
`, made.Title, bindingFor(title), made.ID)
	return err
}

// bindingFor makes an identifier of a title.
func bindingFor(title string) string {
	name := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(title))
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return "KV_" + name
	}
	return name
}

func (n *kvNamespaceCommand) list(c *cobra.Command) error {
	client, err := n.node.client(c)
	if err != nil {
		return err
	}
	all, err := client.Namespaces(c.Context())
	if err != nil {
		return err
	}
	if n.json {
		return printJSON(n.stdio.Out, all)
	}
	return table(n.stdio.Out, "ID\tTITLE", len(all), func(i int) string { return all[i].ID + "\t" + all[i].Title })
}

func (n *kvNamespaceCommand) remove(c *cobra.Command, title string) error {
	client, id, err := n.find(c, title)
	if err != nil {
		return err
	}
	if err := confirm(n.stdio, n.force, "Delete the KV namespace %s with all its keys?", firstOf(title, id)); err != nil {
		return err
	}
	if err := client.DeleteNamespace(c.Context(), id); err != nil {
		return err
	}
	_, err = fmt.Fprintf(n.stdio.Out, "deleted %s\n", id)
	return err
}

func (n *kvNamespaceCommand) rename(c *cobra.Command, title string) error {
	if n.newName == "" {
		return usagef(c, "--new-name is missing")
	}
	client, id, err := n.find(c, title)
	if err != nil {
		return err
	}
	if err := client.RenameNamespace(c.Context(), id, n.newName); err != nil {
		return err
	}
	_, err = fmt.Fprintf(n.stdio.Out, "renamed %s to %s\n", id, n.newName)
	return err
}

// find is the namespace that a title, if given, or the flags mean.
func (n *kvNamespaceCommand) find(c *cobra.Command, title string) (*api.Client, string, error) {
	client, err := n.node.client(c)
	if err != nil {
		return nil, "", err
	}
	if title == "" {
		id, err := n.namespace.find(c, client)
		return client, id, err
	}
	if n.namespace.id != "" || n.namespace.binding != "" {
		return nil, "", usagef(c, "a title excludes --namespace-id and --binding")
	}
	id, err := byTitle(c.Context(), client, title)
	return client, id, err
}
