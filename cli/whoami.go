package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

type whoamiCommand struct {
	stdio Stdio
	node  nodeFlags
	json  bool
}

func newWhoami(stdio Stdio) *cobra.Command {
	w := &whoamiCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "whoami",
		Short:   "Say which node, token and accounts the commands work with",
		Example: "  mayfly whoami\n  mayfly whoami --account shop --json",
		Args:    atMost(0),
		RunE:    func(c *cobra.Command, _ []string) error { return w.run(c) },
	}
	w.node.register(c.Flags())
	c.Flags().BoolVar(&w.json, "json", false, "print JSON")
	return c
}

func (w *whoamiCommand) run(c *cobra.Command) error {
	client, err := w.node.client(c)
	if err != nil {
		return err
	}
	own, err := client.VerifyToken(c.Context())
	if err != nil {
		return err
	}
	accounts, err := client.Accounts(c.Context())
	if err != nil {
		return err
	}
	cfg := client.Config()
	if w.json {
		return printJSON(w.stdio.Out, struct {
			API      string        `json:"api"`
			Account  string        `json:"account"` // that commands work in
			Token    api.Token     `json:"token"`
			Accounts []api.Account `json:"accounts"` // that the token may see
		}{cfg.Base, cfg.Account, own, accounts})
	}
	if _, err := fmt.Fprintf(w.stdio.Out, "node:     %s\n", cfg.Base); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	if err := describeToken(w.stdio.Out, own); err != nil {
		return err
	}
	var names []string
	for _, a := range accounts {
		names = append(names, a.ID)
	}
	_, err = fmt.Fprintf(w.stdio.Out, "accounts: %s\nworks in: %s%s\n", strings.Join(names, ", "), cfg.Account, misplaced(own, cfg.Account))
	return err
}

// misplaced says what to do where commands would work in an account for which the
// token is not.
func misplaced(own api.Token, account string) string {
	if own.Account == "" || own.Account == account {
		return ""
	}
	return ", for which this token is not: use --account " + own.Account + ", or set CLOUDFLARE_ACCOUNT_ID"
}

// describeToken tells people about their token.
func describeToken(w io.Writer, t api.Token) error {
	_, err := fmt.Fprintf(w, "token:    %s (%s), %s\naccount:  %s\nscopes:   %s\nexpires:  %s\n",
		cmp.Or(t.Name, "without a name"), t.ID, t.Status, cmp.Or(t.Account, "all"), scopesText(t), expiryText(t))
	if err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
