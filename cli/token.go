package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

type tokenCommand struct {
	stdio     Stdio
	node      nodeFlags
	name      string
	scopes    []string
	expires   string
	wholeNode bool
	json      bool
}

func newToken(stdio Stdio) *cobra.Command {
	t := &tokenCommand{stdio: stdio}
	parent := group(&cobra.Command{
		Use:   "token",
		Short: "Make, list, revoke and verify tokens",
		Long: `A token of an account does there what its scopes say:

    read     see Functions, their Versions, settings and names of secrets
    deploy   that, and change Functions, their routes and secrets
    kv       see and change KV namespaces and keys
    queues   see and change queues, and send and pull their messages
    admin    all of that, and the account's tokens

Tokens of the node (--node) do everything. admin.token in the data directory has
one of them.`,
	})
	t.node.register(parent.PersistentFlags())
	parent.PersistentFlags().BoolVar(&t.json, "json", false, "print JSON")
	t.addTo(parent)
	return parent
}

func (t *tokenCommand) addTo(parent *cobra.Command) {
	create, list, revoke := t.newCreate(), &cobra.Command{
		Use:     "list",
		Short:   "List an account's tokens, without their values",
		Example: "  mayfly token list --account shop\n  mayfly token list --node --json",
		Args:    atMost(0),
		RunE:    func(c *cobra.Command, _ []string) error { return t.list(c) },
	}, &cobra.Command{
		Use:     "revoke ID",
		Short:   "End a token",
		Example: "  mayfly token revoke 3f2a9c0d51e84b7786d1c6a4f0e2b913 --account shop",
		Args:    exactly("ID"),
		RunE:    func(c *cobra.Command, args []string) error { return t.revoke(c, args[0]) },
	}
	for _, c := range []*cobra.Command{create, list, revoke} {
		c.Flags().BoolVar(&t.wholeNode, "node", false, "tokens of the node instead of an account's")
	}
	parent.AddCommand(create, list, revoke, &cobra.Command{
		Use:     "verify",
		Short:   "Say whether the token in MAYFLY_API_TOKEN is good, and for what",
		Example: "  mayfly token verify\n  MAYFLY_API_TOKEN=$(cat ci.token) mayfly token verify --json",
		Args:    atMost(0),
		RunE:    func(c *cobra.Command, _ []string) error { return t.verify(c) },
	})
}

func (t *tokenCommand) newCreate() *cobra.Command {
	c := &cobra.Command{
		Use:   "create [NAME]",
		Short: "Make a token and print it; it is shown only now",
		Long: `Create makes a token of the account that --account names and prints it. It cannot
be had again. Without --scope it has read, deploy, kv and queues; without --expires
it is good until it is revoked.`,
		Example: `  mayfly token create ci --account shop --scope deploy --expires 90d
  mayfly token create dashboard --scope read --scope kv --expires 2027-12-31
  mayfly token create second-admin --node`,
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error { return t.create(c, argument(args, 0, t.name)) },
	}
	f := c.Flags()
	f.StringVar(&t.name, "name", "", "what the token is for, as NAME says it too")
	f.StringSliceVar(&t.scopes, "scope", nil, "read, deploy, kv, queues or admin; may be repeated")
	f.StringVar(&t.expires, "expires", "", "when it ends: 12h, 30d, a date such as 2027-12-31 or a time such as 2027-12-31T12:00:00Z")
	c.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions([]string{"read", "deploy", "kv", "admin", "queues"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (t *tokenCommand) create(c *cobra.Command, name string) error {
	q := api.TokenRequest{Name: name, Scopes: t.scopes}
	if t.expires != "" {
		var err error
		if q.ExpiresOn, err = parseExpiry(t.expires, time.Now()); err != nil {
			return usagef(c, "--expires %v", err)
		}
	}
	if t.wholeNode && len(t.scopes) > 0 {
		return usagef(c, "--node and --scope exclude each other: a token of the node does everything")
	}
	client, err := t.node.client(c)
	if err != nil {
		return err
	}
	made, err := client.CreateToken(c.Context(), t.wholeNode, q)
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
	all, err := client.Tokens(c.Context(), t.wholeNode)
	if err != nil {
		return err
	}
	if t.json {
		return printJSON(t.stdio.Out, append([]api.Token{}, all...))
	}
	return table(t.stdio.Out, "ID\tNAME\tSTATUS\tSCOPES\tCREATED\tEXPIRES\tLAST USED", len(all), func(i int) string {
		a := all[i]
		return strings.Join([]string{a.ID, cmp.Or(a.Name, "-"), cmp.Or(a.Status, "-"), scopesText(a),
			date(a.CreatedOn), expiryText(a), date(a.LastUsedOn)}, "\t")
	})
}

// scopesText says what a token is good for.
func scopesText(t api.Token) string {
	if len(t.Scopes) == 0 {
		return "everything"
	}
	return strings.Join(t.Scopes, " ")
}

func expiryText(t api.Token) string {
	if t.ExpiresOn.IsZero() {
		return "never"
	}
	return date(t.ExpiresOn)
}

func (t *tokenCommand) revoke(c *cobra.Command, id string) error {
	client, err := t.node.client(c)
	if err != nil {
		return err
	}
	if err := client.RevokeToken(c.Context(), t.wholeNode, id); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.stdio.Out, "revoked %s\n", id)
	return err
}

func (t *tokenCommand) verify(c *cobra.Command) error {
	client, err := t.node.client(c)
	if err != nil {
		return err
	}
	own, err := client.VerifyToken(c.Context())
	if err != nil {
		return err
	}
	if t.json {
		return printJSON(t.stdio.Out, own)
	}
	return describeToken(t.stdio.Out, own)
}
