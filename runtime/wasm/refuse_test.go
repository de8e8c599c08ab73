package wasm_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	goruntime "runtime"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/wasm"
)

const (
	noLocals = "\x00"
	nothing  = "\x60\x00\x00" // () -> ()
)

// loops is n loops in each other.
func nested(open string, n int) string {
	return strings.Repeat(open, n) + strings.Repeat("\x0b", n)
}

// hostile are modules that cost an engine far more than their size, or that no
// engine should see.
var hostile = []struct{ name, module, want string }{
	{"empty", "", "empty"},
	{"text", "hello", "not a WebAssembly module"},
	{"short magic", "\x00as", "ends within the header"},
	{"ELF", "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00", "not a WebAssembly module"},
	{"component", "\x00asm\x0d\x00\x01\x00", "component"},
	{"version 2", "\x00asm\x02\x00\x00\x00", "version"},
	{"unknown section", header + "\x7f\x00", "unknown section 127"},
	{"tag section", header + "\x0d\x01\x00", "unknown section 13"},
	{"section too long", header + "\x02\x7f", "127 bytes announced, 0 left"},
	{"endless number", header + "\x02\xff\xff\xff\xff\xff\xff", "does not fit into 32 bits"},
	{"number too long", header + "\x01\x80\x80\x80\x80\x80\x00", "does not fit into 32 bits"},
	{"sections twice", header + section(1, vec()) + section(1, vec()), "stands twice or in the wrong order"},
	{"sections in wrong order", header + section(3, vec()) + section(1, vec()), "wrong order"},
	{"bytes behind a section", header + section(1, vec(), "\x00"), "section size mismatch"},
	{"2^26 exports in 14 bytes", header + section(7, leb(1<<26)), "67108864 exports, the limit is 10000"},
	{"2^30 functions", header + section(3, leb(1<<30)), "1073741824 functions, the limit is 200000"},
	{"2^26 imports", header + section(2, leb(1<<26)), "67108864 imports, the limit is 1000"},
	{"count without entries", header + section(2, "\x05"), "5 imports announced, 0 bytes left"},
	{"2^28 types", header + section(1, leb(1<<28)), "types, the limit is 10000"},
	{"400M locals", oneFunction(nothing, "\x01"+leb(400_000_000)+"\x7f", ""), "more than 10000 locals in one function"},
	{"locals that overflow 32 bits", oneFunction(nothing, "\x02"+leb(1<<32-1)+"\x7f"+leb(1<<32-1)+"\x7f", ""), "more than 10000 locals in one function"},
	{"20M locals", oneFunction(nothing, "\x01"+leb(20_000_000)+"\x7f", ""), "more than 10000 locals in one function"},
	{"4 GiB of data", header + section(5, vec("\x00\x01")) + section(11, vec("\x00\x41\x00\x0b"+leb(1<<32-1))), "4294967295 bytes announced, 0 left"},
	{"tables of 2^27", header + section(4, vec("\x70\x00"+leb(1<<27), "\x70\x00"+leb(1<<27))), "table with 134217728 entries, the limit is 1000000"},
	{"17 tables", header + section(4, leb(17)+strings.Repeat("\x70\x00\x00", 17)), "17 tables, the limit is 16"},
	{"memory of 2^16+1 pages", header + section(5, vec("\x00"+leb(1<<16+1))), "at most 65536 pages"},
	{"memory minimum above maximum", header + section(5, vec("\x01\x02\x01")), "minimum 2 is above maximum 1"},
	{"shared memory", header + section(5, vec("\x03\x01\x02")), "shared and 64-bit ones are not supported"},
	{"64-bit memory", header + section(5, vec("\x04\x01")), "shared and 64-bit ones are not supported"},
	{"two memories", header + section(5, vec("\x00\x01", "\x00\x01")), "multiple memories"},
	{"atomics", oneFunction(nothing, noLocals, "\xfe\x03\x00"), "unknown instruction 0xfe"},
	{"exceptions", oneFunction(nothing, noLocals, "\x06\x40\x0b"), "unknown instruction 0x6"},
	{"tail call", oneFunction(nothing, noLocals, "\x12\x00"), "unknown instruction 0x12"},
	{"relaxed vectors", oneFunction(nothing, noLocals, "\xfd\x80\x02"), "unknown instruction 0xfd 0x100"},
	{"unknown bulk operation", oneFunction(nothing, noLocals, "\xfc\x12"), "unknown instruction 0xfc 0x12"},
	{"long form of a vector operation", oneFunction(nothing, noLocals, "\xfd\x8c\x00"+strings.Repeat("\x00", 16)+"\x1a"), "not in its shortest form"},
	{"500 loops, 500 locals", oneFunction(nothing, "\x01"+leb(500)+"\x7f", nested("\x03\x40", 500)), "loops nested deeper than 64"},
	{"100k blocks", oneFunction(nothing, noLocals, nested("\x02\x40", 100_000)), "blocks nested deeper than 16384"},
	{"30k loops", oneFunction(nothing, noLocals, nested("\x03\x40", 30_000)), "loops nested deeper than 64"},
	{"100k ifs", oneFunction(nothing, noLocals, nested("\x41\x00\x04\x40", 100_000)), "blocks nested deeper than 16384"},
	{"16k ifs", oneFunction(nothing, noLocals, nested("\x41\x00\x04\x40", 16_000)), "too complex"},
	{"64 loops, 10k locals, often", oneFunction(nothing, "\x01"+leb(10_000)+"\x7f", strings.Repeat(nested("\x03\x40", 60), 100)), "too complex"},
	{"br_table with 1M targets", oneFunction(nothing, noLocals, "\x41\x00\x0e"+leb(1_000_000)+strings.Repeat("\x00", 1_000_001)), "1000000 br_table targets, the limit is 65536"},
	{"1000 values through blocks", header + section(1, vec("\x60\x00"+leb(1000)+strings.Repeat("\x7f", 1000))), "1000 results, the limit is 64"},
	{"64 values through 500k blocks", manyBlocks(), "too complex"},
	{"6 MB of straight code", oneFunction(nothing, noLocals, strings.Repeat("\x01", 6_000_000)), "function body of 6000002 bytes, the limit is 2097152"},
	{"1M functions", header + section(1, vec(nothing)) + section(3, leb(1_000_000), strings.Repeat("\x00", 1_000_000)), "1000000 functions, the limit is 200000"},
	{"deep stack", oneFunction(nothing, noLocals, strings.Repeat("\x41\x00", 20_000)+"\x00"), "more than 10000 operands"},
	{"custom section without a name", header + section(0), "unexpected end"},
	{"custom name not UTF-8", header + section(0, text("\xff\xff")), "malformed UTF-8"},
	{"import name not UTF-8", header + section(2, vec(text("\xff\xff"))), "not UTF-8"},
	{"unknown kind of import", header + section(2, vec(text("a")+text("b")+"\x09")), "unknown import kind 9"},
	{"start with parameters", header + section(1, vec("\x60\x01\x7f\x00")) + section(3, vec("\x00")) + section(8, "\x00"), "start function must be () -> ()"},
	{"export twice", header + section(5, vec("\x00\x01")) + section(7, vec(text("m")+"\x02\x00", text("m")+"\x02\x00")), `duplicate export name "m"`},
	{"recursive types", header + section(1, vec("\x4e\x01\x60\x00\x00")), "type form 0x4e"},
	{"body announced, not there", header + section(1, vec(nothing)) + section(3, vec("\x00")), "inconsistent lengths"},
}

