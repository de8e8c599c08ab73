package engine

// mallocLarge returns memory of the C library.
func (c code) mallocLarge(size, p uint32) { c.returnLarge("malloc", size, p, func() {}) }

// reallocLarge returns memory of the C library in place of such memory.
func (c code) reallocLarge(p, size uint32) {
	c.returnLarge("realloc", size, p, func() {
		c.Local(p)
		c.I32(largeHead)
		c.Op(opI32Sub)
	})
}

// returnLarge returns what a function of the C library gives for a size, behind what
// first pushes; 0 if there is none.
func (c code) returnLarge(function string, size, p uint32, first func()) {
	c.Local(size)
	c.I32(-largeHead)
	c.Op(opI32GtU)
	c.If(c.returnZero)
	first()
	c.Local(size)
	c.I32(largeHead)
	c.Op(opI32Add)
	c.Call(function)
	c.LocalSet(p)
	c.returnIfZero(p)
	c.large(size, p)
	c.Op(opReturn)
}

// large writes what stands before a large block, and pushes its address.
func (c code) large(size, p uint32) {
	c.Local(p)
	c.Local(size)
	c.Op(store32...)
	c.Local(p)
	c.I32(0)
	c.Op(store32[0], 2, largeHead-blockHead)
	c.Local(p)
	c.I32(largeHead)
	c.Op(opI32Add)
}
