package cli_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"os"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/wasm/wasmtest"
)

// attack is an upload and what the API says to it.
type attack struct {
	name, module string
	status       int
	want         string
}

const (
	head    = wasmtest.Header
	nothing = "\x60\x00\x00" // () -> ()
)

var section, vec, leb, text = wasmtest.Section, wasmtest.Vec, wasmtest.LEB, wasmtest.Text

// oneBody is a module with one function.
func oneBody(locals, code string) string {
	code = locals + code + "\x0b"
	return head + section(1, vec(nothing)) + section(3, vec("\x00")) + section(10, vec(leb(len(code))+code))
}

func deep(open string, n int) string { return strings.Repeat(open, n) + strings.Repeat("\x0b", n) }

// importing is a module whose only import is of a kind.
func importing(from, name, kind string) string {
	return head + section(1, vec(nothing)) + section(2, vec(text(from)+text(name)+kind))
}

// noModules are no modules, or damaged ones.
func noModules() []attack {
	good := string(tiny("hello"))
	return []attack{
		{"empty", "", 400, "the file is empty"},
		{"header alone", head, 400, "no entry point"},
		{"half a header", head[:5], 400, "ends within the header"},
		{"1 MB of noise", strings.Repeat("\x9c\x03\xf5\x00", 250_000), 400, "does not begin with"},
		{"header and noise", head + strings.Repeat("\x9c\x03\xf5\x00", 250_000), 400, "not valid WebAssembly"},
		{"ELF", "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 100), 400, "does not begin with"},
		{"JPEG", "\xff\xd8\xff\xe0\x00\x10JFIF", 400, "does not begin with"},
		{"text format", "(module)", 400, "does not begin with"},
		{"gzip", zipped(t1MB), 400, "does not begin with"},
		{"component", "\x00asm\x0d\x00\x01\x00", 400, "this is a WebAssembly component"},
		{"version 2", "\x00asm\x02\x00\x00\x00", 400, "version 0x02000000 is not supported"},
		{"half of a module", good[:len(good)/2], 400, "not valid WebAssembly"},
		{"module and noise", good + "\x9c\x03\xf5", 400, "not valid WebAssembly"},
		{"two modules", good + good, 400, "not valid WebAssembly"},
		{"number of 6 bytes", head + "\x01\x80\x80\x80\x80\x80\x00", 400, "does not fit into 32 bits"},
		{"section longer than the file", head + "\x0a\xff\xff\x03", 400, "bytes announced"},
		{"section of 4 GiB", head + "\x0a\xff\xff\xff\xff\x0f", 400, "bytes announced"},
		{"section twice", head + section(1, vec()) + section(1, vec()), 400, "stands twice or in the wrong order"},
		{"sections in wrong order", head + section(3, vec()) + section(1, vec()), 400, "wrong order"},
		{"unknown section", head + section(77), 400, "unknown section 77"},
	}
}

var t1MB = strings.Repeat("\x00", 1<<20)

func zipped(data string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(data)) //nolint:errcheck // to memory
	w.Close()
	return b.String()
}