func manyBlocks() string {
	const pushes = 64
	typ := "\x60" + leb(pushes) + strings.Repeat("\x7f", pushes) + leb(pushes) + strings.Repeat("\x7f", pushes)
	body := noLocals + strings.Repeat("\x41\x00", pushes) + strings.Repeat("\x02\x00\x0b", 500_000) + "\x00\x0b"
	return header + section(1, vec(typ, nothing)) + section(3, vec("\x01")) + section(10, vec(leb(len(body))+body))
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			var m *wasm.Module
			var err error
			used := allocated(func() { m, err = wasm.Parse([]byte(tt.module), wasm.DefaultLimits()) })
			var syntax *wasm.SyntaxError
			if !errors.As(err, &syntax) || !strings.Contains(err.Error(), tt.want) || m != nil {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			if syntax != nil && (syntax.Offset < 0 || syntax.Offset > len(tt.module)) {
				t.Errorf("got offset %d in %d bytes", syntax.Offset, len(tt.module))
			}
			// blocks up to the allowed depth, and what the bytes that are there cost
			if limit := uint64(8<<20 + 16*len(tt.module)); used > limit {
				t.Errorf("allocated %d bytes for %d bytes of module, want at most %d", used, len(tt.module), limit)
			}
		})
	}
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	f()
	goruntime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestParseRandomBytes(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	data := make([]byte, 1<<20)
	random.Read(data)
	copy(data, header)
	if _, err := wasm.Parse(data, wasm.DefaultLimits()); err == nil {
		t.Error("random bytes were accepted")
	}
}

