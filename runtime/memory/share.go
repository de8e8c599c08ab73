package memory

import "github.com/mayfly-run/mayfly/host"

// share is what a Region has of some memory while a guest runs in it: what the guest
// sees, of which it may have touched less.
type share struct {
	budget host.Memory
	inUse  bool
	taken  int64
}

// takeFor makes the share one of size bytes.
func (s *share) takeFor(size int) bool {
	more := int64(size) - s.taken
	if more <= 0 {
		return true
	}
	if !s.budget.Take(more) {
		return false
	}
	s.taken += more
	return true
}

// Enter takes the Region's size from b, such as a *Budget, and what the guest grows by later,
// until Leave. It reports whether there is enough.
func (r *Region) Enter(b host.Memory) bool {
	r.budget, r.inUse = b, true
	if r.takeFor(r.Size()) {
		return true
	}
	r.Leave()
	return false
}

// Leave gives everything back.
func (r *Region) Leave() {
	r.budget.Give(r.taken)
	r.share = share{}
}
