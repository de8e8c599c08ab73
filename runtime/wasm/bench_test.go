package wasm_test

import (
	"context"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/wasm"
)

func BenchmarkParse(b *testing.B) {
	data := mustGoGuest(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		mustParse(b, data)
	}
}

func BenchmarkRewrite(b *testing.B) {
	m := mustParse(b, mustGoGuest(b))
	b.SetBytes(int64(m.Facts().CodeSize))
	b.ReportAllocs()
	for b.Loop() {
		mustRewrite(b, m, everything)
	}
}

var everything = wasm.Options{Meter: true, ExportGlobals: true, Split: true, ExportStart: true, TableLimit: 100_000, DropCustoms: true}

// BenchmarkMetering runs each program plain and metered in turns, and reports
// the best time of both and by how much metering is slower. Where the code of a
// loop happens to lie changes its time by a third either way: look at all loops.
func BenchmarkMetering(b *testing.B) {
	tests := []struct {
		name   string
		module func() []byte
		export string
		args   []uint64
	}{
		{"calls", func() []byte { return fib }, "run", []uint64{22}},
		{"loop", func() []byte { return sum }, "run", []uint64{100_000}},
		{"words", func() []byte { return words }, "run", []uint64{100_000}},
		{"branches", func() []byte { return branches }, "run", []uint64{100_000}},
		{"dot", func() []byte { return dot }, "run", []uint64{100_000}},
		{"inner", func() []byte { return inner }, "run", []uint64{10_000}},
		{"many", func() []byte { return many }, "run", []uint64{100_000}},
		{"while", func() []byte { return while }, "run", []uint64{100_000}},
		{"go", func() []byte { return mustGoGuest(b) }, "work", nil},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			h := newHost(b)
			const quantum = 300_000
			h.tick = func(int64) int64 { return quantum }
			module := tt.module()
			run := [2]func() time.Duration{}
			for i, code := range [][]byte{module, mustRewrite(b, mustParse(b, module), wasm.Options{Meter: true}).Code} {
				f := h.start(code).ExportedFunction(tt.export)
				stack := make([]uint64, 4)
				run[i] = func() time.Duration {
					copy(stack, tt.args)
					start := time.Now()
					if err := f.CallWithStack(context.Background(), stack); err != nil {
						b.Fatal(err)
					}
					return time.Since(start)
				}
			}
			best := [2]time.Duration{time.Hour, time.Hour}
			for b.Loop() {
				for i := range best {
					best[i] = min(best[i], run[i]())
				}
			}
			b.ReportMetric(float64(best[0].Nanoseconds()), "plain-ns")
			b.ReportMetric(float64(best[1].Nanoseconds()), "metered-ns")
			b.ReportMetric(100*(best[1].Seconds()/best[0].Seconds()-1), "overhead-%")
		})
	}
}
