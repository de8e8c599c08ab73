// Package cron reads cron expressions as Cloudflare's cron triggers have them, and
// finds the minutes that they mean. Start reading at Parse; Next is what schedules
// are followed by.
//
// The dialect is that of https://developers.cloudflare.com/workers/configuration/cron-triggers/,
// and where that says nothing of their parser (https://github.com/cloudflare/saffron).
package cron

import (
	"fmt"
	"strings"
	"time"
)

// maxLength bounds an expression, in bytes.
const maxLength = 256

// Expression is a cron expression: minutes of UTC. It is immutable.
type Expression struct {
	text    string
	minutes uint64 // bit n: minute n, as in the others
	hours   uint64
	months  uint64
	dates   dates
	days    days
}

// String is the expression as it was written.
func (e *Expression) String() string { return e.text }

// Parse reads five fields, with space between them:
//
//	minute        0-59
//	hour          0-23
//	day of month  1-31, L (the last), L-3 (3 days before), LW and L-3W (the weekday
//	              that is nearest in that month), 15W (the weekday nearest to the 15th)
//	month         1-12 or JAN-DEC
//	day of week   1-7 or SUN-SAT, where 1 is Sunday; 6L (the last Friday of the
//	              month), 6#2 (its second Friday), L (Saturday)
//
// Each is "*", or a list of values, ranges (22-4 goes on at the beginning) and
// steps (*/15, 10/15, 0-30/10); of those with L, W or # there is one and no list.
// Case does not matter. Where both kinds of days are not "*", either is enough. An
// expression of minutes that never come is refused.
func Parse(text string) (*Expression, error) {
	if len(text) > maxLength {
		return nil, fmt.Errorf("cron expression has %d bytes; at most %d are allowed", len(text), maxLength)
	}
	e, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("cron expression %q: %w", text, err)
	}
	return e, nil
}

func parse(text string) (*Expression, error) {
	fields := strings.FieldsFunc(strings.ToUpper(text), func(r rune) bool { return r == ' ' || r == '\t' })
	if len(fields) != 5 {
		return nil, fmt.Errorf(`it has %d fields, and needs five: minute, hour, day of month, month, day of week, as in "0 5 * * MON"`, len(fields))
	}
	e := &Expression{text: text}
	var err error
	read := func(to *uint64, f field, text string) {
		if err == nil {
			*to, err = f.list(text)
		}
	}
	read(&e.minutes, minute, fields[0])
	read(&e.hours, hour, fields[1])
	read(&e.months, month, fields[3])
	if err != nil {
		return nil, err
	}
	if e.dates, err = parseDates(fields[2]); err != nil {
		return nil, err
	}
	if e.days, err = parseDays(fields[4]); err != nil {
		return nil, err
	}
	if _, ok := e.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); !ok {
		return nil, fmt.Errorf("there is no such day")
	}
	return e, nil
}

// horizon is how many years are searched: the calendar repeats after 400, and the
// rarest day, a fifth weekday of February, comes again after 40 at most.
const horizon = 41

// Next is the first minute after a time, in UTC. There is none only where the
// calendar of the next 41 years has none.
func (e *Expression) Next(after time.Time) (time.Time, bool) {
	t := after.UTC().Truncate(time.Minute).Add(time.Minute)
	end := t.AddDate(horizon, 0, 0)
	for day := startOf(t); day.Before(end); day = e.following(day) {
		if !e.onDay(day) {
			continue
		}
		if at, ok := e.inDay(day, t); ok {
			return at, true
		}
	}
	return time.Time{}, false
}

// Matches says whether the minute of a time is meant.
func (e *Expression) Matches(t time.Time) bool {
	t = t.UTC()
	return e.onDay(startOf(t)) && has(e.hours, t.Hour()) && has(e.minutes, t.Minute())
}

func startOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

// following is the next day, or the first one of the next month if this month is
// not meant.
func (e *Expression) following(day time.Time) time.Time {
	if has(e.months, int(day.Month())) {
		return day.AddDate(0, 0, 1)
	}
	return time.Date(day.Year(), day.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

func (e *Expression) onDay(day time.Time) bool {
	if !has(e.months, int(day.Month())) {
		return false
	}
	switch {
	case e.dates.any:
		return e.days.include(day)
	case e.days.any:
		return e.dates.include(day)
	}
	return e.dates.include(day) || e.days.include(day)
}

// inDay is the first minute of a day that is not before t.
func (e *Expression) inDay(day, t time.Time) (time.Time, bool) {
	for h := range 24 {
		if !has(e.hours, h) || day.Add(time.Duration(h+1)*time.Hour).Before(t) {
			continue
		}
		for m := range 60 {
			at := day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute)
			if has(e.minutes, m) && !at.Before(t) {
				return at, true
			}
		}
	}
	return time.Time{}, false
}

func has(set uint64, n int) bool { return set>>n&1 == 1 }
