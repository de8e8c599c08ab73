package wasm

// labels translates the labels of branches where blocks were put around blocks.
type labels struct {
	opened []openLabel
	depth  uint32 // open blocks in the new code
}

// openLabel is a block of the old code that is open.
type openLabel struct {
	start         int    // offset of its instruction: tells it from others
	depth, blocks uint32 // where it stands in the new code, how many were opened for it
	within        int    // the plan's point of the innermost loop in it
	dispatch      dispatcher
}

// reset opens the function itself.
func (l *labels) reset() {
	l.opened, l.depth = l.opened[:0], 0
	l.open(openLabel{blocks: 1})
}

// open notes a block; the innermost of those opened for it is its label.
func (l *labels) open(block openLabel) {
	l.depth += block.blocks
	block.depth = l.depth
	l.opened = append(l.opened, block)
}

// close forgets the innermost block.
func (l *labels) close() openLabel {
	last := l.opened[len(l.opened)-1]
	l.opened = l.opened[:len(l.opened)-1]
	l.depth -= last.blocks
	return last
}

// target is the block that an old label names.
func (l *labels) target(old uint32) *openLabel {
	return &l.opened[len(l.opened)-1-int(old)]
}

// of is the new label of an old one.
func (l *labels) of(old uint32) uint32 { return l.depth - l.target(old).depth }

// innermost is the block around the code at hand.
func (l *labels) innermost() *openLabel { return &l.opened[len(l.opened)-1] }

// outermost is the label of the function's body.
func (l *labels) outermost() uint32 { return l.depth - l.opened[0].depth }
