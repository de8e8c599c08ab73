package bench_test

import (
	"path/filepath"
	goruntime "runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// endless are guests that never end: in a loop, and in calls that double.
func endless() map[string][]byte {
	guest := func(build func(m *hosttest.Module)) []byte {
		var m hosttest.Module
		m.Memory(1)
		build(&m)
		return m.Bytes()
	}
	return map[string][]byte{
		"loop": guest(func(m *hosttest.Module) {
			m.Func("fetch", nil, nil, nil, hosttest.Loop, hosttest.Br(0), hosttest.End)
		}),
		"recursion": guest(func(m *hosttest.Module) {
			twice := func() []byte {
				return slices.Concat(hosttest.LocalGet(0), hosttest.I32Const(1), hosttest.I32Sub, hosttest.Call(0))
			}
			m.Func("", []byte{0x7f}, nil, nil, hosttest.LocalGet(0), hosttest.If, twice(), twice(), hosttest.End)
			m.Func("fetch", nil, nil, nil, hosttest.I32Const(100), hosttest.Call(0))
		}),
	}
}

const (
	endlessGuests = 50
	endlessWall   = 200 * time.Millisecond
)

// BenchmarkNeighbours keeps 50 endless guests running, each until its deadline of
// 200 ms, and measures how much later than that they are stopped, how long a
// collection of garbage takes beside them, and what a good Function's requests
// take beside them, against when it is alone.
func BenchmarkNeighbours(b *testing.B) {
	n := mustNode(b, filepath.Join(b.TempDir(), "data"), func(*node.Config) {})
	defer n.close(b)
	good := all[0]
	n.mustDeploy(b, "good", mustModule(b, good), deploy.Limits{})
	for name, module := range endless() {
		n.mustDeploy(b, name, module, wallLimits(endlessWall))
	}
	for b.Loop() {
		n.askFor(b, time.Second, good) // warms up
		quiet := n.askFor(b, 3*time.Second, good)
		attack := n.attack(b)
		time.Sleep(endlessWall)
		gc := collections(2 * time.Second)
		beside := n.askFor(b, 3*time.Second, good)
		late := attack.stop()
		report(b, "quiet", quiet)
		report(b, "beside", beside)
		report(b, "gc", gc)
		report(b, "stopped", late)
		b.ReportMetric(float64(percentile(beside, 99))/float64(percentile(quiet, 99)), "p99-ratio")
	}
}

// askFor asks a Function one request after the other.
func (n *aNode) askFor(b *testing.B, d time.Duration, g guests.Guest) (took []time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		took = append(took, n.mustAsk(b, "good", g))
		time.Sleep(time.Millisecond)
	}
	return took
}

func collections(d time.Duration) (took []time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		began := time.Now()
		goruntime.GC()
		took = append(took, time.Since(began))
		time.Sleep(20 * time.Millisecond)
	}
	return took
}

// attack is endless guests that are asked for again as soon as they are stopped.
type attack struct {
	over    chan struct{}
	clients sync.WaitGroup
	mu      sync.Mutex // guards took
	took    []time.Duration
}

func (n *aNode) attack(b *testing.B) *attack {
	a := &attack{over: make(chan struct{})}
	for i := range endlessGuests {
		name := []string{"loop", "recursion"}[i%2]
		a.clients.Go(func() {
			for {
				select {
				case <-a.over:
					return
				default:
					a.once(b, n, name)
				}
			}
		})
	}
	return a
}

func (a *attack) once(b *testing.B, n *aNode, name string) {
	status, _, took, err := n.ask(name, guests.Guest{Method: "GET"})
	if err != nil || status != 504 {
		b.Errorf("%s: status %d, %v; want that it took too long", name, status, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.took = append(a.took, took)
}

// stop returns how long each took until it was stopped.
func (a *attack) stop() []time.Duration {
	close(a.over)
	a.clients.Wait()
	return a.took
}

func percentile(d []time.Duration, p int) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[min(len(s)-1, len(s)*p/100)]
}

// report reports median, 99th percentile and maximum in milliseconds.
func report(b *testing.B, name string, d []time.Duration) {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(percentile(d, 50)), name+"-p50-ms")
	b.ReportMetric(ms(percentile(d, 99)), name+"-p99-ms")
	b.ReportMetric(ms(slices.Max(d)), name+"-max-ms")
}
