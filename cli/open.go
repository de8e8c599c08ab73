package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	goruntime "runtime"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

type openCommand struct {
	stdio Stdio
	node  nodeFlags
	stage stageFlag
	print bool
}

func newOpen(stdio Stdio) *cobra.Command {
	o := &openCommand{stdio: stdio}
	c := &cobra.Command{
		Use:   "open [NAME]",
		Short: "Print a Function's URL, and show it in a browser",
		Long: `Open prints the URL of the Function (default: that of mayfly.toml here) and shows
it in a browser: the one that BROWSER names, or else the desktop's, if the command
runs at a terminal of one.`,
		Example: "  mayfly open hello\n  mayfly open --env staging\n  curl $(mayfly open hello --print)",
		Args:    atMost(1),
		RunE:    func(c *cobra.Command, args []string) error { return o.run(c, argument(args, 0, "")) },
	}
	c.ValidArgsFunction = completeScripts(&o.node)
	o.node.register(c.Flags())
	o.stage.register(c.Flags())
	c.Flags().BoolVar(&o.print, "print", false, "only print the URL")
	return c
}

func (o *openCommand) run(c *cobra.Command, name string) error {
	client, name, err := openNamed(c, &o.node, &o.stage, name)
	if err != nil {
		return err
	}
	url, err := urlOf(c.Context(), client, name)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(o.stdio.Out, url); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	browser := o.browser()
	if o.print || browser == "" {
		return nil
	}
	// It goes on after this command, and writes nothing here.
	if err := exec.Command(browser, url).Start(); err != nil {
		return fmt.Errorf("start browser: %w; the URL is above, and --print leaves it at that", err)
	}
	return nil
}

// urlOf is where a Function serves.
func urlOf(ctx context.Context, client *api.Client, name string) (string, error) {
	all, err := client.Scripts(ctx)
	if err != nil {
		return "", err
	}
	for _, s := range all {
		if s.ID == name {
			return s.URL, nil
		}
	}
	return "", notThere("there is no Function %q; 'mayfly list' shows those there are", name)
}

// browser is the program that shows a URL, or "" where there is none.
func (o *openCommand) browser() string {
	if b := os.Getenv("BROWSER"); b != "" {
		return b
	}
	opener, desktop := "xdg-open", os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
	if goruntime.GOOS == "darwin" {
		opener, desktop = "open", os.Getenv("SSH_CONNECTION") == ""
	}
	if !desktop || !isTerminal(o.stdio.Out) {
		return ""
	}
	path, err := exec.LookPath(opener)
	if err != nil {
		return ""
	}
	return path
}
