package cron_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/cron"
)

func mustParse(t testing.TB, text string) *cron.Expression {
	t.Helper()
	e, err := cron.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const form = "2006-01-02 15:04"

// after is a Thursday.
const after = "2026-11-26 19:15"

// The first ten are the examples of Cloudflare's documentation.
func TestNext(t *testing.T) {
	for _, tt := range []struct{ text, after, want string }{
		{"* * * * *", after, "2026-11-26 19:16"},
		{"*/30 * * * *", after, "2026-11-26 19:30 2026-11-26 20:00"},
		{"45 * * * *", after, "2026-11-26 19:45 2026-11-26 20:45"},
		{"0 17 * * sun", after, "2026-11-29 17:00 2026-12-06 17:00"},
		{"0 17 * * 1", after, "2026-11-29 17:00"},
		{"10 7 * * mon-fri", after, "2026-11-27 07:10 2026-11-30 07:10"},
		{"10 7 * * 2-6", after, "2026-11-27 07:10 2026-11-30 07:10"},
		{"0 15 1 * *", after, "2026-12-01 15:00 2027-01-01 15:00"},
		{"0 18 * * 6L", after, "2026-11-27 18:00 2026-12-25 18:00"},
		{"59 23 LW * *", after, "2026-11-30 23:59 2026-12-31 23:59 2027-01-29 23:59"},

		{"0 0 L * *", "2028-02-01 00:00", "2028-02-29 00:00 2028-03-31 00:00 2028-04-30 00:00"},
		{"0 0 L-3 * *", "2026-02-01 00:00", "2026-02-25 00:00 2026-03-28 00:00"},
		{"0 0 L-30 * *", "2026-02-01 00:00", "2026-03-01 00:00 2026-05-01 00:00"},
		{"0 0 L-1W * *", "2026-02-01 00:00", "2026-02-27 00:00 2026-03-30 00:00"}, // the 27th of February is a Friday
		{"0 0 LW 2 *", "2026-01-01 00:00", "2026-02-27 00:00"},                    // the 28th is a Saturday
		{"0 0 1W * *", "2026-07-20 00:00", "2026-08-03 00:00 2026-09-01 00:00"},   // the 1st is a Saturday
		{"0 0 31W * *", "2026-04-01 00:00", "2026-05-29 00:00 2026-07-31 00:00"},  // the 31st is a Sunday
		{"0 0 15W * *", "2026-08-01 00:00", "2026-08-14 00:00 2026-09-15 00:00"},
		{"0 0 31 * *", "2026-01-31 00:00", "2026-03-31 00:00 2026-05-31 00:00"},
		{"0 0 29 2 *", "2097-01-01 00:00", "2104-02-29 00:00"},
		{"0 0 29 FEB *", after, "2028-02-29 00:00 2032-02-29 00:00"},
		{"0 0 * 2 1#5", after, "2032-02-29 00:00 2060-02-29 00:00"},
		{"0 0 * * 6#2", after, "2026-12-11 00:00 2027-01-08 00:00"},
		{"0 0 * * FRI#5", after, "2027-01-29 00:00"},
		{"0 0 * * L", after, "2026-11-28 00:00 2026-12-05 00:00"},
		{"0 0 * * sunL", after, "2026-11-29 00:00 2026-12-27 00:00"},
		{"0 0 * * 6-1", after, "2026-11-27 00:00 2026-11-28 00:00 2026-11-29 00:00 2026-12-04 00:00"},
		{"0 0 * * */3", after, "2026-11-28 00:00 2026-11-29 00:00 2026-12-02 00:00"},
		{"0 0 13 * fri", after, "2026-11-27 00:00 2026-12-04 00:00 2026-12-11 00:00 2026-12-13 00:00"}, // either
		{"50-10/10 12 * * *", after, "2026-11-27 12:00 2026-11-27 12:10 2026-11-27 12:50 2026-11-28 12:00"},
		{"5/20 3 * * *", after, "2026-11-27 03:05 2026-11-27 03:25 2026-11-27 03:45 2026-11-28 03:05"},
		{"0,30 22-1 * * *", after, "2026-11-26 22:00 2026-11-26 22:30"},
		{"59 23 31 12 *", "2026-12-31 23:59", "2027-12-31 23:59"},
		{"0 0 1 jan,jul *", after, "2027-01-01 00:00 2027-07-01 00:00"},
		{"0\t0  1 nov-feb *", after, "2026-12-01 00:00 2027-01-01 00:00 2027-02-01 00:00 2027-11-01 00:00"},
	} {
		e := mustParse(t, tt.text)
		at, err := time.Parse(form, tt.after)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for range strings.Count(tt.want, ":") {
			next, ok := e.Next(at.Add(59 * time.Second))
			if !ok || !e.Matches(next) {
				t.Fatalf("%s: got %v, %v after %v", tt.text, next, ok, at)
			}
			at = next
			got = append(got, at.Format(form))
		}
		if joined := strings.Join(got, " "); joined != tt.want {
			t.Errorf("%s after %s\ngot  %s\nwant %s", tt.text, tt.after, joined, tt.want)
		}
	}
}

// Whatever the zone of a time is, minutes are those of UTC.
func TestNextIsUTC(t *testing.T) {
	zone := time.FixedZone("east", 5*3600+1800)
	got, _ := mustParse(t, "0 0 * * *").Next(time.Date(2026, 3, 1, 4, 0, 0, 0, zone))
	if want := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC); !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestParseRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "it has 0 fields",
		"* * * *":                "it has 4 fields",
		"0 * * * * *":            "it has 6 fields",
		"60 * * * *":             `minute "60" is no number from 0 to 59`,
		"* 24 * * *":             `hour "24" is no number from 0 to 23`,
		"* * 0 * *":              `day of month "0" is no number from 1 to 31`,
		"* * * 13 *":             `month "13" is no number from 1 to 12, nor a name from JAN to DEC`,
		"* * * * 0":              `day of week "0" is no number from 1 to 7, nor a name from SUN to SAT`,
		"* * * * 8":              `day of week "8"`,
		"*/0 * * * *":            `minute: step "0" is no number from 1 to 59`,
		"*/60 * * * *":           `minute: step "60"`,
		"*,5 * * * *":            `minute "*"`,
		"*-5 * * * *":            `minute "*"`,
		"+5 * * * *":             `minute "+5"`,
		"1, * * * *":             `minute ""`,
		"1-2-3 * * * *":          `minute "2-3"`,
		"? * * * *":              `minute "?"`,
		"* * L,5 * *":            `day of month "L,5"`,
		"* * 5,L * *":            `day of month "L"`,
		"* * 5W,6 * *":           `day of month "5W"`,
		"* * W * *":              `day of month ""`,
		"* * L-31 * *":           `"31" is no number from 1 to 30`,
		"* * L3 * *":             `day of month "L3"`,
		"* * * * 6#6":            `"6" is no number from 1 to 5`,
		"* * * * 6#2L":           `day of week "6#2L"`,
		"* * * * 6L,1":           `day of week "6L"`,
		"* * * * MON-":           `day of week ""`,
		"0 0 31 2 *":             "there is no such day",
		"0 0 30W 2 *":            "there is no such day",
		"0 0 31 4,6 *":           "there is no such day",
		"@daily":                 "it has 1 fields",
		strings.Repeat("*", 257): "at most 256 are allowed",
	} {
		if _, err := cron.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// Next never skips a minute that Matches, and gives none that does not.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"* * * * *", "*/30 1,2 L-3W jan-mar 6#2", "5/20 22-4 15W * 2-6", "59 23 LW * 6L", "0 0 29 2 *"} {
		f.Add(text, int64(1_795_720_500))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		e, err := cron.Parse(text)
		if err != nil {
			return
		}
		at := time.Unix(unix%(1<<33), 0).UTC()
		next, ok := e.Next(at)
		if !ok || !next.After(at) || !e.Matches(next) || next.Second() != 0 {
			t.Fatalf("%q after %v: got %v, %v", text, at, next, ok)
		}
		minute := at.Truncate(time.Minute)
		for range 3000 {
			if minute = minute.Add(time.Minute); minute.Equal(next) {
				break
			}
			if e.Matches(minute) {
				t.Fatalf("%q after %v: got %v, and %v is before that", text, at, next, minute)
			}
		}
		if again := mustParse(t, e.String()); again.String() != text {
			t.Fatalf("%q became %q", text, again)
		}
	})
}
