package runtime_test

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

// record is all that can be seen of a request.
type record struct {
	begin, end  state
	outcome     host.Outcome
	cause       string
	units, peak int64
	log         []hosttest.LogEntry
	hosttest.Recorder
}

// state is what a guest begins with or leaves behind.
type state struct {
	memory  []byte
	globals []uint64 // as bits
}

// emptied keeps the buffer.
func (s state) emptied() state { return state{memory: s.memory[:0]} }

// grown says whether the guest has more memory than at first.
func (r *record) grown() bool { return len(r.end.memory) > len(r.begin.memory) }

// differences says in what got is not as it should be.
func (want *record) differences(got *record) (list []string) {
	note := func(what string, got, want any) {
		if !reflect.DeepEqual(got, want) {
			list = append(list, fmt.Sprintf("%s is %v, want %v", what, got, want))
		}
	}
	note("outcome", got.outcome, want.outcome)
	note("error", got.cause, want.cause)
	note("answer", [2]int{got.Answers, got.Status}, [2]int{want.Answers, want.Status})
	note("units", got.units, want.units)
	note("peak memory", got.peak, want.peak)
	note("log", got.log, want.log)
	note("globals at the beginning", got.begin.globals, want.begin.globals)
	note("globals at the end", got.end.globals, want.end.globals)
	note("body", firstChange(want.Body, got.Body), "")
	note("memory at the beginning", firstChange(want.begin.memory, got.begin.memory), "")
	note("memory at the end", firstChange(want.end.memory, got.end.memory), "")
	return list
}

// firstChange names the first byte of two memories that differs; empty if none does.
func firstChange(want, got []byte) string {
	if bytes.Equal(want, got) {
		return ""
	}
	if len(want) != len(got) {
		return fmt.Sprintf("%d bytes instead of %d", len(got), len(want))
	}
	for n := range want {
		if want[n] != got[n] {
			return fmt.Sprintf("%#02x instead of %#02x at %d", got[n], want[n], n)
		}
	}
	return ""
}

// tally counts what occurred, so that a test can tell whether it compares anything.
type tally map[string]int

// guest counts what a guest is like.
func (c tally) guest(s *subject) {
	if s.module.Resettable() {
		c["guests that are put back"]++
	} else {
		c["guests that are not"]++
	}
	if len(s.warmup) > 0 {
		c["guests that were warmed up"]++
	}
	if s.guest.Initializes {
		c["guests that initialise"]++
	}
}

// wholeCopy is the largest image of which a reset does not look for dirty pages.
const wholeCopy = 64 << 10

// request counts what became of a request. The Instance was put back if kept.
func (c tally) request(r *record, kept bool) {
	c[r.outcome.String()]++
	if r.grown() {
		c["grown"]++
	}
	switch {
	case !kept:
		return
	case r.grown():
		c["shrunk"]++
	}
	c["put back"]++
	if len(r.begin.memory) > wholeCopy {
		c["put back page by page"]++
	}
}

func (c tally) log(t *testing.T) {
	for _, what := range slices.Sorted(maps.Keys(c)) {
		t.Logf("%6d %s", c[what], what)
	}
}
