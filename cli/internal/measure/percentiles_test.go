package measure_test

import (
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli/internal/measure"
)

func TestPercentiles(t *testing.T) {
	upTo := func(n int) (all []time.Duration) {
		for i := n; i >= 1; i-- {
			all = append(all, time.Duration(i)*time.Microsecond)
		}
		return all
	}
	for _, test := range []struct {
		name string
		in   []time.Duration
		want measure.Percentiles
	}{
		{"none", nil, measure.Percentiles{}},
		{"one", upTo(1), measure.Percentiles{P50: 1, P90: 1, P99: 1, Max: 1}},
		{"two", upTo(2), measure.Percentiles{P50: 1, P90: 2, P99: 2, Max: 2}},
		{"hundred", upTo(100), measure.Percentiles{P50: 50, P90: 90, P99: 99, Max: 100}},
		{"fraction", []time.Duration{1234}, measure.Percentiles{P50: 1.234, P90: 1.234, P99: 1.234, Max: 1.234}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := measure.PercentilesOf(test.in); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
