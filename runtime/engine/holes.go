package engine

// The sizes of allocations by which holes in the heap are filled, in bytes.
const (
	largestHole  = 32 << 10
	smallestHole = 8
)

// fillHoles allocates what is free between the objects on the heap, for ever. What
// is allocated later lies side by side behind them, in few pages, and not in holes of
// hundreds: those are the pages that a request writes to and that are put back after
// it, or, of a Worker's own objects, those that differ from the base's.
func fillHoles(c code) {
	const p, end, size = 0, 1, 2
	forgetFree(c)
	c.memorySize()
	c.LocalSet(size)
	c.Loop(func() { // until the heap is full, so that the end is new
		c.allocate(end, func() { c.I32(largestHole) })
		c.memorySize()
		c.Local(size)
		c.Op(opI32Eq)
		c.BrIf(0)
	})
	c.I32(largestHole)
	c.LocalSet(size)
	c.Loop(func() {
		c.Loop(func() {
			c.allocate(p, func() { c.Local(size) })
			c.Local(p)
			c.Local(end)
			c.Op(opI32LtU)
			c.BrIf(0)
		})
		c.Local(p)
		c.Call("free")
		c.Local(size)
		c.I32(1)
		c.Op(opI32ShrU)
		c.LocalSet(size)
		c.Local(size)
		c.I32(smallestHole)
		c.Op(opI32GeS)
		c.BrIf(0)
	})
	c.Local(end)
	c.Call("free")
}

func (c code) memorySize() { c.Op(opMemorySize, 0) }

// allocate sets a local to memory of a size, or ends the guest.
func (c code) allocate(p uint32, size func()) {
	size()
	c.Call("malloc")
	c.LocalSet(p)
	c.Local(p)
	c.Op(opI32Eqz)
	c.If(func() { c.Op(opUnreachable) })
}
