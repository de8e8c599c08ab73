package engine

// heapRealloc leaves a block where it is unless it is too small, or twice too large.
func heapRealloc(c code) {
	const p, size, had, moved = 1, 2, 3, 4
	c.Local(p)
	c.Op(opI32Eqz)
	c.If(func() {
		c.Local(0)
		c.Local(size)
		c.Call("heap malloc")
		c.Op(opReturn)
	})
	c.Local(size)
	c.Op(opI32Eqz)
	c.If(func() {
		c.Local(0)
		c.Local(p)
		c.Call("heap free")
		c.returnZero()
	})
	c.stay(p, size, had)
	c.Local(0)
	c.Local(size)
	c.Call("heap malloc")
	c.LocalSet(moved)
	c.returnIfZero(moved)
	c.Local(p)
	c.Call("heap usable")
	c.LocalSet(had)
	c.Local(moved)
	c.Local(p)
	c.Local(had)
	c.Local(size)
	c.Local(had)
	c.Local(size)
	c.Op(opI32LtU, opSelect)
	c.Op(memoryCopy...)
	c.Local(0)
	c.Local(p)
	c.Call("heap free")
	c.Local(moved)
}

// stay returns a block that need not move from one allocator to the other, or from one
// class to another.
func (c code) stay(p, size, class uint32) {
	c.class(p)
	c.LocalSet(class)
	c.Local(class)
	c.Op(opI32Eqz)
	c.If(func() {
		c.Local(size)
		c.I32(mostSmall)
		c.Op(opI32GtU)
		c.If(func() { c.reallocLarge(p, size) })
	})
	c.classFor(size)
	c.Local(class)
	c.Op(opI32LeU)
	c.classFor(size)
	c.I32(1)
	c.Op(opI32Shl)
	c.Local(class)
	c.Op(opI32GtU, opI32And)
	c.If(func() {
		c.Local(p)
		c.Op(opReturn)
	})
}
