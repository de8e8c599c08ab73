package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/cli/internal/build"
	"github.com/spf13/cobra"
)

type triggersCommand struct {
	stdio Stdio
	node  nodeFlags
	stage stageFlag
	name  string
	json  bool
}

func newTriggers(stdio Stdio) *cobra.Command {
	t := &triggersCommand{stdio: stdio}
	parent := group(&cobra.Command{
		Use:   "triggers",
		Short: "Show and change when Functions run by themselves, and how that went",
		Long: `A Function with KV triggers gets each change of the keys of a namespace that begin
with a prefix; they are in [[triggers.kv]] of mayfly.toml. Waiting are those that it has
not got yet.

A Function with cron triggers gets a scheduled event in each minute that one of its
cron expressions means, in UTC. They are in [triggers] of mayfly.toml, as crons, and
'mayfly deploy' sets them. Expressions are Cloudflare's: five fields, with L, W and #;
weekday 1 is Sunday.`,
	})
	t.node.register(parent.PersistentFlags())
	list := &cobra.Command{
		Use: "list [NAME]", Short: "List the triggers of the account, or of one Function", Args: atMost(1),
		Example: "  mayfly triggers list\n  mayfly triggers list backup --json",
		RunE:    func(c *cobra.Command, args []string) error { return t.list(c, argument(args, 0, "")) },
	}
	runs := &cobra.Command{
		Use: "runs NAME", Short: "List the last runs of a Function's cron triggers", Args: exactly("NAME"),
		Example: "  mayfly triggers runs backup",
		RunE:    func(c *cobra.Command, args []string) error { return t.runs(c, args[0]) },
	}
	run := &cobra.Command{
		Use: "run NAME [CRON]", Short: "Send a Function a scheduled event now, and wait for its end", Args: nameAndCron,
		Example: "  mayfly triggers run backup\n  mayfly triggers run backup '0 5 * * *'",
		Long:    "Run sends a Function a scheduled event now. CRON is the expression that it is told;\nwithout one, it is that of its only cron trigger. Exits with 1 if the run fails.",
		RunE:    func(c *cobra.Command, args []string) error { return t.run(c, args[0], argument(args, 1, "")) },
	}
	for _, c := range []*cobra.Command{list, runs, run} {
		c.Flags().BoolVar(&t.json, "json", false, "print JSON")
		c.ValidArgsFunction = completeScripts(&t.node)
	}
	parent.AddCommand(t.newDeploy(), list, runs, run)
	return parent
}

func nameAndCron(c *cobra.Command, args []string) error {
	if err := atLeast(1, "NAME")(c, args); err != nil {
		return err
	}
	return atMost(2)(c, args)
}

func (t *triggersCommand) newDeploy() *cobra.Command {
	c := &cobra.Command{
		Use: "deploy", Short: "Set the routes and triggers that mayfly.toml here has, without an upload", Args: atMost(0),
		Example: "  mayfly triggers deploy\n  mayfly triggers deploy --env staging",
		RunE:    func(c *cobra.Command, _ []string) error { return t.deploy(c) },
	}
	c.Flags().StringVar(&t.name, "name", "", "name of the Function (default: that of mayfly.toml here)")
	t.stage.register(c.Flags())
	return c
}

func (t *triggersCommand) deploy(c *cobra.Command) error {
	p, err := build.OpenNames(".", t.stage.get())
	if err != nil {
		return err
	}
	client, err := t.node.client(c)
	if err != nil {
		return err
	}
	name := firstOf(t.name, p.Manifest.Name)
	if p.Manifest.Routes != nil {
		if err := t.deployRoutes(c.Context(), client, name, p); err != nil {
			return err
		}
	}
	if crons := p.Manifest.Triggers.Crons; crons != nil {
		if _, err := client.SetSchedules(c.Context(), name, crons); err != nil {
			return err
		}
	}
	consumer := *p.Manifest
	consumer.Name = name
	if err := setConsumers(c.Context(), client, &consumer); err != nil {
		return err
	}
	if list := p.Manifest.Triggers.KV; list != nil {
		if _, err := client.SetKVTriggers(c.Context(), name, list); err != nil {
			return err
		}
	}
	return t.list(c, name)
}

