package wasm

import "math/bits"

// frameSize estimates how much of the engine's stack a function uses, in bytes.
// In wazero a value has a place of its own in the frame if it is anywhere needed
// and not in a register, and there is a new value for each assignment of a local
// or global and wherever different assignments meet. So frames grow with the code
// and not with the number of locals.
//
// What is counted are the values that live across a call, or whatever else costs
// the registers, or where there are more values than registers. liveness.go finds
// them. Measured with guests in Go, Rust, Zig and C, on amd64, the estimate is
// three times what wazero uses, in the median; of a hundred functions less than
// one uses more than estimated, and none of 4,600 more than 1.6 times that.
type frameSize struct {
	liveness
	slots    int // values that need a place
	pressure int // the most values that live at the same time
	counted  int // operands at hand that have been counted
}

const (
	// frameBase is for the return address, the frame pointer and what metering adds.
	frameBase = 128
	slotSize  = 8
	// engineSlots are for values of the engine's own, such as where memory begins,
	// that change with a call and meet others behind a block.
	engineSlots = 1
	// valueRegisters is how many registers there are for values at least.
	valueRegisters = 6
	// savedRegisters are those that a function saves before it uses them.
	savedRegisters, savedSize = 13, 16
	// workPerEvent bounds the walks. Functions that need more, of which none is
	// known, are taken to keep what each event stands for.
	workPerEvent = 64
	// maxFrame is more than any function may use.
	maxFrame = 1 << 30
)

// of estimates the frame of the function that was recorded.
func (s *frameSize) of(f *flow, params int) uint32 {
	s.begin(f, workPerEvent*(len(f.events)+1000))
	for s.changed = true; s.changed; {
		if f.lost > 0 || !s.walk() {
			s.slots = len(f.events) + f.lost
			break
		}
	}
	slot := slotSize
	if f.vectors {
		slot *= 2
	}
	size := frameBase + savedSize*min(s.pressure, savedRegisters) + slot*(s.slots+f.results+f.callees+params)
	return uint32(min(size, maxFrame))
}

// walk goes through all events once, and reports whether there was time.
func (s *frameSize) walk() bool {
	s.slots, s.pressure, s.counted = 0, 0, 0
	s.rewind()
	for i := len(s.events) - 1; i >= 0; i-- {
		e := &s.events[i]
		s.event(i, e)
		s.counted = min(s.counted, int(e.low))
		if s.work--; s.work < 0 {
			return false
		}
	}
	return true
}

func (s *frameSize) event(i int, e *event) {
	switch e.op {
	case opLocalGet:
		s.read(e)
	case opLocalSet:
		s.set(i, e)
	case opClobber:
		s.dropGlobals()
		s.clobber(e)
	case opCrowd:
		s.clobber(e)
	case opEnd:
		s.endOfBlock(e)
	case opElse:
		s.beginningOfElse()
	case opBlock, opIf, opLoop:
		s.beginning(i, e)
	case opBr:
		s.replace(&s.now, s.target(e))
	case opBrIf:
		s.join(&s.now, s.target(e))
	}
}

func (s *frameSize) read(e *event) {
	s.now.begin(e.index)
	s.pressure = max(s.pressure, s.now.n+int(e.height))
	if s.now.n+int(e.height) > valueRegisters {
		s.clobber(e)
	}
}

func (s *frameSize) set(i int, e *event) {
	s.nextSet[e.index], s.lastSet[e.index] = int32(i), e.other
	s.drop(e.index)
}

// drop ends, backwards, the life of a value.
func (s *frameSize) drop(local uint32) {
	if s.now.end(local) {
		s.slots++
	}
}

// dropGlobals: a call may set all of them.
func (s *frameSize) dropGlobals() {
	for g := s.locals; g < uint32(len(s.lastSet)); g++ {
		s.drop(g)
	}
	s.work -= len(s.lastSet) - int(s.locals)
}

// clobber moves all values to the frame.
func (s *frameSize) clobber(e *event) {
	s.pressure = max(s.pressure, s.now.n+int(e.height))
	s.now.crossed.join(s.now.live)
	s.work -= len(s.now.live)
	if n := int(e.height); n > s.counted {
		s.slots += n - s.counted
		s.counted = n
	}
}

// endOfBlock is where the values of those who branch meet.
func (s *frameSize) endOfBlock(e *event) {
	start := &s.events[e.other]
	if start.op != opLoop && start.meets() {
		s.meet(1, e.index > 0, func(local uint32) bool { return s.lastSet[local] > e.other })
	}
	s.pushLabel(start.op == opLoop, int(e.other))
}

// beginning closes a block. At a loop's, metered code calls a function, in a loop
// around the loop.
func (s *frameSize) beginning(i int, e *event) {
	if e.op == opLoop && e.target {
		s.keepHeader(i)
		s.clobber(e)
		s.meet(2, s.events[e.other].index > 0, func(local uint32) bool { return s.nextSet[local] < e.other })
	}
	s.popLabel(e.op == opIf)
}

// meet counts the new values where others meet, in so many places: those of
// locals that are set on a way there. With calls on the way, some of the others
// are in the frame, and then the new ones mostly are as well.
func (s *frameSize) meet(places int, calls bool, set func(local uint32) bool) {
	s.work -= len(s.now.live)
	if calls {
		s.slots += engineSlots * places
	}
	kept := calls || s.now.n > valueRegisters
	for w, word := range s.now.live {
		for ; word != 0; word &= word - 1 {
			local := uint32(w*64 + bits.TrailingZeros64(word))
			if !set(local) && (!calls || local < s.locals) {
				continue
			}
			if kept || s.now.crossed.has(local) {
				s.slots += places
			}
			s.now.crossed.remove(local)
		}
	}
}
