package cli

import (
	"errors"
	"os"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	defaultAPI     = "http://127.0.0.1:8788/client/v4"
	defaultAccount = "local"
	tokenHint      = "The node's admin token is in the file admin.token of its data directory (serve --data DIR):\n" +
		"  export MAYFLY_API_TOKEN=$(cat DIR/admin.token)"
)

var errNoToken = errors.New("no token: set MAYFLY_API_TOKEN")

// nodeFlags say which node and account a command works with. Flags go before
// the environment.
type nodeFlags struct {
	api, account string
}

func (n *nodeFlags) register(f *pflag.FlagSet) {
	f.StringVar(&n.api, "api", "", "base URL of the node's API (MAYFLY_API, CLOUDFLARE_API_BASE_URL; default "+defaultAPI+"); its token is taken from MAYFLY_API_TOKEN")
	f.StringVar(&n.account, "account", "", "account to work in (CLOUDFLARE_ACCOUNT_ID; default "+defaultAccount+")")
}

// client makes the client for what the flags and the environment say.
func (n *nodeFlags) client(c *cobra.Command) (*api.Client, error) {
	token := firstOf(os.Getenv("MAYFLY_API_TOKEN"), os.Getenv("CLOUDFLARE_API_TOKEN"))
	if token == "" {
		return nil, errNoToken
	}
	client, err := api.New(api.Config{
		Base:    firstOf(n.api, os.Getenv("MAYFLY_API"), os.Getenv("CLOUDFLARE_API_BASE_URL"), defaultAPI),
		Account: firstOf(n.account, os.Getenv("CLOUDFLARE_ACCOUNT_ID"), defaultAccount),
		Token:   token,
	})
	if err != nil {
		return nil, usagef(c, "%v", err)
	}
	return client, nil
}

func firstOf(candidates ...string) string {
	for _, s := range candidates {
		if s != "" {
			return s
		}
	}
	return ""
}
