package cli

import (
	"errors"

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
	return openNamed(c, &f.node, &f.stage, f.name)
}

// openNamed makes the client, and finds the Function that is meant: by default that of
// the manifest here.
func openNamed(c *cobra.Command, node *nodeFlags, stage *stageFlag, name string) (client *api.Client, function string, err error) {
	if client, err = node.client(c); err != nil || name != "" {
		return client, name, err
	}
	p, err := build.OpenNames(".", stage.get())
	if errors.Is(err, build.ErrNoProject) {
		what := "NAME"
		if c.Flag("name") != nil {
			what = "--name"
		}
		return nil, "", usagef(c, "%s is missing: %v", what, err)
	}
	if err != nil {
		return nil, "", err
	}
	return client, p.Manifest.Name, nil
}
