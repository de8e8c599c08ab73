package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// NewRoot is the table of all commands.
func NewRoot(stdio Stdio) *cobra.Command { return newRoot(stdio) }

// PrettyEvent is what mayfly tail --format pretty shows of an event.
func PrettyEvent(event string) (string, error) {
	var out strings.Builder
	err := (&tailCommand{stdio: Stdio{Out: &out}}).pretty([]byte(event))
	return out.String(), err
}

// ParseExpiry is parseExpiry.
func ParseExpiry(text string, now time.Time) (time.Time, error) { return parseExpiry(text, now) }
