package wasm

// Compilers without structured control flow, as Go's, make of a function one loop
// that begins with a br_table over a local, and of every jump an assignment to
// that local and a branch to the loop:
//
//	loop
//	  block ... block
//	    local.get p
//	    br_table ...
//	  end
//	  ...
//	  i32.const 7
//	  local.set p
//	  br to the loop
//
// Where such a jump goes forward, to the end of a block that is still open, it
// can go there at once. That makes up for what metering costs these loops: they
// pay and check their fuel only for jumps that go back.

// dispatcher is how a loop begins; a loop that begins otherwise has no targets.
type dispatcher struct {
	local   uint32
	targets []jumpTarget
}

// jumpTarget is a block: where it is among the open ones if it is still open,
// which its offset tells.
type jumpTarget struct{ place, start int }

// jumps follows the instructions to find dispatchers and jumps.
type jumps struct {
	// loop is the place of the loop of which only blocks and then local.get were
	// seen, 0 without; gotLocal tells the latter.
	loop     int
	gotLocal bool
	local    uint32

	// number was assigned to a local by the instruction that ends at assigned.
	number     int64
	constEnd   int
	assigned   int
	assignedTo uint32
}

// watch is called for every instruction before it is written.
func (b *bodyWriter) watch() {
	j := &b.jumps
	switch {
	case b.op == opLoop:
		j.loop, j.gotLocal = len(b.labels.opened), false
	case b.op == opBlock && j.loop > 0 && !j.gotLocal && b.block == blockType{index: -1}:
	case b.op == opLocalGet && j.loop > 0 && !j.gotLocal:
		j.gotLocal, j.local = true, b.index
	case b.op == opBrTable && j.gotLocal:
		b.foundDispatcher()
		fallthrough
	default:
		j.loop, j.gotLocal = 0, false
	}
	switch b.op {
	case opI32Const:
		j.number, j.constEnd = b.number, b.end
	case opLocalSet:
		if j.constEnd == b.start {
			j.assigned, j.assignedTo = b.end, b.index
		}
	}
}

func (b *bodyWriter) foundDispatcher() {
	list := make([]jumpTarget, len(b.targets))
	for i, old := range b.targets {
		place := len(b.labels.opened) - 1 - int(old)
		list[i] = jumpTarget{place, b.labels.opened[place].start}
	}
	b.labels.opened[b.jumps.loop].dispatch = dispatcher{b.jumps.local, list}
}

// forward finds the label to which the branch at hand leads through a
// dispatcher, if that is a block that is still open.
func (b *bodyWriter) forward() (label uint32, ok bool) {
	d := &b.labels.target(b.index).dispatch
	if b.op != opBr || len(d.targets) == 0 || b.jumps.assigned != b.start || b.jumps.assignedTo != d.local {
		return 0, false
	}
	n := min(uint64(uint32(b.jumps.number)), uint64(len(d.targets)-1))
	t := d.targets[n]
	if t.place >= len(b.labels.opened) || b.labels.opened[t.place].start != t.start || b.isLoop(t) {
		return 0, false
	}
	return b.labels.depth - b.labels.opened[t.place].depth, true
}

func (b *bodyWriter) isLoop(t jumpTarget) bool {
	return b.data[t.start] == byte(opLoop) || t.place == 0
}
