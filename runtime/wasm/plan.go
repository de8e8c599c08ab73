package wasm

// point is a place where code pays. The first point is the function's entry.
type point struct {
	offset int // of the instruction behind it
	weight int64
	loop   bool // a loop header
}

// plan is where a function pays how much.
type plan struct {
	points []point
	open   []openBlock
	now    int // the point that pays for the code at hand

	loops, calls, bulk bool
}

// openBlock remembers who paid for its beginning: that point was passed by all
// code that arrives behind its end.
type openBlock struct{ payer int }

func (p *plan) reset(offset int) {
	*p = plan{points: append(p.points[:0], point{offset: offset}), open: p.open[:0]}
}

// instruction accounts for the instruction that the walker just read.
func (p *plan) instruction(w *walker) {
	p.points[p.now].weight += int64(operations[w.op].weight)
	switch w.op {
	case opBlock, opIf:
		p.open = append(p.open, openBlock{p.now})
	case opLoop:
		p.open = append(p.open, openBlock{p.now})
		p.loops = true
		p.points = append(p.points, point{offset: w.end, weight: 1, loop: true})
		p.now = len(p.points) - 1
	case opElse:
		p.join(p.open[len(p.open)-1].payer, w.end)
	case opEnd:
		if n := len(p.open); n > 0 {
			payer := p.open[n-1].payer
			p.open = p.open[:n-1]
			p.join(payer, w.end)
		}
	case opCall, opCallIndirect:
		p.calls = true
	default:
		p.bulk = p.bulk || paysByLength(w.op)
	}
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
		p.points = append(p.points, point{offset: offset})
		p.now = len(p.points) - 1
	}
}

// free says whether the weight of a call covers the whole function.
func (p *plan) free() bool {
	if p.loops || p.calls || p.bulk {
		return false
	}
	total := int64(0)
	for _, x := range p.points {
		total += x.weight
	}
	return total <= weightCall
}
