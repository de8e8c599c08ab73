package telemetry

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// What a meter counts: Invocations by their Outcome, and then these.
const (
	slotUnits    = int(host.Outcomes) + iota // of metered guest work
	slotCPU                                  // nanoseconds that guests ran
	slotWall                                 // nanoseconds
	slotMemory                               // see memoryTime
	slotBytesIn                              // of bodies
	slotBytesOut                             // of bodies
	slotFetches                              // outbound requests
	slotKV                                   // operations of KV
	slots
)

// amounts are what was counted, by slot.
type amounts [slots]int64

func (a *amounts) add(b *amounts) {
	for i, n := range b {
		a[i] += n
	}
}

// shards are how many parts a meter has, so that processors seldom meet at one.
const shards = 8

// meter counts what the Invocations of a Version use. Counting takes no lock and
// allocates nothing.
type meter [shards]struct {
	slots [slots]atomic.Int64
	_     [(cacheLine - slots*8%cacheLine) % cacheLine]byte // no line is shared
}

const cacheLine = 64

// add counts an Invocation that has ended.
func (m *meter) add(outcome host.Outcome, u *host.Usage) {
	s := &m[rand.Uint32()%shards].slots
	s[outcome].Add(1)
	s[slotWall].Add(int64(u.Wall))
	add(&s[slotUnits], u.Units)
	add(&s[slotCPU], int64(u.CPU))
	add(&s[slotMemory], memoryTime(u.PeakMemory, u.Wall))
	add(&s[slotBytesIn], u.BytesIn)
	add(&s[slotBytesOut], u.BytesOut)
	add(&s[slotFetches], int64(u.Subrequests))
	add(&s[slotKV], int64(u.KVOperations))
}

// memoryTime is memory for a time, in KiB times microseconds: small enough to be
// counted exactly, and large enough for what a node does in an hour.
func memoryTime(bytes int64, wall time.Duration) int64 { return bytes >> 10 * wall.Microseconds() }

// gibSeconds is a memoryTime as GiB times seconds.
func gibSeconds(memoryTime int64) float64 { return float64(memoryTime) / (1 << 20) / 1e6 }

// take returns what was counted since the last time, and whether that is anything.
func (m *meter) take() (sum amounts, used bool) {
	for i := range m {
		for slot := range m[i].slots {
			if n := m[i].slots[slot].Swap(0); n != 0 {
				sum[slot] += n
				used = true
			}
		}
	}
	return sum, used
}
