//go:build linux

package worker_test

import (
	"context"
	"crypto/rand"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/worker"
	"github.com/mayfly-run/mayfly/runtime/worker/workertest"
)

// fleet is a Runtime with workers.
type fleet struct {
	*testing.T
	workers *worker.Workers
	runtime *runtime.Runtime
	limits  host.Limits
}

func newFleet(t *testing.T, edit ...func(*worker.Config)) *fleet {
	t.Helper()
	cfg := runtime.Config{ABIs: []abi.ABI{native.New()}}
	w := workertest.Isolate(t, &cfg, edit...)
	r, err := runtime.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(context.Background()) })
	limits := host.DefaultLimits()
	limits.Wall, limits.CPU = time.Hour, time.Hour // however busy the machine is
	return &fleet{t, w, r, limits}
}

// mustPrepare makes a Snapshot of a module that answers with text, after some work.
func (f *fleet) mustPrepare(text string) *runtime.Snapshot {
	f.Helper()
	s, err := f.prepare(says(text))
	if err != nil {
		f.Fatal(err)
	}
	return s
}

func says(text string) []byte {
	var m hosttest.Module
	call := m.ImportAll(native.New().Modules()[0])
	m.Memory(1)
	m.Data(0, []byte(text))
	var respond []byte
	for _, v := range []int32{200, 0, 0, 0, int32(len(text))} {
		respond = append(respond, hosttest.I32Const(v)...)
	}
	m.Func("fetch", nil, nil, nil, respond, hosttest.Call(call["respond"]), hosttest.Drop)
	return m.Bytes()
}

func (f *fleet) prepare(wasm []byte) (*runtime.Snapshot, error) {
	f.Helper()
	module, err := f.runtime.Load(f.Context(), wasm)
	if err != nil {
		f.Fatal(err)
	}
	defer module.Close()
	s, err := module.Prepare(f.Context(), runtime.Setup{Services: hosttest.Services(f), Bindings: &host.Bindings{Function: "test"}, Limits: f.limits})
	if err == nil {
		f.Cleanup(func() { s.Close() })
	}
	return s, err
}

// ask answers a request.
func (f *fleet) ask(s *runtime.Snapshot) (host.Outcome, string, error) {
	var recorder hosttest.Recorder
	c := new(host.Call)
	services := hosttest.Services(f)
	services.Random = rand.Reader
	c.ID, c.Services, c.Bindings, c.Limits = "test-request", services, &host.Bindings{Function: "test"}, f.limits
	c.Request, c.Responder = hosttest.Request("GET", "http://test.localhost/", ""), &recorder
	c.Begin(f.Context())
	if !s.Use() {
		f.Error("the snapshot was closed")
	}
	outcome, _, err := s.Invoke(c)
	return outcome, string(recorder.Body), err
}

func (f *fleet) mustAsk(s *runtime.Snapshot, want string) {
	f.Helper()
	if outcome, body, err := f.ask(s); outcome != host.OutcomeOK || body != want {
		f.Fatalf("%v %q, %v; want %q", outcome, body, err, want)
	}
}

// waitFor waits for something that comes by itself.
func (f *fleet) waitFor(what string, there func() bool) {
	f.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !there(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.Fatalf("still not: %s", what)
		}
	}
}

