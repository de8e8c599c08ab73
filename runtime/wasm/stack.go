package wasm

// frame is one open block.
type frame struct {
	op              opcode // block, loop, if, else; block for the function itself
	start           int    // offset of the instruction
	height          int    // operands below the block
	params, results []ValType
	unreachable     bool
	branches        int // to its label so far
}

// labelTypes is what a branch to the frame carries.
func (f *frame) labelTypes() []ValType {
	if f.op == opLoop {
		return f.params
	}
	return f.results
}

// operands is the operand stack and the open blocks of the function that is
// being validated: the algorithm of the specification's appendix.
type operands struct {
	w      *walker
	flow   *flow
	types  []ValType
	frames []frame
	// height and unreachable repeat the innermost frame's, for speed.
	height      int
	unreachable bool
}

func (s *operands) push(t ValType) { s.types = append(s.types, t) }

func (s *operands) pushAll(types []ValType) { s.types = append(s.types, types...) }

// pop removes and returns the uppermost operand, anyType where code is not
// reached.
func (s *operands) pop() ValType {
	n := len(s.types)
	if n == s.height {
		if !s.unreachable {
			s.w.failAt(s.w.start, "type mismatch: %s needs one more operand", s.w.op)
		}
		return anyType
	}
	t := s.types[n-1]
	s.types = s.types[:n-1]
	s.flow.low = min(s.flow.low, n-1)
	return t
}

func (s *operands) popType(want ValType) ValType {
	got := s.pop()
	if got != want && got != anyType && want != anyType {
		s.w.failAt(s.w.start, "type mismatch: %s wants %s, got %s", s.w.op, want, got)
	}
	return got
}

func (s *operands) popAll(want []ValType) {
	for i := len(want) - 1; i >= 0; i-- {
		s.popType(want[i])
	}
}

func (s *operands) pushFrame(f frame) {
	f.height = len(s.types)
	s.frames = append(s.frames, f)
	s.height, s.unreachable = f.height, false
	s.pushAll(f.params)
}

// popFrame closes the innermost block: exactly its results must be there.
func (s *operands) popFrame() frame {
	f := s.frames[len(s.frames)-1]
	s.popAll(f.results)
	if len(s.types) != f.height && s.w.err == nil {
		s.w.failAt(s.w.start, "type mismatch: %d operands too many at the end of the block", len(s.types)-f.height)
	}
	s.frames = s.frames[:len(s.frames)-1]
	if n := len(s.frames); n > 0 {
		s.height, s.unreachable = s.frames[n-1].height, s.frames[n-1].unreachable
	}
	return f
}

// neverReached says that what follows, up to the end of the block, is not run.
func (s *operands) neverReached() {
	f := &s.frames[len(s.frames)-1]
	f.unreachable, s.unreachable = true, true
	s.types = s.types[:s.height]
	s.flow.low = min(s.flow.low, s.height)
}

// label returns the frame that a branch goes to.
func (s *operands) label(depth uint32) *frame {
	if uint64(depth) >= uint64(len(s.frames)) {
		s.w.failAt(s.w.start, "unknown label: %s to depth %d of %d", s.w.op, depth, len(s.frames))
		return &s.frames[0]
	}
	return &s.frames[len(s.frames)-1-int(depth)]
}
