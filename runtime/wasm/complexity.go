package wasm

// complexity estimates what a compiler spends beyond what the size of the code
// lets expect. One unit is about 50 ns of wazero's compiler:
//
//   - per function the square of its basic blocks over 20, as the compiler looks
//     for dominators and loops by walking up from each; weights say how many each
//     instruction makes, with those that metering adds;
//   - per function the blocks that branches come together in, times its locals, by
//     4: each block has to choose among the values of each local, which takes a
//     child's memory before it takes its time; and per block the square of the
//     branches to it times the locals, over 16;
//   - per function the square of the deepest nesting, over 8: labels and
//     dominators are walked from every level; and per if its depth times 1.5;
//   - per loop the square of its depth among loops times the locals and operands
//     that it may carry, over 16: each level passes them all on;
//   - per block the square of the values that it takes and gives, over 4;
//   - per br_table the square of its targets over 64.
//
// Measured were code that does nothing else (wasmtest.Families), and programs: of
// Ruby's 17,825 functions one has 11,578 basic blocks, of Python's one 203 loops,
// and of those that Go makes the largest about 3,600 blocks.
type complexity struct {
	total              int
	locals             int
	blocks, merges     int // so far in this function
	deepest, loopDepth int
}

// Basic blocks of instructions.
const (
	blocksOfBlock  = 1
	blocksOfIf     = 2
	blocksOfElse   = 1
	blocksOfLoop   = 12
	blocksOfBranch = 2
	blocksOfBulk   = 5 // with those that pay for its length
)

func (c *complexity) function(locals int) {
	*c = complexity{total: c.total, locals: locals}
}

func (c *complexity) open(v *validator, f *frame) {
	c.deepest = max(c.deepest, len(v.frames))
	arity := len(f.params) + len(f.results)
	c.total += arity * arity / 4
	switch f.op {
	case opBlock:
		c.blocks += blocksOfBlock
	case opIf:
		c.blocks += blocksOfIf
		c.total += len(v.frames) * 3 / 2
	case opLoop:
		c.blocks += blocksOfLoop
		c.loop(v)
	}
}

func (c *complexity) loop(v *validator) {
	c.loopDepth++
	if c.loopDepth > v.limits.LoopNesting {
		v.failAt(v.start, "loops nested deeper than %d", v.limits.LoopNesting)
	}
	c.total += c.loopDepth * c.loopDepth * (c.locals + len(v.types)) / 16
}

func (c *complexity) close(f *frame) {
	if f.op == opLoop {
		c.loopDepth--
	}
	if f.op == opBlock && f.branches == 0 {
		return // nothing comes together
	}
	c.merges++
	if f.op == opLoop {
		c.merges += 2 // values go around as well
	}
	c.total += f.branches * f.branches * (c.locals + len(f.results)) / 16
}

// branch counts one to f.
func (c *complexity) branch(f *frame) {
	f.branches++
	c.blocks += blocksOfBranch
}

func (c *complexity) bulk() { c.blocks += blocksOfBulk }

func (c *complexity) branchTable(targets int) {
	c.blocks += targets / 2
	c.total += targets * targets / 64
}

func (c *complexity) endFunction(v *validator) {
	c.total += c.deepest*c.deepest/8 + c.blocks*c.blocks/20 + c.merges*c.locals*4
	if c.total > v.limits.Complexity {
		v.fail("the module is too complex to compile in bounded time: complexity %d, the limit is %d (functions with very many blocks, loops or branches, many locals in them, deep nesting, large br_table, blocks with many values)", c.total, v.limits.Complexity)
	}
}
