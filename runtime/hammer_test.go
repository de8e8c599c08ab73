package runtime_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/memory"
)

// Many hostile Functions at once, while their Snapshots are closed and others take
// their places: each request finds the first-ever state of its own Function.
func TestHostileNeighbours(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	budget := memory.NewBudget(1<<30, nil)
	tenants := newTenants(t, r, budget)
	if r.Codes() >= len(tenants) {
		t.Errorf("%d Functions have %d codes: none is shared", len(tenants), r.Codes())
	}
	const requests = 300
	var asking, renewing sync.WaitGroup
	var over atomic.Bool
	var renewed [2]atomic.Int64
	enough := func() bool { // all were renewed, and there were as many requests beside that
		return min(renewed[0].Load(), renewed[1].Load()) >= int64(len(tenants))
	}
	for worker := range 4 {
		asking.Go(func() { askTenants(t, tenants, uint64(worker), requests, enough) })
	}
	for half := range renewed {
		renewing.Go(func() {
			mine := tenants[half*len(tenants)/2 : (half+1)*len(tenants)/2]
			for n := 0; !over.Load(); n++ {
				mine[n%len(mine)].renew(t, r, n%3 > 0)
				renewed[half].Add(1)
			}
		})
	}
	asking.Wait()
	over.Store(true)
	renewing.Wait()
	for _, f := range tenants {
		f.snapshot.Load().Close()
	}
	if r.Bytes() != 0 || r.Codes() != 0 || budget.Used() != 0 {
		t.Errorf("%d bytes and %d codes are left, and %d bytes taken", r.Bytes(), r.Codes(), budget.Used())
	}
}

// tenant is a Function with the Snapshot that serves now.
type tenant struct {
	hostile
	budget   *memory.Budget // of all
	snapshot atomic.Pointer[runtime.Snapshot]
}

// newTenants makes two Functions of each code.
func newTenants(t *testing.T, r *runtime.Runtime, budget *memory.Budget) (list []*tenant) {
	for _, tag := range []string{"a", "b"} {
		for _, command := range []bool{false, true} {
			for _, traits := range [][]trait{{numbers}, {tables, numbers, segments}, {numbers, descriptors}} {
				f := &tenant{hostile: newHostile(tag, command, traits...), budget: budget}
				s := f.prepare(t, r)
				if s == nil {
					t.FailNow()
				}
				f.serve(s)
				list = append(list, f)
			}
		}
	}
	return list
}

// askTenants asks whichever comes, with a Call that serves all of them in turn, so often
// and until it is enough.
func askTenants(t *testing.T, tenants []*tenant, seed uint64, requests int, enough func() bool) {
	rng := rand.New(rand.NewPCG(seed, 0))
	var c host.Call
	for n := 0; n < requests || !enough(); n++ {
		f := tenants[rng.IntN(len(tenants))]
		f.checkUsed(t, f.use(), &c, rng.IntN(quick))
	}
}

// use is the Snapshot that serves; one that is about to be closed does not.
func (f *tenant) use() *runtime.Snapshot {
	for {
		if s := f.snapshot.Load(); s.Use() {
			return s
		}
	}
}

func (f *tenant) prepare(t *testing.T, r *runtime.Runtime) *runtime.Snapshot {
	m, err := r.Load(t.Context(), f.wasm)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer m.Close()
	limits := host.Limits{Memory: hostileLimit}.Or(patient())
	s, err := m.Prepare(t.Context(), runtime.Setup{Services: services(t), Bindings: &host.Bindings{Function: "test"}, Limits: limits})
	if err != nil {
		t.Error(err)
	}
	return s
}

// serve lets a Snapshot serve instead of an old one.
func (f *tenant) serve(s *runtime.Snapshot) (old *runtime.Snapshot) {
	s.Budget = f.budget
	return f.snapshot.Swap(s)
}

// renew lets another Snapshot serve, and closes the one that did.
func (f *tenant) renew(t *testing.T, r *runtime.Runtime, restore bool) {
	var s *runtime.Snapshot
	if restore {
		s = f.restore(t, r)
	} else {
		s = f.prepare(t, r)
	}
	if s == nil {
		return
	}
	old := f.serve(s)
	old.Trim()
	if err := old.Close(); err != nil {
		t.Error(err)
	}
}

func (f *tenant) restore(t *testing.T, r *runtime.Runtime) *runtime.Snapshot {
	old := f.use()
	defer old.Done()
	data, err := old.Encode()
	if err != nil {
		t.Error(err)
		return nil
	}
	s, err := r.Restore(t.Context(), data, old.Module)
	if err != nil {
		t.Error(err)
	}
	return s
}
