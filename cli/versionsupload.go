package cli

import (
	"cmp"
	"fmt"
	"os"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

// versionsUpload is deploy, but for what serves.
type versionsUpload struct{ deployCommand }

func newVersionsUpload(stdio Stdio) *cobra.Command {
	u := &versionsUpload{deployCommand{stdio: stdio}}
	c := &cobra.Command{
		Use:   "upload [FILE | DIR]",
		Short: "Upload a new version that does not serve yet, and print where it can be tried",
		Long: `Upload is deploy, but what serves stays as it is: routes, too. The new version
answers on a host of its own, and serves after 'mayfly versions deploy'.`,
		Example: "  mayfly versions upload\n  mayfly versions upload hello.wasm --preview-alias next",
		Args:    atMost(1),
		RunE:    func(c *cobra.Command, args []string) error { return u.run(c, argument(args, 0, ".")) },
	}
	u.registerUpload(c)
	c.Flags().StringVar(&u.alias, "preview-alias", "", "a name for it in the host of its preview")
	return c
}

func (u *versionsUpload) run(c *cobra.Command, path string) error {
	client, err := u.node.client(c)
	if err != nil {
		return err
	}
	file, m, err := u.prepare(c, path)
	defer func() { os.RemoveAll(u.made) }()
	if err != nil {
		return err
	}
	if err := u.provision(c.Context(), client, m); err != nil {
		return err
	}
	made, err := u.uploadVersion(c.Context(), client, file, m)
	if err != nil {
		return deployFirst(err, m.Name)
	}
	return u.print(made)
}

func (u *versionsUpload) print(v api.Version) error {
	if u.json {
		return printJSON(u.stdio.Out, v)
	}
	_, err := fmt.Fprintf(u.stdio.Out, "%s\n%s\n", v.ID, cmp.Or(v.Mayfly.PreviewURL, "(this Function's versions have no previews)"))
	return err
}
