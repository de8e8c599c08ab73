package runtime_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/runtime"
)

// Random guests answer the same requests on Instances that are put back and used
// again, on Instances of a Snapshot of their own, on those of a Snapshot that was
// written and read, and in the simple engine. Whatever can be seen of a request
// must be the same each time.

// FuzzResetAgainstFresh has a corpus of random choices: bytes that are nothing in
// particular make better guests than text does.
func FuzzResetAgainstFresh(f *testing.F) {
	for seed := range 10 {
		f.Add(choices(seed))
	}
	d := newDiffer(f)
	f.Fuzz(func(t *testing.T, choices []byte) { d.check(t, choices[:min(len(choices), maxChoices)]) })
}

// TestResetAgainstFresh checks a few hundred guests, and that what is compared
// does occur.
func TestResetAgainstFresh(t *testing.T) {
	d, guests := newDiffer(t), 300
	if testing.Short() {
		guests = 60
	}
	for seed := range guests {
		d.check(t, choices(seed))
		if t.Failed() {
			t.Fatalf("with the choices of seed %d", seed)
		}
	}
	d.tally.log(t)
	for what, enough := range map[string]int{
		"guests that are put back": guests / 4, "guests that are not": guests / 4, "guests that initialise": guests / 8,
		"guests that were warmed up": guests / 8, "guests that fail to initialise": guests / 100, "compared with the simple engine": guests / 2,
		"put back": guests, "put back page by page": guests / 4, "grown": guests / 4, "shrunk": guests / 20,
		"ok": guests, "exception": guests, "canceled": guests / 40, "exceededMemory": guests / 30,
	} {
		if d.tally[what] < enough {
			t.Errorf("%s: %d times, want %d: the test compares too little", what, d.tally[what], enough)
		}
	}
}

const maxChoices = 600

// choices of a seed are the same everywhere.
func choices(seed int) []byte {
	rng := rand.New(rand.NewPCG(uint64(seed), 0))
	b := make([]byte, 40+rng.IntN(maxChoices-40))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// differ holds what all guests share.
type differ struct {
	engine, simple *runtime.Runtime
	call           host.Call // of one request after the other, as triggers have it
	want           [len(urls)]record
	got            record
	tally          tally
}

func newDiffer(t testing.TB) *differ {
	d := &differ{tally: tally{}}
	for simple, r := range map[bool]**runtime.Runtime{false: &d.engine, true: &d.simple} {
		var err error
		if *r, err = runtime.New(t.Context(), runtime.Config{ABIs: []abi.ABI{native.New()}, Simple: simple}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*r).Close(context.Background()) })
	}
	return d
}

// check runs one guest in all ways.
func (d *differ) check(t *testing.T, choices []byte) {
	s := d.newSubject(t, choices)
	defer s.close()
	d.tally.guest(s)
	snapshot, err := s.prepare(s.module)
	if err != nil {
		d.tally["guests that fail to initialise"]++
		s.failsEverywhere(err)
		return
	}
	defer snapshot.Close()
	for n := range urls {
		s.fresh(n, &s.want[n])
	}
	restored := s.restored(snapshot)
	defer restored.Close()
	s.serveAll("a snapshot", snapshot)
	s.serveAll("a restored snapshot", restored)
	s.compareSimple()
}

// order is the requests that a Snapshot serves one after the other.
var order = []int{0, 1, 2, 1, 0, 2, 0}

// serveAll compares what a Snapshot answers with what it should.
func (s *subject) serveAll(what string, snapshot *runtime.Snapshot) {
	got := &s.got
	for nth, n := range order {
		s.serve(snapshot, n, got)
		if d := s.want[n].differences(got); len(d) > 0 {
			s.t.Errorf("request %d to %s, for %s: %q", nth, what, urls[n], d)
		}
		kept := snapshot.Idle() > 0
		s.tally.request(got, kept)
		if want := got.outcome == host.OutcomeOK && s.module.Resettable(); kept != want && !got.grown() {
			s.t.Errorf("request %d to %s, for %s, ended with %v: kept is %v, want %v", nth, what, urls[n], got.outcome, kept, want)
		}
	}
}