// deployRoutes sets the routes; custom domains are added to those that are there.
func (t *triggersCommand) deployRoutes(ctx context.Context, client *api.Client, name string, p *build.Project) error {
	routes := []api.NewRoute{}
	for _, r := range p.Manifest.Routes {
		if r.CustomDomain {
			if _, err := client.PutDomain(ctx, r.Host(), name, !r.Disabled); err != nil {
				return err
			}
			continue
		}
		routes = append(routes, api.NewRoute{Pattern: r.Pattern.String(), Enabled: !r.Disabled})
	}
	_, err := client.SetRoutes(ctx, name, routes)
	return err
}

// heldSchedule is a schedule with the Function that has it.
type heldSchedule struct {
	Script string `json:"script"`
	api.Schedule
}

func (t *triggersCommand) list(c *cobra.Command, name string) error {
	client, err := t.node.client(c)
	if err != nil {
		return err
	}
	names, err := functionNames(c.Context(), client, name)
	if err != nil {
		return err
	}
	all, err := schedulesOf(c.Context(), client, names)
	if err != nil {
		return err
	}
	watched, err := kvTriggersOf(c.Context(), client, names)
	if err != nil {
		return err
	}
	if t.json {
		list := []any{}
		for _, s := range all {
			list = append(list, s)
		}
		for _, k := range watched {
			list = append(list, k)
		}
		return printJSON(t.stdio.Out, list)
	}
	err = table(t.stdio.Out, "CRON\tFUNCTION\tSINCE", len(all), func(i int) string {
		return fmt.Sprintf("%s\t%s\t%s", all[i].Cron, all[i].Script, date(all[i].CreatedOn))
	})
	if err != nil {
		return err
	}
	return t.listKV(watched)
}

// functionNames are that of one Function, or without a name those of all.
func functionNames(ctx context.Context, client *api.Client, name string) (names []string, err error) {
	if name != "" {
		return []string{name}, nil
	}
	scripts, err := client.Scripts(ctx)
	for _, s := range scripts {
		names = append(names, s.ID)
	}
	return names, err
}

func schedulesOf(ctx context.Context, client *api.Client, names []string) (all []heldSchedule, err error) {
	for _, n := range names {
		list, err := client.Schedules(ctx, n)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			all = append(all, heldSchedule{n, s})
		}
	}
	return all, nil
}

func (t *triggersCommand) runs(c *cobra.Command, name string) error {
	client, err := t.node.client(c)
	if err != nil {
		return err
	}
	all, err := client.Runs(c.Context(), name)
	if err != nil {
		return err
	}
	if t.json {
		return printJSON(t.stdio.Out, all)
	}
	return table(t.stdio.Out, "DUE\tCRON\tOUTCOME\tCPU\tTIME\tERROR", len(all), func(i int) string { return runRow(all[i]) })
}

func runRow(r api.Run) string {
	outcome := r.Outcome
	if r.Missed > 1 {
		outcome = fmt.Sprintf("%s (%d in a row)", outcome, r.Missed)
	}
	cron := r.Cron
	if r.Manual {
		cron += " (by hand)"
	}
	reason, _, _ := strings.Cut(printable(r.Error), "\n")
	return fmt.Sprintf("%s\t%s\t%s\t%.1f ms\t%.1f ms\t%s", date(r.Due), cron, outcome, r.CPUMS, r.WallMS, firstOf(reason, "-"))
}

func (t *triggersCommand) run(c *cobra.Command, name, cron string) error {
	client, err := t.node.client(c)
	if err != nil {
		return err
	}
	if cron == "" {
		if cron, err = only(c, client, name); err != nil {
			return err
		}
	}
	run, err := client.RunSchedule(c.Context(), name, cron)
	if err != nil {
		return err
	}
	if t.json {
		err = printJSON(t.stdio.Out, run)
	} else {
		_, err = fmt.Fprintf(t.stdio.Out, "%s (cpu %.1f ms, %.1f ms in all, request %s)\n", run.Outcome, run.CPUMS, run.WallMS, firstOf(run.RequestID, "-"))
	}
	if run.Outcome != "ok" && err == nil {
		err = errors.New(printable(firstOf(run.Error, run.Outcome)))
	}
	return err
}

// only is the expression of a Function that has one.
func only(c *cobra.Command, client *api.Client, name string) (string, error) {
	list, err := client.Schedules(c.Context(), name)
	if err != nil {
		return "", err
	}
	if len(list) != 1 {
		return "", usagef(c, "%s has %d cron triggers; say which one: CRON is missing", name, len(list))
	}
	return list[0].Cron, nil
}
