package bench_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

const codeMemory = 256 << 20

// BenchmarkFunctions deploys 300 Go Functions, no two of the same code, on a node
// that may keep 256 MiB of code and images, and asks them in random order. It
// reports the most memory that the process took beside that, and how long
// requests took, of which most find their Function unloaded. FUNCTIONS is another
// number than 300; compiling takes about a second for each.
func BenchmarkFunctions(b *testing.B) {
	functions := 300
	if n, err := strconv.Atoi(os.Getenv("FUNCTIONS")); err == nil {
		functions = n
	}
	n := mustNode(b, filepath.Join(b.TempDir(), "data"), func(cfg *node.Config) { cfg.CodeMemory = codeMemory })
	defer n.close(b)
	g := all[1]
	module := mustModule(b, g)
	name := func(i int) string { return fmt.Sprint("f", i) }
	var most int64
	for i := range functions {
		n.mustDeploy(b, name(i), distinct(b, module, i), deploy.Limits{})
		most = max(most, mustResident(b))
	}
	deployed := most
	rng := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		var took []time.Duration
		for range 3 * functions {
			took = append(took, n.mustAsk(b, name(rng.IntN(functions)), g))
			most = max(most, mustResident(b))
		}
		report(b, "request", took)
	}
	b.ReportMetric(float64(deployed)/(1<<20), "deploying-MiB")
	b.ReportMetric(float64(most)/(1<<20), "most-MiB")
	b.ReportMetric(float64(most-codeMemory)/(1<<20), "beyond-budget-MiB")
}

// distinct adds an export to a module: another code, which does the same.
func distinct(b *testing.B, module []byte, i int) []byte {
	const header, exports = 8, 7
	for at := header; at < len(module); {
		id := module[at]
		size, n := binary.Uvarint(module[at+1:])
		start := at + 1 + n
		if id == exports {
			return withExport(module, at, start, int(size), fmt.Sprint("number ", i))
		}
		at = start + int(size)
	}
	b.Fatal("the module has no exports")
	return nil
}

// withExport exports function 0, which is imported, once more.
func withExport(module []byte, at, start, size int, name string) []byte {
	count, n := binary.Uvarint(module[start:])
	body := binary.AppendUvarint(nil, count+1)
	body = append(body, module[start+n:start+size]...)
	body = append(append(body, byte(len(name))), name...)
	body = append(body, 0, 0)
	out := binary.AppendUvarint(append(bytes.Clone(module[:at]), module[at]), uint64(len(body)))
	return append(append(out, body...), module[start+size:]...)
}

// mustResident is the memory that this process takes, in bytes: what is resident,
// and memory files whether they are mapped or not.
func mustResident(t testing.TB) (bytes int64) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("this needs Linux")
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		if name == "RssAnon" || name == "RssFile" {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			bytes += kib << 10
		}
	}
	return bytes + memoryFiles(t)
}

func memoryFiles(t testing.TB) (bytes int64) {
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || !strings.HasPrefix(to, "/memfd:") {
			continue
		}
		if info, err := os.Stat(link); err == nil {
			bytes += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
	}
	return bytes
}
