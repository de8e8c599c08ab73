package torture_test

import (
	"strings"
	"testing"
	"text/tabwriter"
)

// printTable prints rows of cells that tabs separate.
func printTable(t *testing.T, head string, rows []string) {
	t.Helper()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range append([]string{head}, rows...) {
		w.Write([]byte(row + "\n"))
	}
	w.Flush()
	t.Logf("\n%s", text.String())
}