// bombs are short, or would be large or slow once they are read or compiled.
func bombs() []attack {
	typ := func(form string, n int) string { return form + leb(n) + strings.Repeat("\x7f", n) }
	return []attack{
		{"2^26 exports", head + section(7, leb(1<<26)), 400, "67108864 exports, the limit is"},
		{"2^30 functions", head + section(3, leb(1<<30)), 400, "1073741824 functions, the limit is"},
		{"2^26 imports", head + section(2, leb(1<<26)), 400, "67108864 imports, the limit is"},
		{"2^28 types", head + section(1, leb(1<<28)), 400, "types, the limit is"},
		{"400M locals", oneBody("\x01"+leb(400_000_000)+"\x7f", ""), 400, "locals in one function"},
		{"20M locals", oneBody("\x01"+leb(20_000_000)+"\x7f", ""), 400, "locals in one function"},
		{"4 GiB of data", head + section(5, vec("\x00\x01")) + section(11, vec("\x00\x41\x00\x0b"+leb(1<<32-1))), 400, "bytes announced"},
		{"table of 2^27", head + section(4, vec("\x70\x00"+leb(1<<27))), 400, "table with 134217728 entries"},
		{"memory of 4 GiB", head + section(1, vec(nothing)) + section(3, vec("\x00")) + section(5, vec("\x00"+leb(65536))) +
			section(7, vec(text("fetch")+"\x00\x00", text("memory")+"\x02\x00")) + section(10, vec("\x02\x00\x0b")), 400, "needs 4096 MiB of memory to start"},
		{"memory beyond 4 GiB", head + section(5, vec("\x00"+leb(65537))), 400, "at most 65536 pages"},
		{"memory minimum above maximum", head + section(5, vec("\x01\x02\x01")), 400, "minimum 2 is above maximum 1"},
		{"shared memory", head + section(5, vec("\x03\x01\x02")), 400, "are not supported"},
		{"64-bit memory", head + section(5, vec("\x04\x01")), 400, "are not supported"},
		{"two memories", head + section(5, vec("\x00\x01", "\x00\x01")), 400, "multiple memories"},
		{"atomics", oneBody("\x00", "\xfe\x03\x00"), 400, "unknown instruction"},
		{"500 loops, 500 locals", oneBody("\x01"+leb(500)+"\x7f", deep("\x03\x40", 500)), 400, "loops nested deeper"},
		{"100k nested blocks", oneBody("\x00", deep("\x02\x40", 100_000)), 400, "blocks nested deeper"},
		{"30k nested loops", oneBody("\x00", deep("\x03\x40", 30_000)), 400, "loops nested deeper"},
		{"100k nested ifs", oneBody("\x00", deep("\x41\x00\x04\x40", 100_000)), 400, "blocks nested deeper"},
		{"500k branches", oneBody("\x00", "\x02\x40"+strings.Repeat("\x41\x00\x0d\x00", 500_000)+"\x0b"), 400, "too complex"},
		{"500k blocks", oneBody("\x00", strings.Repeat("\x02\x40\x0b", 500_000)), 400, "too complex"},
		{"100k loops", oneBody("\x00", strings.Repeat("\x03\x40\x0b", 100_000)), 400, "too complex"},
		{"br_table of 1M", oneBody("\x00", "\x41\x00\x0e"+leb(1_000_000)+strings.Repeat("\x00", 1_000_001)), 400, "br_table targets, the limit is"},
		{"1,000 results", head + section(1, vec(typ("\x60\x00", 1000))), 400, "1000 results, the limit is"},
		{"1,000 parameters", head + section(1, vec(typ("\x60", 1000)+"\x00")), 400, "1000 parameters, the limit is"},
		{"6 MB of straight code", oneBody("\x00", strings.Repeat("\x01", 6_000_000)), 400, "function body of 6000002 bytes"},
		{"1M functions", head + section(1, vec(nothing)) + section(3, leb(1_000_000), strings.Repeat("\x00", 1_000_000)), 400, "1000000 functions, the limit is"},
		{"calls through a table, 400k", head + section(1, vec(nothing)) + section(3, vec("\x00")) + section(4, vec("\x70\x00\x02")) +
			section(10, vec(leb(2_000_002)+"\x00"+strings.Repeat("\x41\x00\x11\x00\x00", 400_000)+"\x0b")), 400, "takes more than 1024 MiB of memory"},
	}
}

// strangers want what is not theirs, or do wrong as soon as they are started.
func strangers() []attack {
	const fetch = "fetch"
	native := func(add func(m *hosttest.Module)) string {
		var m hosttest.Module
		add(&m)
		m.Memory(1)
		m.Func(fetch, nil, nil, nil)
		return string(m.Bytes())
	}
	named := func(names string) string { return string(tiny("hello")) + section(0, text("name"), names) }
	return []attack{
		{"another Function's code", native(func(m *hosttest.Module) { m.Import("good", fetch, nil, nil) }), 400, "imports function good.fetch"},
		{"the meter", native(func(m *hosttest.Module) { m.Import("mayfly:meter", "tick", nil, nil) }), 400, "imports function mayfly:meter.tick"},
		{"env.memory", importing("env", "memory", "\x02\x00\x01"), 400, "imports memory env.memory"},
		{"env.table", importing("env", "table", "\x01\x70\x00\x01"), 400, "imports table env.table"},
		{"env.global", importing("env", "global", "\x03\x7f\x01"), 400, "imports global env.global"},
		{"import without a name", importing("", "", "\x00\x00"), 400, "imports function ."},
		{"unknown import", native(func(m *hosttest.Module) { m.Import("env", "f", nil, nil) }), 400, "imports function env.f"},
		{"unknown host function", native(func(m *hosttest.Module) { m.Import("mayfly", "f", nil, nil) }), 400, "imports mayfly.f, which this node does not offer"},
		{"newer ABI", native(func(m *hosttest.Module) { m.Import("mayfly@9.0", "f", nil, nil) }), 400, "needs version 9.0"},
		{"wrong signature", native(func(m *hosttest.Module) { m.Import("mayfly", "log", nil, nil) }), 400, "imports mayfly.log as"},
		{"threads of WASI", native(func(m *hosttest.Module) { m.Import("wasi", "thread-spawn", nil, nil) }), 400, "imports function wasi.thread-spawn"},
		{"start traps", string(starting(hosttest.Unreachable)), 400, "initialisation failed"},
		{"start loops", string(starting(hosttest.Loop, hosttest.Br(0), hosttest.End)), 400, "wall time limit exceeded"},
		{"start takes all memory", string(starting(hosttest.Loop, hosttest.I32Const(100), hosttest.MemoryGrow, hosttest.Drop, hosttest.Br(0), hosttest.End)), 400, "initialisation failed"},

		{"names that are not UTF-8", named(section(0, text("\xff\xfe"))), 200, `"success":true`},
		{"names of nothing", named(section(1, vec("\xff\xff\x03"+text("f")))), 200, `"success":true`},
		{"names, 10 MB", named(section(1, vec("\x00"+text(strings.Repeat("x", 10<<20))))), 200, `"success":true`},
		{"name of a host module", named(section(0, text("mayfly"))), 200, `"success":true`},
		{"DWARF of noise", string(tiny("hello")) + section(0, text(".debug_info"), "\xff\xff\xff\xff\xff") + section(0, text(".debug_line"), "\x00"), 200, `"success":true`},
	}
}

