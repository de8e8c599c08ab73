package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/runtime/router"
	"github.com/spf13/cobra"
)

type routeCommand struct {
	stdio          Stdio
	node           nodeFlags
	json, disabled bool
}

func newRoute(stdio Stdio) *cobra.Command {
	r := &routeCommand{stdio: stdio}
	parent := group(&cobra.Command{
		Use:   "route",
		Short: "List, set, add and remove the routes of Functions",
		Long: `A route is a pattern whose requests a Function gets: "[scheme://]host[/path]", where
the host may begin with "*" and the path end with "*". The most specific one that
matches a URL decides. The next deploy puts back what mayfly.toml says.`,
	})
	r.node.register(parent.PersistentFlags())
	list := &cobra.Command{
		Use: "list [NAME]", Short: "List the routes of the account, or of one Function", Args: atMost(1),
		Example: "  mayfly route list\n  mayfly route list hello --json",
		RunE:    func(c *cobra.Command, args []string) error { return r.list(c, argument(args, 0, "")) },
	}
	list.Flags().BoolVar(&r.json, "json", false, "print JSON")
	set := &cobra.Command{
		Use: "set NAME [PATTERN...]", Short: "Replace all routes of a Function but its custom domains", Args: atLeast(1, "NAME"),
		Example: "  mayfly route set hello 'example.com/*' 'example.org/api/*'\n  mayfly route set hello",
		Long:    "Set replaces all routes of a Function but its custom domains. Without a pattern it has\nnone then.",
		RunE:    func(c *cobra.Command, args []string) error { return r.change(c, args, (*api.Client).SetRoutes) },
	}
	add := &cobra.Command{
		Use: "add NAME PATTERN...", Short: "Give a Function more routes", Args: atLeast(2, "NAME", "PATTERN"),
		Example: "  mayfly route add hello 'example.com/api/*'\n  mayfly route add hello 'example.com/private/*' --disabled",
		RunE:    func(c *cobra.Command, args []string) error { return r.change(c, args, (*api.Client).AddRoutes) },
	}
	for _, c := range []*cobra.Command{set, add} {
		c.Flags().BoolVar(&r.disabled, "disabled", false, "nobody answers where they are the most specific ones")
	}
	remove := &cobra.Command{
		Use: "remove NAME PATTERN...", Short: "Take routes from a Function", Args: atLeast(2, "NAME", "PATTERN"),
		Example: "  mayfly route remove hello 'example.com/api/*'",
		RunE:    func(c *cobra.Command, args []string) error { return r.remove(c, args[0], args[1:]) },
	}
	for _, c := range []*cobra.Command{list, set, add, remove} {
		c.ValidArgsFunction = completeScripts(&r.node)
	}
	parent.AddCommand(list, set, add, remove)
	return parent
}

// atLeast asks for so many arguments, of which the first have names.
func atLeast(n int, names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < n {
			return usagef(c, "%s is missing", names[len(args)])
		}
		return nil
	}
}

func (r *routeCommand) list(c *cobra.Command, name string) error {
	client, err := r.node.client(c)
	if err != nil {
		return err
	}
	var all []api.HeldRoute
	if name == "" {
		all, err = client.Routes(c.Context())
	} else {
		all, err = client.ScriptRoutes(c.Context(), name)
	}
	if err != nil {
		return err
	}
	return r.show(all)
}

func (r *routeCommand) show(all []api.HeldRoute) error {
	if r.json {
		return printJSON(r.stdio.Out, all)
	}
	return table(r.stdio.Out, "PATTERN\tFUNCTION\tKIND", len(all), func(i int) string {
		kind := "route"
		if all[i].CustomDomain {
			kind = "custom domain"
		}
		if !all[i].Enabled {
			kind += ", disabled"
		}
		return fmt.Sprintf("%s\t%s\t%s", all[i].Pattern, all[i].Script, kind)
	})
}

func (r *routeCommand) change(c *cobra.Command, args []string, do func(*api.Client, context.Context, string, []api.NewRoute) ([]api.HeldRoute, error)) error {
	client, err := r.node.client(c)
	if err != nil {
		return err
	}
	routes := []api.NewRoute{}
	for _, pattern := range args[1:] {
		routes = append(routes, api.NewRoute{Pattern: pattern, Enabled: !r.disabled})
	}
	all, err := do(client, c.Context(), args[0], routes)
	if err != nil {
		return err
	}
	return r.show(all)
}

// remove removes all patterns, or none if the Function lacks one.
func (r *routeCommand) remove(c *cobra.Command, name string, patterns []string) error {
	client, err := r.node.client(c)
	if err != nil {
		return err
	}
	all, err := client.ScriptRoutes(c.Context(), name)
	if err != nil {
		return err
	}
	var ids []string
	for _, text := range patterns {
		p, err := router.ParsePattern(text)
		if err != nil {
			return usagef(c, "%v", err)
		}
		i := slices.IndexFunc(all, func(h api.HeldRoute) bool { return h.Pattern == p.String() })
		if i < 0 {
			return fmt.Errorf("%s has no route %q; 'mayfly route list %s' shows those it has", name, p, name)
		}
		ids = append(ids, all[i].ID)
	}
	for _, id := range ids {
		if err := client.RemoveRoute(c.Context(), name, id); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(r.stdio.Out, "removed %d of %s\n", len(ids), name)
	return err
}