// A worker that is killed in the middle of requests takes these with it, and nothing
// else; the next request starts another.
func TestKilledWorker(t *testing.T) {
	f := newFleet(t)
	mine, others := f.mustPrepare("mine"), f.mustPrepare("others")
	f.mustAsk(mine, "mine")
	var victims []int
	f.waitFor("one worker", func() bool { // those of the initialisation are ending
		victims = f.workers.Processes()
		return len(victims) == 1
	})
	f.mustAsk(others, "others")
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var failed, answered, asked atomic.Int64
	for range 4 {
		clients.Go(func() {
			f.hammer(stop, others, "others", func(outcome host.Outcome, err error) { t.Errorf("others: %v, %v", outcome, err) }, &asked)
		})
		clients.Go(func() {
			f.hammer(stop, mine, "mine", func(outcome host.Outcome, err error) {
				if failed.Add(1); outcome != host.OutcomeInternalError && outcome != host.OutcomeLoadShed {
					t.Errorf("mine: %v, %v", outcome, err)
				}
			}, &answered)
		})
	}
	f.waitFor("requests", func() bool { return answered.Load() > 100 })
	syscall.Kill(victims[0], syscall.SIGKILL)
	f.waitFor("a failed request", func() bool { return failed.Load() > 0 })
	again := answered.Load() + 100
	f.waitFor("requests after the kill", func() bool { return answered.Load() > again })
	f.waitFor("requests of the others", func() bool { return asked.Load() > 0 })
	close(stop)
	clients.Wait()
}

// hammer asks until stop, and counts right answers.
func (f *fleet) hammer(stop chan struct{}, s *runtime.Snapshot, want string, fails func(host.Outcome, error), right *atomic.Int64) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		if outcome, body, err := f.ask(s); outcome != host.OutcomeOK {
			fails(outcome, err)
		} else if right.Add(1); body != want {
			f.Errorf("answer %q, want %q", body, want)
		}
	}
}

// Workers end when they were not needed for a while, and come back.
func TestIdleWorker(t *testing.T) {
	f := newFleet(t, func(c *worker.Config) { c.Idle = time.Second }) // not before it hears of a request
	s := f.mustPrepare("hello")
	for range 2 {
		f.mustAsk(s, "hello")
		f.waitFor("no worker", func() bool { return len(f.workers.Processes()) == 0 })
	}
	if n := f.workers.Bytes(); n != 0 {
		t.Errorf("%d bytes without a worker", n)
	}
}

// A worker with more memory than it may have is ended.
func TestLargeWorker(t *testing.T) {
	f := newFleet(t, func(c *worker.Config) { c.Memory = 64 << 10 })
	var endless hosttest.Module
	endless.Memory(1)
	endless.Func("fetch", nil, nil, nil, []byte{0x03, 0x40, 0x0c, 0, 0x0b})
	var s *runtime.Snapshot
	f.waitFor("a snapshot", func() (there bool) { // for which there may not be the time
		var err error
		s, err = f.prepare(endless.Bytes())
		return err == nil
	})
	f.waitFor("an end in a request", func() bool { // it may come before, and again and again
		outcome, _, err := f.ask(s)
		if outcome == host.OutcomeOK {
			t.Fatal("an endless request was answered")
		}
		return strings.Contains(err.Error(), "memory to itself")
	})
}

// Workers that don't start are not started for each request.
func TestBackOff(t *testing.T) {
	var broken atomic.Bool
	var starts atomic.Int64
	f := newFleet(t, func(c *worker.Config) {
		c.Command = func(ctx context.Context) *exec.Cmd {
			if starts.Add(1); broken.Load() {
				return exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^$")
			}
			return workertest.Command(ctx)
		}
	})
	s := f.mustPrepare("hello")
	broken.Store(true)
	before := starts.Load()
	for range 200 {
		if outcome, _, err := f.ask(s); outcome != host.OutcomeLoadShed || err == nil {
			t.Fatalf("got %v, %v", outcome, err)
		}
	}
	if n := starts.Load() - before; n < 2 || n > 20 {
		t.Errorf("%d starts for 200 requests", n)
	}
	broken.Store(false)
	f.waitFor("an answer", func() bool { outcome, _, _ := f.ask(s); return outcome == host.OutcomeOK })
}

// What needs more than there is, is refused with a reason when the node starts.
func TestNoWorkers(t *testing.T) {
	if _, err := worker.Open(worker.Config{}); err == nil {
		t.Error("workers without a command")
	}
}
