package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/runtime/audit"
	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/spf13/cobra"
)

type auditCommand struct {
	stdio Stdio
	has   string
	keys  []string // files
	rest  bool
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
and says at which line it breaks. FILE.1, FILE.2 and so on, in which it began, are read
as well. It prints how many entries there are and the sum of the last. Note that
elsewhere: with --has, verify finds out later whether the log still has the entry, and
so whether it was written anew or cut.

With --key, the file with the key that the node signs entries with, the last entry has
to be signed, and all that follow a signed one. Give an earlier key as well where it
was changed.`,
		Args: exactly("FILE"),
		RunE: func(_ *cobra.Command, args []string) error { return a.verify(args[0]) },
	}
	verify.Flags().StringVar(&a.has, "has", "", "sum of an entry that has to be there")
	verify.Flags().StringArrayVar(&a.keys, "key", nil, "file with the key that entries are signed with")
	verify.Flags().BoolVar(&a.rest, "rest", false, "the files before the first that is there are elsewhere")
	verify.Flags().BoolVar(&a.json, "json", false, "print JSON")
	show := &cobra.Command{
		Use:     "show FILE",
		Example: "  mayfly audit show data/audit.log",
		Short:   "Print a log for people to read, and check it",
		Args:    exactly("FILE"),
		RunE:    func(_ *cobra.Command, args []string) error { return a.show(args[0]) },
	}
	show.Flags().BoolVar(&a.rest, "rest", false, "the files before the first that is there are elsewhere")
	parent.AddCommand(verify, show)
	return parent
}

func (a *auditCommand) read(file string, do func(audit.Entry) error) (audit.Summary, error) {
	check := audit.Check{Rest: a.rest}
	for _, name := range a.keys {
		key, err := node.ReadKey(name)
		if err != nil {
			return audit.Summary{}, err
		}
		check.Keys = append(check.Keys, key)
	}
	return check.Read(file, do)
}

func (a *auditCommand) verify(file string) error {
	has := a.has == ""
	s, err := a.read(file, func(e audit.Entry) error {
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
		return printJSON(a.stdio.Out, map[string]any{"entries": s.Entries, "signed": s.Signed, "number": s.First.Seq, "first": s.First.Time, "last": s.Last.Time, "sum": s.Last.Sum})
	}
	_, err = fmt.Fprintf(a.stdio.Out, "%d entries%s from %s to %s, the last with the sum\n%s\n", s.Entries, a.about(s), date(s.First.Time), date(s.Last.Time), s.Last.Sum)
	return err
}

// about says what is special of a log.
func (a *auditCommand) about(s audit.Summary) (text string) {
	if s.First.Seq > 0 {
		text = fmt.Sprintf(" after the first %d", s.First.Seq)
	}
	switch {
	case len(a.keys) > 0 && s.Signed == s.Entries:
		text += ", all signed,"
	case len(a.keys) > 0:
		text += fmt.Sprintf(", signed but for the first %d,", s.Entries-s.Signed)
	}
	return text
}

func (a *auditCommand) show(file string) error {
	_, err := a.read(file, func(e audit.Entry) error {
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
