// Package measure times invocations phase by phase (Cold) and loads a URL
// (HTTP).
package measure

import (
	"slices"
	"time"
)

// Percentiles of durations, in microseconds. A percentile is the smallest
// duration that at least so many percent do not exceed.
type Percentiles struct {
	P50 float64 `json:"p50_us"`
	P90 float64 `json:"p90_us"`
	P99 float64 `json:"p99_us"`
	Max float64 `json:"max_us"`
}

// percentilesOf is exact. It sorts durations and is zero if there are none.
func percentilesOf(durations []time.Duration) Percentiles {
	n := len(durations)
	if n == 0 {
		return Percentiles{}
	}
	slices.Sort(durations)
	at := func(percent int) float64 { return micros(durations[(n*percent+99)/100-1]) }
	return Percentiles{at(50), at(90), at(99), at(100)}
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
