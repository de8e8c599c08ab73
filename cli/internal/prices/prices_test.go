package prices_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli/internal/prices"
)

// Bills of a whole month, calculated by hand.
func TestDefault(t *testing.T) {
	use := prices.Use{Requests: 100e6, CPUMillis: 500e6, WallMillis: 2000e6, MemoryGiBSeconds: 100_000, KVOperations: 20e6}
	want := map[string]float64{
		"Cloudflare Workers": 5 + 90*0.30 + 470*0.02 + 10*0.50,
		"AWS Lambda":         99 * 0.20, // 2 million seconds of 128 MB are 250,000 GB-seconds, which are included
		"Fastly Compute":     90*0.50 + 400*0.05,
	}
	all := prices.Default()
	if len(all) != len(want) {
		t.Errorf("%d providers", len(all))
	}
	for _, p := range all {
		if got := p.Cost(use, 1); math.Abs(got-want[p.Name]) > 1e-6 {
			t.Errorf("%s: got %v, want %v", p.Name, got, want[p.Name])
		}
		if !strings.HasPrefix(p.Source, "https://") || p.AsOf == "" {
			t.Errorf("%s: from %q as of %q", p.Name, p.Source, p.AsOf)
		}
	}
}

func TestCost(t *testing.T) {
	all, err := prices.Parse("p.toml", []byte("[[provider]]\nname = 'x'\nmonth = 12\nrequests = 1\nincluded_requests = 2e6\nmemory_gib_s = 2\nmemory_floor_mib = 512\nwall_step_ms = 100\nfetches = 3"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		use    prices.Use
		months float64
		want   float64
	}{
		{prices.Use{}, 1, 12},
		{prices.Use{}, 0.5, 6},
		{prices.Use{Requests: 3e6}, 1, 12 + 1 + 3e6*0.1*0.5*2}, // each takes 100 ms of 512 MiB
		{prices.Use{Requests: 1.5e6, WallMillis: 1e9}, 0.5, 6 + 0.5 + 1e6*0.5*2},
		{prices.Use{MemoryGiBSeconds: 10, WallMillis: 1000}, 0, 20},
		{prices.Use{Fetches: 2e6}, 0, 6},
	} {
		if got := all[0].Cost(tt.use, tt.months); math.Abs(got-tt.want) > 1e-6 {
			t.Errorf("%+v for %v months: got %v, want %v", tt.use, tt.months, got, tt.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"[[provider]]\nmonth = 1":                 `"name" is missing in [[provider]]`,
		"[[provider]]\nname = 'x'\nrequest = 1":   `unknown key "request" in [[provider]]: did you mean "requests"?`,
		"[[provider]]\nname = 'x'\nmonth = 'a'":   `"month" wants a number, not`,
		"[[provider]]\nname = 'x'\nmonth = -1":    "must not be negative",
		"[[provider]]\nname = 'x'\nmonth = nan":   "must not be negative",
		"[[provider]]\nname = 'x'\nas_of = 'now'": `"as_of" wants a day such as "2031-05-06", not "now"`,
		"provider = 5": `"provider" wants a list of tables, not 5`,
	} {
		if _, err := prices.Parse("p.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// Whatever a table says, a bill is a number that is not negative.
func FuzzParse(f *testing.F) {
	f.Add([]byte("[[provider]]\nname = 'x'\nrequests = 1e14\nincluded_requests = 1\nmemory_floor_mib = 1\nwall_step_ms = 5"))
	f.Add([]byte("provider = [{name = '', month = inf}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := prices.Parse("p.toml", text)
		if err != nil {
			return
		}
		for _, p := range all {
			if cost := p.Cost(prices.Use{Requests: 1e9, WallMillis: 1e9, CPUMillis: 1}, 1); !(cost >= 0) || math.IsInf(cost, 0) {
				t.Errorf("%+v costs %v", p, cost)
			}
		}
	})
}

func TestMonths(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := prices.Months(from, from.AddDate(1, 0, 0)); math.Abs(got-12) > 0.01 {
		t.Errorf("a year has %v", got)
	}
}
