package cli

import (
	"time"

	"github.com/spf13/cobra"
)

// NewRoot is the table of all commands.
func NewRoot(stdio Stdio) *cobra.Command { return newRoot(stdio) }

// ParseExpiry is parseExpiry.
func ParseExpiry(text string, now time.Time) (time.Time, error) { return parseExpiry(text, now) }
