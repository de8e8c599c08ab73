package wasm

// point is a place where code pays. The first point is the function's entry.
type point struct {
	offset int // of the instruction behind it
	weight int64
	loop   bool // a loop header
	within int  // the loop header around it or itself, 0 outside of loops
	// direct: the loop pays from fuel, because calls in it do anyhow or because
	// it is a dispatcher of long code. Others pay from credit.
	direct bool
}

// plan is where a function pays how much.
type plan struct {
	points []point
	open   []openBlock
	now    int // the point that pays for the code at hand
	within int // the header of the innermost loop

	loops       bool
	credits     bool // a loop pays from credit
	bulk        bool
	bulkOutside bool // of loops
}

// openBlock remembers who paid for its beginning: that point was passed by all
// code that arrives behind its end.
type openBlock struct {
	payer, within int // within: of the code around the block
	loop          bool
}

func (p *plan) reset(offset int) {
	*p = plan{points: append(p.points[:0], point{offset: offset, direct: true}), open: p.open[:0]}
}

// instruction accounts for the instruction that the walker just read.
func (p *plan) instruction(w *walker) {
	p.points[p.now].weight += int64(operations[w.op].weight)
	switch w.op {
	case opBlock, opIf:
		p.open = append(p.open, openBlock{payer: p.now, within: p.within})
	case opLoop:
		p.openLoop(w.end)
	case opElse:
		p.join(p.open[len(p.open)-1].payer, w.end)
	case opEnd:
		p.endBlock(w.end)
	case opCall, opCallIndirect:
		p.points[p.within].direct = true
	case opBrTable:
		p.points[p.within].direct = true
	default:
		if paysByLength(w.op) {
			p.bulk = true
			p.bulkOutside = p.bulkOutside || p.within == 0
		}
	}
}

// openLoop makes the loop pay for itself.
func (p *plan) openLoop(offset int) {
	p.loops = true
	p.open = append(p.open, openBlock{p.now, p.within, true})
	p.now = len(p.points)
	p.within = p.now
	p.points = append(p.points, point{offset: offset, weight: 1, loop: true, within: p.now})
}

func (p *plan) endBlock(offset int) {
	n := len(p.open)
	if n == 0 {
		return
	}
	closed := p.open[n-1]
	p.open = p.open[:n-1]
	if closed.loop {
		direct := p.points[p.within].direct
		p.credits = p.credits || !direct
		p.points[closed.within].direct = p.points[closed.within].direct || direct
	}
	p.within = closed.within
	p.join(closed.payer, offset)
}

// join goes on behind a block: with the payer of its beginning, or with a point
// of its own if that one pays for much already.
func (p *plan) join(payer, offset int) {
	threshold := int64(entryThreshold)
	if p.loops {
		threshold = loopThreshold
	}
	p.now = payer
	if p.points[payer].weight > threshold {
		p.now = len(p.points)
		p.points = append(p.points, point{offset: offset, within: p.within})
	}
}

// paysFuel says whether a point pays from fuel.
func (p *plan) paysFuel(x point) bool { return p.points[x.within].direct }

// free says whether the weight of the call covers what the entry pays for. A
// call or a bulk operation outside of loops makes that too much.
func (p *plan) free() bool { return p.points[0].weight <= weightCall && !p.bulkOutside }
