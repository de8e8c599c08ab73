package cli

import (
	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/cli/internal/build"
	"github.com/spf13/cobra"
)

// functionFlags say which Function a command is about: by default that of the
// manifest here.
type functionFlags struct {
	node  nodeFlags
	name  string
	stage stageFlag
}

func (f *functionFlags) register(c *cobra.Command) {
	flags := c.PersistentFlags()
	f.node.register(flags)
	flags.StringVar(&f.name, "name", "", "name of the Function (default: that of mayfly.toml here)")
	f.stage.register(flags)
}

// open makes the client and finds the Function that is meant.
func (f *functionFlags) open(c *cobra.Command) (client *api.Client, function string, err error) {
	if client, err = f.node.client(c); err != nil || f.name != "" {
		return client, f.name, err
	}
	p, err := build.OpenNames(".", f.stage.get())
	if err != nil {
		return nil, "", err
	}
	return client, p.Manifest.Name, nil
}
