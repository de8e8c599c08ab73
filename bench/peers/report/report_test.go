package report_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/bench/peers/report"
)

func TestRunTurnsBack(t *testing.T) {
	var got []string
	subject := func(name string) report.Subject {
		return report.Subject{Name: name, Measure: func(context.Context) (report.Sample, error) {
			got = append(got, name)
			return report.Sample{PerSecond: float64(len(got))}, nil
		}}
	}
	rows, err := report.Run(t.Context(), []report.Subject{subject("a"), subject("b")}, 3, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "b", "b", "a", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("measured %v, want %v", got, want)
	}
	if want := []report.Sample{{PerSecond: 1}, {PerSecond: 4}, {PerSecond: 5}}; !slices.Equal(rows[0].Samples, want) {
		t.Errorf("samples of a are %v, want %v", rows[0].Samples, want)
	}
}

func TestRunStopsAtAFailure(t *testing.T) {
	broken := errors.New("broken")
	_, err := report.Run(t.Context(), []report.Subject{{Group: "g", Name: "n", Measure: func(context.Context) (report.Sample, error) { return report.Sample{}, broken }}}, 1, io.Discard)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "g, n") {
		t.Errorf("got %v", err)
	}
}

// The ratio of each round counts: here it is 2 throughout, while the machine
// becomes four times as fast.
func TestTable(t *testing.T) {
	rows := []report.Row{
		{report.Subject{Group: "tiny", Name: "ours", Reference: true}, []report.Sample{{100_000, 9, 20}, {200_000, 5, 10}, {400_000, 2, 5}}},
		{report.Subject{Group: "tiny", Name: "theirs"}, []report.Sample{{50_000, 19, 1234.5}, {100_000, 9, 1234.5}, {200_000, 5, 1234.5}}},
		{report.Subject{Group: "HTTP", Name: "another", Unit: report.PerSecond}, []report.Sample{{12345, 100, 200}, {23456, 100, 200}}},
	}
	var got strings.Builder
	if err := report.Table(&got, rows); err != nil {
		t.Fatal(err)
	}
	const want = `| request | answered by | time or rate | p50 us | p99 us | time / reference |
| ------- | ----------- | -----------: | -----: | -----: | ---------------: |
| tiny    | ours        |         5 us |      5 |     10 |           * 1.00 |
| tiny    | theirs      |        10 us |      9 |  1,230 |             2.00 |
| HTTP    | another     | 17,900 req/s |    100 |    200 |                  |
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", &got, want)
	}
}
