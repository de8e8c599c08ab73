package wasmtest

// What a guest does with its state. Addresses, lengths and indices are such that
// most accesses succeed and some trap.

// payBody takes steps off the global that counts them, and ends a guest that has
// none left: so that whatever calls what, it ends soon.
var payBody = func() string {
	steps := "\x23" + LEB(globalSteps)
	code := "\x00" + steps + "\x20\x00\x6b\x24" + LEB(globalSteps) + steps + "\x41\x00\x48\x04\x40\x00\x0b\x0b"
	return LEB(len(code)) + code
}()

func (g *generator) pay(steps int) string {
	if g.guest == nil {
		return ""
	}
	return constant(steps) + "\x10" + LEB(g.imported+g.functions)
}

func constant(n int) string { return "\x41" + SignedLEB(n) }

// procedureBody is a function without parameters and results that may call all
// others. Most are empty.
func (g *generator) procedureBody(used bool) string {
	if !used {
		return body(0, "")
	}
	g.begin(-1)
	g.procedure = true
	defer func() { g.procedure = false }()
	return body(0, g.statements())
}

// fetch notes what it finds, runs the function that the length of the request's
// URL chooses, notes what that leaves and answers with the memory's beginning.
func (g *generator) fetch() string {
	note := func(at int) string { return "\x3f\x00\x04\x40" + constant(at) + g.found() + "\x36\x02\x00\x0b" }
	url := constant(0) + constant(0) + "\x10" + LEB(requestURL)
	size := []int{0, 100, 1 << 16, 1 << 16}[g.choose(4)] // for each page
	return note(64) + url + url + constant(g.functions) + "\x70\x11\x00\x00\x24" + LEB(globalI32) + note(68) +
		constant(200) + constant(0) + constant(0) + constant(0) + "\x3f\x00" + constant(size) + "\x6c\x10" + LEB(respond) + "\x1a"
}

// found is a hash over what the host can't read.
func (g *generator) found() string {
	parts := []string{"\xfc\x10\x00", "\xfc\x10\x01", "\x23" + LEB(globalRef) + "\xd1"}
	for lane := range 4 {
		parts = append(parts, "\x23"+LEB(globalV128)+"\xfd\x1b"+string(rune(lane)))
	}
	for n := range g.functions + slack {
		parts = append(parts, constant(n)+"\x25\x00\xd1")
	}
	for n := range second {
		parts = append(parts, constant(n)+"\x25\x01\xd1")
	}
	hash := constant(0)
	for _, p := range parts {
		hash += p + "\x73" + constant(5) + "\x77" // xor, rotl
	}
	return hash
}

// address leaves an address, mostly one that is there.
func (g *generator) address() string {
	switch n := g.choose(16); {
	case n < 6:
		return g.value() + constant(0xffff-16) + "\x71"
	case n < 10:
		return constant(g.choose(max(1, g.guest.pages))<<16 + 37*g.choose(256))
	case n < 13: // the last bytes
		return "\x3f\x00" + constant(16) + "\x74" + constant(8+g.choose(64)) + "\x6b"
	case n < 15:
		return g.value() + constant(0x3ffff) + "\x71"
	}
	return g.value()
}

// memarg is how a load or store ends.
func (g *generator) memarg() string {
	switch g.choose(32) {
	case 1:
		return "\x00" + LEB(1<<16)
	case 2:
		return "\x00" + LEB(1<<32-1)
	case 3, 4, 5:
		return "\x00" + LEB(g.choose(200))
	}
	return "\x00\x00"
}

// length leaves a number of bytes.
func (g *generator) length() string {
	if g.oneIn(8) {
		return g.pay(20) + g.value() + constant(0x1ffff) + "\x71"
	}
	return g.value() + constant(63) + "\x71"
}

// long, single, double and vector leave an i64, f32, f64 or v128.
func (g *generator) long() string {
	switch g.choose(4) {
	case 0:
		return g.value() + "\xac"
	case 1:
		return "\x23" + LEB(globalI64)
	case 2: // i64.load and its narrower kin
		return g.address() + string([]byte{"\x29\x30\x31\x32\x33\x34\x35"[g.choose(7)]}) + g.memarg()
	}
	return "\x10" + LEB(clock)
}

func (g *generator) single() string {
	switch g.choose(3) {
	case 0:
		return g.value() + "\xbe"
	case 1:
		return g.address() + "\x2a" + g.memarg()
	}
	return "\x23" + LEB(globalF32)
}

func (g *generator) double() string {
	switch g.choose(3) {
	case 0:
		return g.long() + "\xbf"
	case 1:
		return g.address() + "\x2b" + g.memarg()
	}
	return "\x23" + LEB(globalF64)
}

func (g *generator) vector() string {
	switch g.choose(3) {
	case 0:
		return g.value() + "\xfd\x11" // i32x4.splat
	case 1:
		return g.address() + "\xfd\x00" + g.memarg()
	}
	return "\x23" + LEB(globalV128)
}
