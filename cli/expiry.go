package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxDays keeps durations in days within what a time.Duration can hold.
const maxDays = 100 * 365

// parseExpiry reads when something ends: a duration from now (Go's, and whole
// days as 30d), a date, which is meant to its end in UTC, or a time of RFC 3339.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n <= maxDays {
			return now.AddDate(0, 0, n).UTC().Truncate(time.Second), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(d).UTC().Truncate(time.Second), nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	return time.Time{}, fmt.Errorf("wants 12h, 30d, a date such as 2027-12-31 or a time such as 2027-12-31T12:00:00Z, not %q", text)
}
