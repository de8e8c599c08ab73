package wasm

import "math/bits"

// liveness walks backwards through the events of a function and knows which
// locals live: one does before it is read, until before it is set. What lives at a
// loop's beginning is not known at the branches to it before the walk has passed
// the beginning; so the walk is repeated until nothing changes.
type liveness struct {
	*flow
	now     state
	labels  []label        // of the open blocks, the function itself first
	headers map[int]bitset // what lives at the beginnings of loops, by event
	changed bool           // something was added to headers
	work    int            // what may still be done

	nextSet []int32 // of each local the event of the set that was passed last
	lastSet []int32 // and of the one that comes next on the way back
}

// state is where locals stand at a place in the function.
type state struct {
	live    bitset
	crossed bitset // their values are needed behind what costs the registers
	n       int    // how many live
}

// label is what holds where a branch leads, and at the beginning of an else.
type label struct {
	state
	otherwise state
	hasElse   bool
}

func (l *liveness) begin(f *flow, work int) {
	l.flow, l.work = f, work
	clear(l.headers)
	if l.headers == nil {
		l.headers = map[int]bitset{}
	}
}

// rewind goes to the function's end.
func (l *liveness) rewind() {
	l.changed = false
	l.lastSet = append(l.lastSet[:0], l.flow.lastSet...)
	l.nextSet = l.nextSet[:0]
	for range l.lastSet {
		l.nextSet = append(l.nextSet, int32(len(l.events)))
	}
	l.now.clear(len(l.lastSet))
	l.labels = l.labels[:0]
	l.pushLabel(false, none)
}

// pushLabel opens a block that ends here; start is the event that begins it.
func (l *liveness) pushLabel(loop bool, start int) {
	n := len(l.labels)
	if n == cap(l.labels) {
		l.labels = append(l.labels, label{})
	}
	l.labels = l.labels[:n+1]
	top := l.top()
	top.hasElse = false
	top.state.clear(len(l.lastSet))
	if !loop {
		l.replace(&top.state, &l.now)
		return
	}
	top.live.join(l.headers[start])
	top.n = top.live.count()
}

// popLabel closes a block at its beginning. Without an else, an if may lead to its
// end.
func (l *liveness) popLabel(ifBlock bool) {
	switch top := l.top(); {
	case ifBlock && top.hasElse:
		l.join(&l.now, &top.otherwise)
	case ifBlock:
		l.join(&l.now, &top.state)
	}
	l.labels = l.labels[:len(l.labels)-1]
}

func (l *liveness) beginningOfElse() {
	top := l.top()
	top.hasElse = true
	top.otherwise.clear(len(l.lastSet))
	l.replace(&top.otherwise, &l.now)
	l.replace(&l.now, &top.state)
}

// keepHeader notes what lives at the beginning of a loop.
func (l *liveness) keepHeader(start int) {
	h := l.headers[start]
	if h == nil {
		h = make(bitset, len(l.now.live))
		l.headers[start] = h
	}
	l.changed = h.join(l.now.live) || l.changed
}

func (l *liveness) top() *label { return &l.labels[len(l.labels)-1] }

func (l *liveness) target(e *event) *state {
	return &l.labels[len(l.labels)-1-int(e.index)].state
}

func (l *liveness) replace(to, from *state) {
	copy(to.live, from.live)
	copy(to.crossed, from.crossed)
	to.n = from.n
	l.work -= len(to.live)
}

func (l *liveness) join(to, from *state) {
	to.live.join(from.live)
	to.crossed.join(from.crossed)
	to.n = to.live.count()
	l.work -= len(to.live)
}

// clear makes room for a number of locals, of which none lives.
func (s *state) clear(locals int) {
	words := (locals + 63) / 64
	s.live = append(s.live[:0], make(bitset, words)...)
	s.crossed = append(s.crossed[:0], make(bitset, words)...)
	s.n = 0
}

// begin makes a local live.
func (s *state) begin(local uint32) {
	if !s.live.has(local) {
		s.live.add(local)
		s.n++
	}
}

// end ends the life of a local's value, and reports whether it crossed something.
func (s *state) end(local uint32) (crossed bool) {
	if !s.live.has(local) {
		return false
	}
	crossed = s.crossed.has(local)
	s.live.remove(local)
	s.crossed.remove(local)
	s.n--
	return crossed
}

// bitset is a set of locals.
type bitset []uint64

func (b bitset) has(i uint32) bool { return b[i/64]>>(i%64)&1 != 0 }
func (b bitset) add(i uint32)      { b[i/64] |= 1 << (i % 64) }
func (b bitset) remove(i uint32)   { b[i/64] &^= 1 << (i % 64) }

func (b bitset) count() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// join adds another set, and reports whether that changed anything.
func (b bitset) join(c bitset) (changed bool) {
	for i, w := range c {
		changed = changed || w&^b[i] != 0
		b[i] |= w
	}
	return changed
}
