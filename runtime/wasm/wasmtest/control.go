package wasmtest

// loop counts down from up to 15.
func (g *generator) loop() string {
	if g.loops == counters {
		return nop
	}
	counter := LEB(1 + scratch + g.loops)
	g.loops++
	defer func() { g.loops-- }()
	typ := "\x40"
	if g.choose(4) == 0 {
		typ = "\x7f"
	}
	body := "\x41" + LEB(1+g.choose(15)) + "\x21" + counter + "\x03" + typ + g.statements()
	again := "\x20" + counter + "\x41\x01\x6b\x22" + counter + "\x0d\x00"
	if typ == "\x7f" {
		return body + again + g.value() + "\x0b\x1a"
	}
	return body + again + "\x0b"
}

// dispatch is a loop as Go makes them: three parts that jump to each other, at
// most a few times.
func (g *generator) dispatch() string {
	if g.loops+2 > counters {
		return nop
	}
	left, at := LEB(1+scratch+g.loops), LEB(2+scratch+g.loops)
	g.loops += 2
	defer func() { g.loops -= 2 }()
	// jump: only while some are left
	jump := func(loop int) string {
		return "\x20" + left + "\x41\x01\x6b\x22" + left + "\x41\x00\x4a\x04\x40" + "\x41" + LEB(g.choose(4)) + "\x21" + at + "\x0c" + LEB(loop+1) + "\x0b"
	}
	straight := "\x41" + LEB(1+g.choose(3)) + "\x21" + at + "\x0c\x01"
	return "\x41" + LEB(1+g.choose(9)) + "\x21" + left + "\x41" + LEB(g.choose(3)) + "\x21" + at + "\x02\x40\x03\x40\x02\x40\x02\x40\x02\x40" +
		"\x20" + at + "\x0e\x03\x00\x01\x02\x04\x0b" +
		g.statements() + jump(2) + "\x0b" +
		g.statements() + jump(1) + "\x20" + left + "\x41\x01\x6b\x22" + left + "\x41\x00\x4a\x04\x40\x41\x02\x21" + at + "\x0c\x02\x0b\x0b" +
		g.statements() + "\x20" + left + "\x41\x01\x6b\x22" + left + "\x41\x00\x4c\x0d\x01" + straight[:len(straight)-1] + "\x00" + "\x0b\x0b"
}

// leave returns from the function.
func (g *generator) leave() string {
	if g.procedure {
		return "\x0f"
	}
	return g.value() + "\x0f"
}

// value leaves an i32.
func (g *generator) value() string {
	if g.depth > 6 || len(g.choices) == 0 {
		return "\x20\x00"
	}
	g.depth++
	defer func() { g.depth-- }()
	if g.guest != nil && g.choose(2) == 0 {
		return g.look()
	}
	switch g.choose(8) {
	case 0:
		return "\x41" + LEB(g.choose(64))
	case 1, 2:
		return "\x20" + g.local()
	case 3:
		return "\x23\x00"
	case 4:
		return g.value() + g.value() + string([]byte{"\x6a\x6b\x6c\x71\x73\x46\x48"[g.choose(7)]})
	case 5:
		return g.value() + "\x41\xff\x07\x71\x28\x02\x00"
	case 6:
		if g.function+1 < g.functions {
			return g.value() + "\x10" + LEB(g.imported+g.later())
		}
	case 7:
		if g.function+1 < g.functions {
			return g.value() + "\x41" + LEB(g.later()) + "\x11\x00\x00"
		}
	}
	return "\x3f\x00" // memory.size
}

// later is a function that may be called. There must be one.
func (g *generator) later() int { return g.function + 1 + g.choose(g.functions-g.function-1) }
