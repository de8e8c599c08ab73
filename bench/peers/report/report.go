// Package report measures subjects in turn and tells how they compare. The
// speed of a machine that is shared drifts, so subjects are compared only with
// what was measured in the same round. Start with Run.
package report

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// Subject is something that can be measured again and again.
type Subject struct {
	Group string // what is asked; subjects of a group are compared
	Name  string // who answers
	// Reference is what the others of the group are compared with. It is the
	// same subject for a whole group.
	Reference bool
	Unit      Unit
	Measure   func(ctx context.Context) (Sample, error)
}

// Unit is what a Subject's speed is shown in.
type Unit int

const (
	Micros    Unit = iota // microseconds per request, for one after the other
	PerSecond             // requests per second, for many at the same time
)

// Sample is what one measurement gave.
type Sample struct {
	PerSecond float64 // requests, over the whole time
	P50, P99  float64 // microseconds that one request took
}

// Row is a Subject with a Sample of each round.
type Row struct {
	Subject
	Samples []Sample
}

// Run measures all subjects in each round, every second round backwards, so
// that a drift does not favour the first. It tells on progress how far it is.
func Run(ctx context.Context, subjects []Subject, rounds int, progress io.Writer) ([]Row, error) {
	rows := make([]Row, len(subjects))
	for i, s := range subjects {
		rows[i] = Row{s, make([]Sample, rounds)}
	}
	for round := range rounds {
		fmt.Fprintf(progress, "round %d of %d\n", round+1, rounds)
		for _, i := range order(len(subjects), round) {
			sample, err := subjects[i].Measure(ctx)
			if err != nil {
				return nil, fmt.Errorf("measure %s, %s: %w", subjects[i].Group, subjects[i].Name, err)
			}
			rows[i].Samples[round] = sample
		}
	}
	return rows, nil
}

func order(n, round int) []int {
	indices := make([]int, n)
	for i := range indices {
		indices[i] = i
	}
	if round%2 == 1 {
		slices.Reverse(indices)
	}
	return indices
}
