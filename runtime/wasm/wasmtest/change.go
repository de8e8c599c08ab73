package wasmtest

// change is a statement that changes state, or ends the guest.
func (g *generator) change() string {
	n := 17
	if g.guest.spoil != spoilNothing {
		n += 8
	}
	switch g.choose(n) {
	case 0, 1, 2, 3:
		return g.store()
	case 4: // memory.fill
		if g.oneIn(8) {
			return g.pay(50) + constant(0) + g.value() + "\x3f\x00" + constant(16) + "\x74\xfc\x0b\x00"
		}
		return g.address() + g.value() + g.length() + "\xfc\x0b\x00"
	case 5:
		return g.address() + g.address() + g.length() + "\xfc\x0a\x00\x00" // memory.copy
	case 6: // memory.init; from a passive segment, because wazero forgets to drop active ones
		return g.address() + constant(g.choose(4)) + constant(g.choose(12)) + "\xfc\x08" + LEB(passive+g.choose(segments-passive)) + "\x00"
	case 7, 8:
		return g.grow()
	case 9:
		return g.value() + "\x24" + LEB(globalI32)
	case 10:
		return g.long() + "\x24" + LEB(globalI64)
	case 11:
		return g.single() + "\x24" + LEB(globalF32)
	case 12:
		return g.double() + "\x24" + LEB(globalF64)
	case 13:
		return g.end()
	case 14:
		return g.spin()
	case 15, 16:
		return g.askHost()
	}
	return g.spoil()
}

// store is a store of any width.
func (g *generator) store() string {
	switch op := g.choose(10); op {
	case 0, 4, 5: // i32.store, i32.store8, i32.store16
		return g.address() + g.value() + string([]byte{0x36 + byte(op)}) + g.memarg()
	case 2:
		return g.address() + g.single() + "\x38" + g.memarg()
	case 3:
		return g.address() + g.double() + "\x39" + g.memarg()
	case 9:
		return g.address() + g.vector() + "\xfd\x0b" + g.memarg()
	default: // i64.store, and 6 to 8 its narrower kin
		return g.address() + g.long() + string([]byte{0x36 + byte(op)}) + g.memarg()
	}
}

// end ends the guest in one of the ways there are, or not at all.
func (g *generator) end() string {
	switch g.choose(4) {
	case 0:
		return g.value() + constant(7) + "\x71\x45\x04\x40\x00\x0b" // unreachable
	case 1:
		return g.value() + g.value() + string([]byte{"\x6d\x6e\x6f\x70"[g.choose(4)]}) + "\x21" + g.local() // divides
	case 2:
		return g.value() + constant(15) + "\x71\x45\x04\x40" + constant(g.choose(2)) + "\x10" + LEB(procExit) + "\x0b"
	}
	return nop
}

// spin takes about a quantum of the meter.
func (g *generator) spin() string {
	if g.loops == counters {
		return nop
	}
	counter := LEB(1 + scratch + g.loops)
	return g.pay(300) + constant(20_000) + "\x21" + counter + "\x03\x40\x20" + counter + "\x41\x01\x6b\x22" + counter + "\x0d\x00\x0b"
}

// askHost calls a host function that writes to memory, or logs from it.
func (g *generator) askHost() string {
	if !g.guest.CallsHost {
		return nop
	}
	switch g.choose(4) {
	case 0:
		return constant(1) + g.address() + constant(g.choose(20)) + "\x10" + LEB(logText) + "\x21" + g.local()
	case 1:
		return g.address() + constant(g.choose(12)) + "\x10" + LEB(random) + "\x21" + g.local()
	case 2:
		return g.address() + constant(30+g.choose(4)) + "\x10" + LEB(requestURL) + "\x21" + g.local()
	}
	return g.address() + constant(g.choose(5)) + "\x10" + LEB(requestMethod) + "\x21" + g.local()
}

// grow adds to the memory, and writes there or gives up where that is not possible.
func (g *generator) grow() string {
	grow := g.value() + constant([]int{1, 3, 7, -1}[g.choose(4)]) + "\x71\x40\x00"
	switch g.choose(4) {
	case 0:
		return grow + "\x21" + g.local()
	case 1:
		return grow + constant(-1) + "\x46\x04\x40\x00\x0b"
	}
	return grow + "\x1a\x3f\x00" + constant(16) + "\x74" + constant(8+g.choose(256)*256) + "\x6b" + g.value() + "\x36\x00\x00"
}

// spoil changes what no Snapshot holds.
func (g *generator) spoil() string {
	what := g.guest.spoil
	if what == spoilEverything {
		what = g.choose(spoilEverything)
	}
	switch what {
	case spoilTables:
		return g.table(LEB(g.choose(2)))
	case spoilSegments: // memory.init, which works once, and data.drop
		segment := LEB(passive + g.choose(segments-passive))
		return g.address() + constant(0) + constant(8) + "\xfc\x08" + segment + "\x00" + "\xfc\x09" + segment
	case spoilElements: // elem.drop
		return "\xfc\x0d" + LEB(g.choose(segments))
	case spoilVector:
		return g.vector() + "\x24" + LEB(globalV128)
	case spoilReference:
		return g.reference() + "\x24" + LEB(globalRef)
	}
	return g.reference() + "\xd1\x21" + g.local()
}

func (g *generator) table(t string) string {
	switch g.choose(6) {
	case 0, 1:
		return g.entry() + g.reference() + "\x26" + t // table.set
	case 2:
		return g.reference() + constant(g.choose(4)) + "\xfc\x0f" + t + "\x21" + g.local() // table.grow
	case 3:
		return g.entry() + g.entry() + constant(g.choose(3)) + "\xfc\x0e" + t + LEB(g.choose(2)) // table.copy
	case 4:
		return g.entry() + constant(0) + constant(g.choose(3)) + "\xfc\x0c" + LEB(g.choose(segments)) + t // table.init
	}
	return g.entry() + g.reference() + constant(g.choose(3)) + "\xfc\x11" + t // table.fill
}

// entry leaves an index into a table.
func (g *generator) entry() string {
	if g.oneIn(8) {
		return g.value() + constant(7) + "\x71"
	}
	return constant(g.choose(second))
}

// reference leaves a funcref.
func (g *generator) reference() string {
	if g.guest.spoil >= takeReferences && g.oneIn(3) {
		return "\xd2" + LEB(g.imported+g.choose(g.functions)) // ref.func
	}
	switch g.choose(3) {
	case 0:
		return "\xd0\x70"
	case 1:
		return g.entry() + "\x25" + LEB(g.choose(2)) // table.get
	}
	return "\x23" + LEB(globalRef)
}

// look leaves an i32 that depends on state.
func (g *generator) look() string {
	switch g.choose(10) {
	case 0, 1, 2: // i32.load and its narrower kin
		return g.address() + string([]byte{"\x28\x2c\x2d\x2e\x2f"[g.choose(5)]}) + g.memarg()
	case 3:
		return g.long() + "\xa7"
	case 4:
		return g.single() + "\xbc"
	case 5:
		return g.double() + "\xbd\xa7"
	case 6:
		return g.vector() + "\xfd\x1b" + LEB(g.choose(4))
	case 7:
		return "\xfc\x10" + LEB(g.choose(2)) // table.size
	case 8:
		return g.entry() + "\x25" + LEB(g.choose(2)) + "\xd1"
	}
	return g.value() + g.entry() + "\x11\x00" + LEB(g.choose(2)) // call_indirect
}
