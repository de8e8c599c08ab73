package cli

import "github.com/spf13/cobra"

func newBench(stdio Stdio) *cobra.Command {
	parent := group(&cobra.Command{Use: "bench", Short: "Measure invocations and servers"})
	parent.AddCommand(newBenchCold(stdio), newBenchHTTP(stdio))
	return parent
}
