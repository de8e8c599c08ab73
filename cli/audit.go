package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/runtime/audit"
	"github.com/spf13/cobra"
)

type auditCommand struct {
	stdio Stdio
	has   string
	json  bool
}

func newAudit(stdio Stdio) *cobra.Command {
	a := &auditCommand{stdio: stdio}
	parent := group(&cobra.Command{
		Use:   "audit",
		Short: "Check and show a node's log of changes",
	})
	verify := &cobra.Command{
		Use:     "verify FILE",
		Example: "  mayfly audit verify data/audit.log\n  mayfly audit verify data/audit.log --has 8d7a1c40",
		Short:   "Check that no byte of a log was changed",
		Long: `Verify checks the chain of a log, which is audit.log in the node's data directory,
and says at which line it breaks. It prints how many entries there are and the sum
of the last. Note that elsewhere: with --has, verify finds out later whether the log
still has the entry, and so whether it was written anew or cut.`,
		Args: exactly("FILE"),
		RunE: func(_ *cobra.Command, args []string) error { return a.verify(args[0]) },
	}
	verify.Flags().StringVar(&a.has, "has", "", "sum of an entry that has to be there")
	verify.Flags().BoolVar(&a.json, "json", false, "print JSON")
	show := &cobra.Command{
		Use:     "show FILE",
		Example: "  mayfly audit show data/audit.log",
		Short:   "Print a log for people to read, and check it",
		Args:    exactly("FILE"),
		RunE:    func(_ *cobra.Command, args []string) error { return a.show(args[0]) },
	}
	parent.AddCommand(verify, show)
	return parent
}

func readAudit(file string, do func(audit.Entry) error) (s audit.Summary, err error) {
	f, err := os.Open(file)
	if err != nil {
		return s, fmt.Errorf("open audit log: %w", err)
	}
	defer f.Close()
	if s, err = audit.Read(f, do); err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

func (a *auditCommand) verify(file string) error {
	has := a.has == ""
	s, err := readAudit(file, func(e audit.Entry) error {
		has = has || e.Sum == a.has
		return nil
	})
	switch {
	case err != nil:
		return err
	case s.Entries == 0:
		return errors.New("the log is empty")
	case !has:
		return fmt.Errorf("the log's chain holds, but no entry has the sum %s: the log was cut, or written anew", a.has)
	}
	if a.json {
		return printJSON(a.stdio.Out, map[string]any{"entries": s.Entries, "first": s.First.Time, "last": s.Last.Time, "sum": s.Last.Sum})
	}
	_, err = fmt.Fprintf(a.stdio.Out, "%d entries from %s to %s, the last with the sum\n%s\n", s.Entries, date(s.First.Time), date(s.Last.Time), s.Last.Sum)
	return err
}

func (a *auditCommand) show(file string) error {
	_, err := readAudit(file, func(e audit.Entry) error {
		_, err := io.WriteString(a.stdio.Out, auditLine(e))
		return err
	})
	return err
}

// auditLine is an entry for people: texts of others are quoted where they could
// pass for something else.
func auditLine(e audit.Entry) string {
	var target strings.Builder
	for _, name := range slices.Sorted(maps.Keys(e.Target)) {
		fmt.Fprintf(&target, " %s=%s", name, plain(e.Target[name]))
	}
	line := fmt.Sprintf("%s %s %s account=%s token=%s from=%s%s",
		date(e.Time), status(e.Status), plain(e.Action), plain(cmp.Or(e.Account, "-")), plain(cmp.Or(e.TokenName, e.Token, "-")), cmp.Or(e.Remote, "-"), target.String())
	if e.Skipped > 0 {
		line += fmt.Sprintf(" (%d refusals before it were not recorded)", e.Skipped)
	}
	return line + "\n"
}

func status(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// plain quotes what has line ends, quotes or control characters in it.
func plain(text string) string {
	if quoted := fmt.Sprintf("%q", text); quoted != `"`+text+`"` {
		return quoted
	}
	return text
}
