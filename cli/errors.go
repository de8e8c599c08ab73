package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

type errorsCommand struct {
	stdio Stdio
	node  nodeFlags
	stage stageFlag
	json  bool
}

func newErrors(stdio Stdio) *cobra.Command {
	e := &errorsCommand{stdio: stdio}
	c := &cobra.Command{
		Use:   "errors [NAME]",
		Short: "Show the last requests of a Function that failed, and where",
		Long: `Errors shows the last requests of a Function (default: that of mayfly.toml here) that
failed, newest first. Each node keeps a hundred of each Function in memory, since it
was started. In a cluster all nodes are asked, and those named that have not answered
within two seconds.`,
		Example:           "  mayfly errors\n  mayfly errors shop\n  mayfly errors shop --json",
		Args:              atMost(1),
		RunE:              func(c *cobra.Command, args []string) error { return e.run(c, argument(args, 0, "")) },
		ValidArgsFunction: completeScripts(&e.node),
	}
	e.node.register(c.Flags())
	e.stage.register(c.Flags())
	c.Flags().BoolVar(&e.json, "json", false, "print JSON, with stacks")
	return c
}

func (e *errorsCommand) run(c *cobra.Command, name string) error {
	client, name, err := openNamed(c, &e.node, &e.stage, name)
	if err != nil {
		return err
	}
	all, missing, err := client.Failures(c.Context(), name)
	if err != nil {
		return err
	}
	for _, m := range missing {
		fmt.Fprintf(e.stdio.Err, "Warning: %s\n", printable(m.Message))
	}
	if e.json {
		return printJSON(e.stdio.Out, append([]api.Failure{}, all...))
	}
	head := "TIME\tREQUEST\tVERSION\tOUTCOME\tERROR"
	several := slices.ContainsFunc(all, func(f api.Failure) bool { return f.Node != "" })
	if several {
		head = "NODE\t" + head
	}
	return table(e.stdio.Out, head, len(all), func(i int) string {
		f := all[i]
		where, _, _ := strings.Cut(strings.TrimSpace(f.Stack), "\n")
		line := fmt.Sprintf("%s\t%s %s\t%.8s\t%s\t%s", date(f.Time), printable(f.Method), printable(f.URL), f.VersionID, f.Outcome,
			strings.TrimSpace(printable(f.Name+": "+f.Message+" "+where)))
		if several {
			line = printable(f.Node) + "\t" + line
		}
		return line
	})
}
