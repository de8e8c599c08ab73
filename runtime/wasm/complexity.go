package wasm

// complexity estimates what a compiler spends beyond what the size of the code
// lets expect. One unit is about 50 ns of wazero's compiler:
//
//   - per function the square of the deepest nesting, over 8: labels and
//     dominators are walked from every level; and per if its depth times 1.5;
//   - per loop the square of its depth among loops times the locals and operands
//     that it may carry, over 16: each level passes them all on;
//   - per block the square of the values that it takes and gives, over 4;
//   - per br_table the square of its targets over 64.
type complexity struct {
	total              int
	locals             int
	deepest, loopDepth int
}

func (c *complexity) function(locals int) {
	c.locals, c.deepest, c.loopDepth = locals, 0, 0
}

func (c *complexity) open(v *validator, f *frame) {
	c.deepest = max(c.deepest, len(v.frames))
	arity := len(f.params) + len(f.results)
	c.total += arity * arity / 4
	if f.op == opIf {
		c.total += len(v.frames) * 3 / 2
	}
	if f.op != opLoop {
		return
	}
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
}

func (c *complexity) branchTable(targets int) { c.total += targets * targets / 64 }

func (c *complexity) endFunction(v *validator) {
	c.total += c.deepest * c.deepest / 8
	if c.total > v.limits.Complexity {
		v.fail("the module is too complex to compile in bounded time: complexity %d, the limit is %d (deep nesting, many locals in loops, large br_table, blocks with many values)", c.total, v.limits.Complexity)
	}
}
