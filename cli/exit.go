package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/cli/internal/build"
	"github.com/mayfly-run/mayfly/runtime/tomlfile"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit codes, as exitCodesTopic explains them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitRefused     = 3
	exitUnreachable = 4
	exitSignal      = 128 // and the signal's number, as shells have it
	exitInterrupted = exitSignal + int(syscall.SIGINT)
)

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `Exit codes of mayfly:

    0  it worked
    1  it failed: a build, a file, or a fault of the node (5xx)
    2  the command line, mayfly.toml or the node's configuration is wrong
    3  the node refused: token, name, module, limits (4xx)
    4  the node can't be reached, or did not answer in time
  130  interrupted; 143 if a second SIGTERM ended a node that was draining`,
	}
}

// notThere is the error for something that a listing of the node does not have. It
// is one of the node's.
func notThere(format string, args ...any) error {
	return &api.Error{Status: http.StatusNotFound, Messages: []api.Message{{Message: fmt.Sprintf(format, args...)}}}
}

// usageError is a mistake in the command line.
type usageError struct {
	command string
	msg     string
}

func (e *usageError) Error() string { return e.msg }

func usagef(c *cobra.Command, format string, args ...any) error {
	return &usageError{c.CommandPath(), fmt.Sprintf(format, args...)}
}

// flagError turns what the flag parser says into a usageError, with the nearest
// flag where an unknown one was given.
func flagError(c *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return usagef(c, "%v", err)
	}
	return usagef(c, "%v%s", err, didYouMean(similarFlags(c, unknown.GetSpecifiedName())))
}

// similarFlags uses cobra's search for similar commands, which it has not for
// flags: each flag stands in as a command.
func similarFlags(c *cobra.Command, name string) []string {
	flags := &cobra.Command{SuggestionsMinimumDistance: 2}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		flags.AddCommand(&cobra.Command{Use: "--" + f.Name, Run: func(*cobra.Command, []string) {}})
	})
	return flags.SuggestionsFor("--" + name)
}

func didYouMean(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(names, " or ") + "?"
}

// report tells a person what went wrong and returns the exit code.
func report(w io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	if errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	fmt.Fprintf(w, "mayfly: %v\n", err)
	if hint := hintFor(err); hint != "" {
		fmt.Fprintln(w, hint)
	}
	return exitCode(err)
}

func exitCode(err error) int {
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*build.ManifestError](err); ok || errors.Is(err, errNoToken) {
		return exitUsage
	}
	if _, ok := errors.AsType[*tomlfile.Error](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*api.UnreachableError](err); ok {
		return exitUnreachable
	}
	if e, ok := errors.AsType[*api.Error](err); ok && e.Status < http.StatusInternalServerError {
		return exitRefused
	}
	return exitFailure
}

// hintFor says how an error can be mended, where it does not say so itself.
func hintFor(err error) string {
	if e, ok := errors.AsType[*usageError](err); ok {
		return fmt.Sprintf("Run '%s --help' for its usage.", e.command)
	}
	if e, ok := errors.AsType[*api.UnreachableError](err); ok {
		return fmt.Sprintf("Is a node running there? Start one with 'mayfly serve', or say where it is with --api or MAYFLY_API (now %s).", e.Base)
	}
	e, refused := errors.AsType[*api.Error](err)
	switch {
	case refused && e.Has(api.CodeNoRoute):
		return "Is --api or MAYFLY_API the base URL of a node's API, such as " + defaultAPI + "?"
	case refused && e.Status == http.StatusForbidden && e.Has(api.CodeUnauthorized):
		return "The token is one of another account (name its account with --account), or lacks the scope for this, or this takes the admin token; 'mayfly whoami' tells what it is good for."
	case refused && e.Status == http.StatusUnauthorized, errors.Is(err, errNoToken):
		return tokenHint
	}
	return ""
}