// TestParseDamaged cuts a good module at every byte and flips every bit: most
// are refused, none crashes, each cut one is refused or ends between sections.
func TestParseDamaged(t *testing.T) {
	good := []byte(everySection())
	m, err := wasm.Parse(good, wasm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if got := len(m.Exports()); got != 5 {
		t.Fatalf("got %d exports, want 5", got)
	}
	ends := 0
	for i := range good {
		if _, err := wasm.Parse(good[:i], wasm.DefaultLimits()); err == nil {
			ends++
		}
	}
	if ends > 12 {
		t.Errorf("%d of %d cut modules were accepted", ends, len(good))
	}
	refused := 0
	for i := range len(good) * 8 {
		bad := bytes.Clone(good)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := wasm.Parse(bad, wasm.DefaultLimits()); err != nil {
			refused++
		}
	}
	if refused < len(good)*4 {
		t.Errorf("only %d of %d flipped bits were refused", refused, len(good)*8)
	}
}

// everySection is a module that has every section, and in its one function a
// call, a loop, a table and a bulk operation.
func everySection() string {
	code := "\x41\x03\x21\x01" + // i = 3
		"\x03\x40" + "\x20\x01\x41\x01\x6b\x22\x01\x0d\x00\x0b" + // loop while --i
		"\x41\x00\x41\x00\x41\x00\xfc\x08\x01\x00" + // memory.init 1
		"\x23\x00\x20\x00\x6a\x24\x00" + // g += parameter
		"\x41\x00\x11\x00\x00" + // call_indirect
		"\x20\x00\x10\x02" // call 2
	body := "\x01\x01\x7f" + code + "\x0b"
	second := noLocals + "\x20\x00\x23\x00\x6a\x0b"
	return header +
		section(0, text("hi"), "there") +
		section(1, vec(nothing, "\x60\x01\x7f\x01\x7f")) +
		section(2, vec(text("env")+text("f")+"\x00\x00")) +
		section(3, vec("\x01", "\x01")) +
		section(4, vec("\x70\x00\x02")) +
		section(5, vec("\x01\x01\x10")) +
		section(6, vec("\x7f\x01\x41\x07\x0b", "\x7e\x00\x42\x09\x0b")) +
		section(7, vec(text("run")+"\x00\x01", text("mem")+"\x02\x00", text("tab")+"\x01\x00", text("g")+"\x03\x00", text("h")+"\x03\x01")) +
		section(8, "\x00") +
		section(9, vec("\x00\x41\x00\x0b\x02\x00\x01")) +
		section(12, leb(2)) +
		section(10, vec(leb(len(body))+body, leb(len(second))+second)) +
		section(11, vec("\x00\x41\x08\x0b"+text("hello"), "\x01"+text("world"))) +
		section(0, text("name"), section(1, vec("\x00"+text("env.f"), "\x01"+text("main.run"), "\x02"+text("main.second"))))
}
