package wasm

import (
	"math"
	"slices"
)

// flow records, while a function is validated, what matters to the size of its
// frame: uses of locals, branches, and what costs the engine its registers.
type flow struct {
	events  []event
	open    []int    // events that began the open blocks
	lastSet []int32  // by local its last set so far, or none
	locals  uint32   // globals have numbers behind those of the locals
	globals []uint32 // by their index the numbers of those that were used, plus 1; 0 for others
	used    []uint32 // indices of those
	vectors bool     // there are values of 128 bits
	results int      // values that blocks take and give
	callees int      // the most that a call passes and returns
	last    int      // the last opClobber, or none
	low     int      // the fewest operands since the last event
	lost    int      // events beyond maxEvents: those that are there tell nothing
}

// event is one record.
type event struct {
	op     opcode
	height uint16 // operands below the instruction's own
	low    uint16 // the fewest since the event before
	target bool   // of a beginning: a branch leads to the block
	// index is a local or label, of a block's beginning its values, and of its end 1
	// if there are calls in it.
	index uint32
	// other is, of a set, the last one of the local before, or none; of a block's
	// beginning and end the other of the two.
	other int32
}

// maxEvents bounds what a function costs in memory: 8 MiB. The largest functions of
// Go guests have 13,000.
const maxEvents = 1 << 19

// none is no event.
const none = -1

// meets says whether ways of different origin come together at the block's
// label, of the event that begins it.
func (e *event) meets() bool { return e.target || e.op == opIf }

const (
	// opClobber stands for all instructions across which values are not kept in
	// registers.
	opClobber = opCall
	// opCrowd stands for those that leave many operands on the stack.
	opCrowd = opNop
)

func (f *flow) function(locals []ValType) {
	for _, g := range f.used {
		f.globals[g] = 0
	}
	f.used, f.locals = f.used[:0], uint32(len(locals))
	f.events, f.open = f.events[:0], f.open[:0]
	f.vectors, f.results, f.callees, f.last, f.low, f.lost = false, 0, 0, none, 0, 0
	f.lastSet = f.lastSet[:0]
	for _, t := range locals {
		f.lastSet = append(f.lastSet, none)
		f.vectors = f.vectors || t == V128
	}
}

// add appends a record.
func (f *flow) add(op opcode, height int, index uint32, other int32) {
	low := min(f.low, height)
	f.low = height
	if len(f.events) == maxEvents {
		f.lost++
		return
	}
	if len(f.events) == cap(f.events) {
		f.events = slices.Grow(f.events, len(f.events)+256) // append alone allocates several times as much
	}
	f.events = append(f.events, event{op: op, height: narrow(height), low: narrow(low), index: index, other: other})
}

func narrow(n int) uint16 { return uint16(min(n, math.MaxUint16)) }

// pushed records operands that there may be no registers for.
func (f *flow) pushed(height int) {
	if height > valueRegisters && height > f.low {
		f.add(opCrowd, height, 0, none)
	}
}

// clobber records what opClobber stands for.
func (f *flow) clobber(height int) {
	f.last = len(f.events)
	f.add(opClobber, height, 0, none)
}

// call records a call of a function of a type.
func (f *flow) call(t FuncType, height int) {
	f.callees = max(f.callees, len(t.Params)+len(t.Results))
	f.vectors = f.vectors || slices.Contains(t.Results, V128)
	f.clobber(height)
}

// local records a use of a local.
func (f *flow) local(op opcode, height int, index uint32) {
	if op == opLocalGet {
		f.add(op, height, index, none)
		return
	}
	f.add(opLocalSet, height, index, f.lastSet[index])
	f.lastSet[index] = int32(len(f.events) - 1)
}

// global records a use of a global. The engine keeps those in registers from one
// call to the next.
func (f *flow) global(op opcode, height int, index uint32) {
	if int(index) >= len(f.globals) {
		f.globals = append(f.globals, make([]uint32, int(index)+1-len(f.globals))...)
	}
	if f.globals[index] == 0 {
		f.used = append(f.used, index)
		f.globals[index] = uint32(len(f.lastSet)) + 1
		f.lastSet = append(f.lastSet, none)
	}
	if op == opGlobalSet {
		f.local(opLocalSet, height, f.globals[index]-1)
	} else {
		f.local(opLocalGet, height, f.globals[index]-1)
	}
}

// begin records a block, loop or if, and how many values it takes and gives.
func (f *flow) begin(op opcode, height, arity int) {
	f.open = append(f.open, len(f.events))
	f.add(op, height, uint32(arity), none)
}

// otherwise records an else.
func (f *flow) otherwise(height int) {
	f.add(opElse, height, 0, none)
}

// end records the end of a block; the function's own is not one, and nor are
// those of blocks in which nothing happens.
func (f *flow) end(height int) {
	n := len(f.open) - 1
	if n < 0 {
		return
	}
	start := f.open[n]
	f.open = f.open[:n]
	if f.lost > 0 {
		return
	}
	e := &f.events[start]
	if start == len(f.events)-1 {
		f.events = f.events[:start]
		f.low = min(f.low, int(e.low))
		return
	}
	if e.meets() {
		f.results += int(e.index)
	}
	e.other = int32(len(f.events))
	calls := uint32(0)
	if f.last > start {
		calls = 1
	}
	f.add(opEnd, height, calls, int32(start))
}

// branch records a way to a label; what leaves the function leads to one outside
// of all blocks.
func (f *flow) branch(op opcode, height int, label uint32) {
	if i := len(f.open) - 1 - int(label); i >= 0 && f.lost == 0 {
		f.events[f.open[i]].target = true
	}
	f.add(op, height, label, none)
}

// branchTable records a branch to the last label that may as well be one to the
// others.
func (f *flow) branchTable(height int, labels []uint32) {
	f.branch(opBr, height, labels[len(labels)-1])
	for _, label := range labels[:len(labels)-1] {
		f.branch(opBrIf, height, label)
	}
}

// leave records what ends the function, or the guest.
func (f *flow) leave(height int) { f.branch(opBr, height, uint32(len(f.open))) }
