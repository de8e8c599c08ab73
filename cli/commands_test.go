package cli_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli"
	"github.com/spf13/cobra"
)

// commands are all that do something.
func commands() (list []*cobra.Command) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.HasSubCommands() {
			for _, child := range c.Commands() {
				walk(child)
			}
			return
		}
		if c.Runnable() {
			list = append(list, c)
		}
	}
	walk(cli.NewRoot(cli.Stdio{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}))
	return list
}

// TestHelp checks what the help of each command has, so that none is found only
// by reading the source.
func TestHelp(t *testing.T) {
	all := commands()
	if len(all) < 20 {
		t.Fatalf("only %d commands found", len(all))
	}
	for _, c := range all {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: got the short text %q", c.CommandPath(), c.Short)
		}
		if !strings.Contains(c.Example, c.CommandPath()) && !strings.Contains(c.Example, "mayfly "+strings.Join(c.Aliases, "")) {
			t.Errorf("%s: its example %q does not have it", c.CommandPath(), c.Example)
		}
		for line := range strings.Lines(c.Example) {
			if !strings.HasPrefix(line, "  ") {
				t.Errorf("%s: the example %q is not indented", c.CommandPath(), line)
			}
		}
		if name := c.Name(); (name == "list" || name == "whoami" || name == "verify" && c.Parent().Name() == "token") && c.Flag("json") == nil {
			t.Errorf("%s: a listing has no --json", c.CommandPath())
		}
	}
}

func TestParseExpiry(t *testing.T) {
	now := time.Date(2026, 12, 30, 12, 0, 0, 5, time.UTC)
	for text, want := range map[string]string{
		"30d":                       "2027-01-29T12:00:00Z",
		"1d":                        "2026-12-31T12:00:00Z",
		"90m":                       "2026-12-30T13:30:00Z",
		"2027-01-31":                "2027-02-01T00:00:00Z", // that day is still within
		"2027-01-31T12:00:00+01:00": "2027-01-31T11:00:00Z",
	} {
		if got, err := cli.ParseExpiry(text, now); err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s: got %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "0d", "-1d", "1.5d", "0h", "-2h", "soon", "36501d", "99999999999999999999d", "2027-02-30", "12"} {
		if got, err := cli.ParseExpiry(text, now); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

// FuzzParseExpiry checks that whatever is read ends after now, within what a time
// can be written as.
func FuzzParseExpiry(f *testing.F) {
	for _, s := range []string{"30d", "12h", "2027-12-31", "2027-12-31T12:00:00Z", "-1d", "1e9d", "9999-12-31", "2540400h10m10.000000000s"} {
		f.Add(s)
	}
	now := time.Date(2026, 12, 30, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		at, err := cli.ParseExpiry(text, now)
		if err != nil {
			return
		}
		if _, err := at.MarshalJSON(); err != nil && at.Year() < 10_000 {
			t.Errorf("%q: got %v, which is no time of RFC 3339: %v", text, at, err)
		}
		if relative := strings.HasSuffix(text, "d") || !strings.Contains(text, "-"); relative && at.Before(now) {
			t.Errorf("%q: got %v, which is before now", text, at)
		}
	})
}
