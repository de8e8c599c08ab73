package cron

import (
	"strings"
	"time"
)

// dates are days by their number in the month.
type dates struct {
	any     bool
	set     uint64
	last    bool // before the last day of the month, so many:
	offset  int
	weekday bool // the nearest weekday instead
	near    int  // to this one, unless last
}

func parseDates(text string) (d dates, err error) {
	base, nearest := strings.CutSuffix(text, "W")
	switch rest, last := strings.CutPrefix(base, "L"); {
	case text == "*":
		d.any = true
	case last:
		d.last, d.weekday = true, nearest
		if offset, given := strings.CutPrefix(rest, "-"); given {
			d.offset, err = number(offset, 1, 30)
		} else if rest != "" {
			_, err = date.value(text)
		}
	case nearest:
		d.weekday = true
		d.near, err = date.value(base)
	default:
		d.set, err = date.list(text)
	}
	return d, err
}

func (d dates) include(t time.Time) bool {
	most := lastOf(t)
	target := d.near
	switch {
	case d.any:
		return true
	case d.last:
		target = most - d.offset
	case !d.weekday:
		return has(d.set, t.Day())
	}
	if target < 1 || target > most {
		return false
	}
	if d.weekday {
		target = nearestWeekday(t, target, most)
	}
	return t.Day() == target
}

// nearestWeekday is the weekday of the month of t that is nearest to a day of it.
func nearestWeekday(t time.Time, date, most int) int {
	switch t.AddDate(0, 0, date-t.Day()).Weekday() {
	case time.Saturday:
		if date == 1 {
			return date + 2
		}
		return date - 1
	case time.Sunday:
		if date == most {
			return date - 2
		}
		return date + 1
	}
	return date
}

// days are days by their name.
type days struct {
	any  bool
	set  uint64
	last bool // of those in set, which is one: the last in the month
	nth  int  // the nth in the month; 0: each
}

func parseDays(text string) (d days, err error) {
	name, last := strings.CutSuffix(text, "L")
	name, nth, counted := strings.Cut(name, "#")
	switch {
	case text == "*":
		d.any = true
		return d, nil
	case text == "L":
		d.set = 1 << day.most
		return d, nil
	case last && counted:
		name = text // which is no day
	case counted:
		if d.nth, err = number(nth, 1, 5); err != nil {
			return d, err
		}
	}
	if d.last = last; !last && !counted {
		d.set, err = day.list(text)
		return d, err
	}
	n, err := day.value(name)
	d.set = 1 << n
	return d, err
}

func (d days) include(t time.Time) bool {
	switch {
	case d.any:
		return true
	case !has(d.set, int(t.Weekday())+1):
		return false
	case d.last:
		return t.Day()+7 > lastOf(t)
	}
	return d.nth == 0 || (t.Day()-1)/7+1 == d.nth
}

// lastOf is the number of the last day of a month.
func lastOf(t time.Time) int { return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() }