// Whatever is uploaded, the answer is the API's and says why, and the node goes on
// serving meanwhile. What each refusal took is shown.
func TestHostileUploads(t *testing.T) {
	s := mustServe(t, "[node]\nmax_module_mb = 16\n[limits]\nwall_ms = 2000\ncpu_ms = 10_000\n")
	s.mustDeployGood(t)
	stop := s.keepAsking(t)
	t.Logf("%-32s %8s %7s %7s %6s", "upload", "bytes", "ms", "MiB", "status")
	for _, list := range [][]attack{noModules(), bombs(), strangers()} {
		for _, a := range list {
			s.attack(t, a)
		}
	}
	s.attack(t, attack{"16 MiB and a byte", strings.Repeat("x", 16<<20+1), 413, "which is the limit"})
	stop()
	s.mustAnswer(t, "good", 200)
}

// attack uploads and wants the answer.
func (s *server) attack(t *testing.T, a attack) {
	t.Helper()
	before := s.peak(t)
	began := time.Now()
	status, body := s.call(t, s.mustToken(t), http.MethodPut, "accounts/local/workers/scripts/attacked", a.module)
	t.Logf("%-32s %8d %7d %7d %6d", a.name, len(a.module), time.Since(began).Milliseconds(), (s.peak(t)-before)>>10, status)
	if status != a.status || !strings.Contains(body, a.want) || !strings.Contains(body, `"errors":[`) {
		t.Errorf("%s: got %d %.400s, want %d and %q", a.name, status, body, a.status, a.want)
	}
}

// peak is the node's largest resident memory since the last call, in KiB, where
// Linux tells.
func (s *server) peak(t *testing.T) (kib int) {
	t.Helper()
	if goruntime.GOOS != "linux" {
		return 0
	}
	process := fmt.Sprintf("/proc/%d/", s.cmd.Process.Pid)
	data, err := os.ReadFile(process + "status")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(data), "VmHWM:")
	fmt.Sscan(line, &kib)                              //nolint:errcheck // it is only shown
	os.WriteFile(process+"clear_refs", []byte("5"), 0) //nolint:errcheck // begins again at what it has now
	return kib
}

// keepAsking asks the good Function until it is stopped.
func (s *server) keepAsking(t *testing.T) (stop func()) {
	done := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		answers, slowest := 0, time.Duration(0)
		for {
			select {
			case <-done:
				t.Logf("%d answers meanwhile, the slowest after %v", answers, slowest.Round(time.Millisecond))
				return
			case <-time.After(5 * time.Millisecond):
			}
			began := time.Now()
			s.wantGood(t)
			answers, slowest = answers+1, max(slowest, time.Since(began))
		}
	})
	return func() {
		close(done)
		asking.Wait()
	}
}

// wantGood is mustAnswer for a goroutine.
func (s *server) wantGood(t *testing.T) {
	req, _ := http.NewRequest(http.MethodGet, "http://"+s.web+"/", nil)
	req.Host = "good.localhost"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("good: status %d", resp.StatusCode)
	}
}

// A module with any byte cut off or any bit flipped is accepted or refused, and
// never more than that.
func TestDamagedUploads(t *testing.T) {
	s := mustServe(t, "[limits]\ncpu_ms = 100\n")
	s.mustDeployGood(t)
	good := tiny("hello")
	statuses := map[int]int{}
	upload := func(what string, module []byte) {
		status, body := s.call(t, s.mustToken(t), http.MethodPut, "accounts/local/workers/scripts/damaged", string(module))
		if statuses[status]++; status != 200 && status != 400 {
			t.Errorf("%s: got %d %s", what, status, body)
		}
	}
	step := 7 // coprime with 8, so that every bit has its turn
	if os.Getenv("MAYFLY_TORTURE") != "" {
		step = 1
	}
	for n := range good {
		upload(fmt.Sprintf("%d bytes", n), good[:n])
	}
	for bit := 0; bit < len(good)*8; bit += step {
		bad := bytes.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		upload(fmt.Sprintf("bit %d", bit), bad)
	}
	t.Logf("%d bytes, every %d. bit: %v", len(good), step, statuses)
	s.mustAnswer(t, "good", 200)
}
