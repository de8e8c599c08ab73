package cron

import (
	"fmt"
	"strconv"
	"strings"
)

// field is one of the five, with the values that it takes.
type field struct {
	name        string
	least, most int
	names       []string // of the values from least on; nil if they have none
}

var (
	minute = field{"minute", 0, 59, nil}
	hour   = field{"hour", 0, 23, nil}
	date   = field{"day of month", 1, 31, nil}
	month  = field{"month", 1, 12, []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}}
	day    = field{"day of week", 1, 7, []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}}
)

// list reads "*", or a list, as a set of bits.
func (f field) list(text string) (set uint64, err error) {
	if text == "*" {
		return f.span(f.least, f.most, 1), nil
	}
	for entry := range strings.SplitSeq(text, ",") {
		bits, err := f.entry(entry)
		if err != nil {
			return 0, err
		}
		set |= bits
	}
	return set, nil
}

// entry reads a value, a range, or a step.
func (f field) entry(text string) (uint64, error) {
	values, by, stepped := strings.Cut(text, "/")
	step := 1
	if stepped {
		var err error
		if step, err = number(by, 1, f.most-f.least); err != nil {
			return 0, fmt.Errorf("%s: step %w", f.name, err)
		}
	}
	if values == "*" && stepped {
		return f.span(f.least, f.most, step), nil
	}
	from, to, isRange := strings.Cut(values, "-")
	first, err := f.value(from)
	if err != nil {
		return 0, err
	}
	switch {
	case isRange:
		last, err := f.value(to)
		return f.span(first, last, step), err
	case stepped:
		return f.span(first, f.most, step), nil
	}
	return 1 << first, nil
}

// span is a range, which goes on at the beginning if its end is before it.
func (f field) span(first, last, step int) (set uint64) {
	if last < first {
		last += f.most - f.least + 1
	}
	for n := first; n <= last; n += step {
		set |= 1 << (f.least + (n-f.least)%(f.most-f.least+1))
	}
	return set
}

func (f field) value(text string) (int, error) {
	for i, name := range f.names {
		if text == name {
			return f.least + i, nil
		}
	}
	n, err := number(text, f.least, f.most)
	if err == nil {
		return n, nil
	}
	if f.names != nil {
		return 0, fmt.Errorf("%s %w, nor a name from %s to %s", f.name, err, f.names[0], f.names[len(f.names)-1])
	}
	return 0, fmt.Errorf("%s %w", f.name, err)
}

// number reads digits.
func number(text string, least, most int) (int, error) {
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil || int(n) < least || int(n) > most {
		return 0, fmt.Errorf("%q is no number from %d to %d", text, least, most)
	}
	return int(n), nil
}
