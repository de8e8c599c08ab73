package cli

import "github.com/spf13/cobra"

// newHelp is cobra's command, but that a command which does not exist is an error.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Example: "  mayfly help deploy\n  mayfly help kv key put\n  mayfly help exit-codes",
		Short:   "Show the help of a command",
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			of, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []cobra.Completion
			for _, child := range of.Commands() {
				names = append(names, child.Name())
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			of, rest, err := c.Root().Find(args)
			if err == nil && len(rest) > 0 {
				of.SuggestionsMinimumDistance = 2
				return usagef(of, "unknown command %q%s", rest[0], didYouMean(of.SuggestionsFor(rest[0])))
			}
			if err != nil {
				return err
			}
			of.InitDefaultHelpFlag()
			of.InitDefaultVersionFlag()
			return of.Help()
		},
	}
}
