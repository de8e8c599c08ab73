// Package cli is the command line of Mayfly. Run is the whole of it, shared by
// the binary and the tests. Each command is a struct of its flags in a file of
// its own; node.go says how commands find the node, exit.go what exit codes
// mean.
//
// What a machine may read goes to Stdio.Out; logs, progress and errors go to
// Stdio.Err.
package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Stdio is what a command reads and writes. Progress and questions appear only
// where Err and In are terminals.
type Stdio struct {
	In       io.Reader
	Out, Err io.Writer
	// Self starts this program again, with more arguments to follow: nodes
	// compile in a process of its own. Nil where the program is something else,
	// as in tests that call Run; then they compile in the node.
	Self func(ctx context.Context) *exec.Cmd
	// Worker starts this program as a worker of a node; nil where it can't.
	Worker func(ctx context.Context) *exec.Cmd
}

// Run runs one command line, without the program's name, and returns its exit
// code. When ctx ends, servers drain and everything else stops.
func Run(ctx context.Context, args []string, stdio Stdio) int {
	root := newRoot(stdio)
	root.SetArgs(slices.Concat([]string{}, args)) // nil would mean os.Args
	return report(stdio.Err, root.ExecuteContext(ctx))
}

func newRoot(stdio Stdio) *cobra.Command {
	root := &cobra.Command{
		Use:           "mayfly",
		Short:         "Run WebAssembly functions: a fresh sandbox for every request",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(stdio.In)
	root.SetOut(stdio.Out)
	root.SetErr(stdio.Err)
	root.SetFlagErrorFunc(flagError)
	root.AddGroup(
		&cobra.Group{ID: "develop", Title: "Develop:"},
		&cobra.Group{ID: "run", Title: "Run a node:"},
		&cobra.Group{ID: "use", Title: "Use a node:"})
	add(root, "develop", newNew(stdio), newBuild(stdio), newTypes(stdio), newDev(stdio), newBench(stdio))
	add(root, "run", newServe(stdio), newNodes(stdio), newAudit(stdio), newBackup(stdio), newRestore(stdio), newDoctor(stdio))
	add(root, "use", newDeploy(stdio), newVersions(stdio), newDeployments(stdio), newRollback(stdio), newDiff(stdio), newList(stdio), newDelete(stdio), newKV(stdio), newQueues(stdio), newSecret(stdio), newTail(stdio), newErrors(stdio), newUsage(stdio), newRoute(stdio), newDomain(stdio), newTriggers(stdio), newInvoke(stdio), newAccount(stdio), newToken(stdio), newWhoami(stdio), newOpen(stdio))
	root.AddCommand(newVersion(stdio), exitCodesTopic())
	root.SetHelpCommand(newHelp())
	root.Version = readBuildInfo().String()
	root.SetVersionTemplate("{{.Version}}\n")
	return group(root)
}

func add(parent *cobra.Command, id string, children ...*cobra.Command) {
	for _, c := range children {
		c.GroupID = id
		parent.AddCommand(c)
	}
}

// group makes a command that only has subcommands: alone it shows its help, and
// an unknown subcommand is told with those that may have been meant.
func group(c *cobra.Command) *cobra.Command {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		c.SuggestionsMinimumDistance = 2
		return usagef(c, "unknown command %q%s", args[0], didYouMean(c.SuggestionsFor(args[0])))
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.DisableFlagsInUseLine = true
	return c
}

// exactly names the arguments of a command, all of which have to be given.
func exactly(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usagef(c, "%s is missing", names[len(args)])
		case len(args) > len(names):
			return usagef(c, "unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// atMost bounds how many arguments may be given.
func atMost(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef(c, "unexpected argument %q", args[n])
		}
		return nil
	}
}

// argument is the i-th argument, or what stands for it when it is left out.
func argument(args []string, i int, otherwise string) string {
	if i < len(args) {
		return args[i]
	}
	return otherwise
}

// printJSON writes v as a machine reads it, one indented document.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
