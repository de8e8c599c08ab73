package cli

import (
	"cmp"
	"fmt"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

type tokenCommand struct {
	stdio Stdio
	node  nodeFlags
	name  string
	json  bool
}

func newToken(stdio Stdio) *cobra.Command {
	t := &tokenCommand{stdio: stdio}
	parent := group(&cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke the tokens of an account",
	})
	t.node.register(parent.PersistentFlags())
	parent.PersistentFlags().BoolVar(&t.json, "json", false, "print JSON")
	create := &cobra.Command{
		Use:   "create --account NAME",
		Short: "Make a token; it is shown only now (admin token)",
		Args:  atMost(0),
		RunE:  func(c *cobra.Command, _ []string) error { return t.create(c) },
	}
	create.Flags().StringVar(&t.name, "name", "", "what the token is for")
	parent.AddCommand(create, &cobra.Command{
		Use:   "list",
		Short: "List an account's tokens, without their values",
		Args:  atMost(0),
		RunE:  func(c *cobra.Command, _ []string) error { return t.list(c) },
	}, &cobra.Command{
		Use:   "revoke ID",
		Short: "End a token",
		Args:  exactly("ID"),
		RunE:  func(c *cobra.Command, args []string) error { return t.revoke(c, args[0]) },
	})
	return parent
}

func (t *tokenCommand) create(c *cobra.Command) error {
	client, err := t.node.client(c)
	if err != nil {
		return err
	}
	made, err := client.CreateToken(c.Context(), t.name)
	if err != nil {
		return err
	}
	if t.json {
		return printJSON(t.stdio.Out, made)
	}
	_, err = fmt.Fprintln(t.stdio.Out, made.Value)
	return err
}

func (t *tokenCommand) list(c *cobra.Command) error {
	client, err := t.node.client(c)
	if err != nil {
		return err
	}
	all, err := client.Tokens(c.Context())
	if err != nil {
		return err
	}
	if t.json {
		return printJSON(t.stdio.Out, append([]api.Token{}, all...))
	}
	return table(t.stdio.Out, "ID\tNAME\tCREATED", len(all), func(i int) string {
		return fmt.Sprintf("%s\t%s\t%s", all[i].ID, cmp.Or(all[i].Name, "-"), date(all[i].CreatedOn))
	})
}

func (t *tokenCommand) revoke(c *cobra.Command, id string) error {
	client, err := t.node.client(c)
	if err != nil {
		return err
	}
	if err := client.RevokeToken(c.Context(), id); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.stdio.Out, "revoked %s\n", id)
	return err
}
