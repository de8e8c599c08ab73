package runtime_test

import (
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/wasm/wasmtest"
)

// subject is one guest of the differential test.
type subject struct {
	*differ
	t             *testing.T
	guest         wasmtest.Guest
	module, plain *runtime.Module // plain is the simple engine's
	warmup        []host.Request
	limits        host.Limits
}

func (d *differ) newSubject(t *testing.T, choices []byte) *subject {
	s := &subject{differ: d, t: t, guest: wasmtest.NewGuest(choices)}
	s.module, s.plain = mustLoad(t, d.engine, s.guest.Wasm), mustLoad(t, d.simple, s.guest.Wasm)
	room := int64(1+len(choices)/4%3) << 16
	s.limits = host.Limits{Memory: s.module.MinMemory + room}.Or(patient())
	if len(choices)%4 == 3 {
		s.warmup = []host.Request{hosttest.Request("GET", urls[0], "")}
	}
	return s
}

// close gives everything back, and checks that it was all.
func (s *subject) close() {
	for _, m := range []*runtime.Module{s.module, s.plain} {
		if err := m.Close(); err != nil {
			s.t.Error(err)
		}
	}
	for _, r := range []*runtime.Runtime{s.engine, s.simple} {
		if r.Codes() != 0 || r.Bytes() != 0 {
			s.t.Errorf("%d codes and %d bytes are left", r.Codes(), r.Bytes())
		}
	}
}

func (s *subject) prepare(m *runtime.Module) (*runtime.Snapshot, error) {
	return m.Prepare(s.t.Context(), runtime.Setup{
		Services: hosttest.Services(s.t), Bindings: &host.Bindings{Function: "test"}, Limits: s.limits, Warmup: s.warmup})
}

// failsEverywhere checks a guest whose initialisation failed with err: it does so
// again, and in each request of the simple engine.
func (s *subject) failsEverywhere(err error) {
	if _, again := s.prepare(s.module); again == nil || again.Error() != err.Error() {
		s.t.Errorf("the second time: %v; the first time: %v", again, err)
	}
	if !s.comparable() {
		return
	}
	plain, err := s.prepare(s.plain)
	if err != nil {
		s.t.Fatal(err)
	}
	defer plain.Close()
	for n := range urls {
		if s.serve(plain, n, &s.got); s.got.outcome == host.OutcomeOK {
			s.t.Errorf("the simple engine answers request %d", n)
		}
	}
}

// fresh answers a request on a Snapshot that serves no other.
func (s *subject) fresh(n int, r *record) {
	snapshot, err := s.prepare(s.module)
	if err != nil {
		s.t.Fatal(err)
	}
	defer snapshot.Close()
	s.serve(snapshot, n, r)
}

// restored is a Snapshot by way of its bytes.
func (s *subject) restored(snapshot *runtime.Snapshot) *runtime.Snapshot {
	r, err := s.engine.Restore(s.t.Context(), mustEncode(s.t, snapshot), s.module.Digest)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// comparable says whether the simple engine, which initialises in each request
// and knows no warm-up, should come to the same: unless initialisation sees it.
func (s *subject) comparable() bool {
	return len(s.warmup) == 0 && !(s.guest.Initializes && s.guest.CallsHost)
}

// compareSimple compares with the simple engine what is the same there.
func (s *subject) compareSimple() {
	if !s.comparable() {
		return
	}
	s.tally["compared with the simple engine"]++
	snapshot, err := s.prepare(s.plain)
	if err != nil {
		s.t.Fatal(err)
	}
	defer snapshot.Close()
	for n := range urls {
		s.serve(snapshot, n, &s.got)
		got, want := s.got, s.want[n]
		if want.outcome == host.OutcomeCanceled { // nobody asks the client there
			continue
		}
		if s.guest.Initializes { // no snapshot keeps that it logged or was refused memory
			got.log, want.log = nil, nil
			got.outcome, want.outcome = coarse(got.outcome), coarse(want.outcome)
		}
		got.begin, got.units = want.begin, want.units
		if got.end.globals == nil { // its start function has trapped
			got.end, got.peak, got.cause = want.end, want.peak, want.cause
		}
		if d := want.differences(&got); len(d) > 0 {
			s.t.Errorf("request %d in the simple engine: %v", n, d)
		}
	}
}

// coarse does not tell what a guest that failed was refused before.
func coarse(o host.Outcome) host.Outcome {
	if o == host.OutcomeExceededMemory {
		return host.OutcomeException
	}
	return o
}

// urls are what guests are asked for; their lengths choose what guests do. The
// client of the second one is gone when the engine looks for the first time.
var urls = [...]string{"http://test.localhost/0", "http://test.localhost/10", "http://test.localhost/200"}

const impatient = 1

type gone struct{}

func (gone) Gone() bool { return true }

// serve answers request n with a Snapshot, as Invoke does, and records it in r,
// whose buffers it takes.
func (s *subject) serve(snapshot *runtime.Snapshot, n int, r *record) {
	s.t.Helper()
	if !snapshot.Use() {
		s.t.Fatal("the snapshot was closed")
	}
	*r = record{begin: r.begin.emptied(), end: r.end.emptied()}
	c := s.begin(n)
	i, err := snapshot.Acquire(c)
	if err != nil {
		snapshot.Done()
		r.outcome = host.OutcomeException
		s.conclude(r, err)
		return
	}
	s.note(&r.begin, i)
	if err = i.Initialize(c); err == nil {
		err = i.Run(c)
	}
	r.outcome, err = i.Finish(c, err)
	s.note(&r.end, i)
	s.conclude(r, err)
	i.Recycle()
}

func (s *subject) begin(n int) *host.Call {
	c := &s.call
	c.Reset()
	c.ID, c.Services, c.Bindings, c.Limits = "test-request", hosttest.Services(s.t), &host.Bindings{Function: "test"}, s.limits
	c.Request, c.Responder = hosttest.Request("GET", urls[n], ""), new(hosttest.Recorder)
	if n == impatient {
		c.Client = gone{}
	}
	c.Begin(s.t.Context())
	return c
}

// conclude ends the Call and records what it tells. Of the error it keeps the
// first line: traces name functions by their numbers, which rewriting moves.
func (s *subject) conclude(r *record, err error) {
	c := &s.call
	c.End(err)
	r.Recorder, r.log = *c.Responder.(*hosttest.Recorder), c.Services.Log.(*hosttest.Log).Entries()
	r.units, r.peak = c.Usage.Units, c.Usage.PeakMemory
	if err != nil {
		r.cause, _, _ = strings.Cut(err.Error(), "\n")
	}
}

func (s *subject) note(x *state, i *runtime.Instance) {
	x.memory = i.AppendMemory(x.memory)
	for _, name := range s.guest.Globals {
		x.globals = append(x.globals, i.Global(name))
	}
}
