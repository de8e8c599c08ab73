//go:build linux

package worker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/runtime"
)

// Workers are the processes of one node. It implements runtime.Isolation.
type Workers struct {
	cfg     Config
	spawner *spawner
	base    context.Context // ends with Close
	cancel  context.CancelFunc
	live    sync.WaitGroup // processes, and watch
	ending  sync.Once      // of spawner

	mu      sync.Mutex // guards running
	running map[*process]struct{}
}

// Open starts a worker for trial, so that what the kernel does not allow is known
// from the beginning. Close it after the runtime.Runtime that uses it.
func Open(cfg Config) (*Workers, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	w := &Workers{cfg: cfg, spawner: newSpawner(), running: map[*process]struct{}{}}
	w.base, w.cancel = context.WithCancel(context.Background())
	p, err := w.start(nil, true)
	if err != nil {
		w.Close()
		return nil, err
	}
	p.kill("it was a trial")
	w.live.Go(w.watch)
	return w, nil
}

// Open implements runtime.Isolation.
func (w *Workers) Open(p *runtime.Parcel) (runtime.Remote, error) {
	k := &keeper{workers: w, parcel: p, release: w.cfg.Code.Hold(p.Code), starting: make(chan struct{}, 1)}
	return k, nil
}

// processes are those that run.
func (w *Workers) processes() []*process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.running))
}

// wait is until a process has ended.
func (w *Workers) wait(p *process) {
	p.wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.running, p)
}

func (w *Workers) add(p *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running[p] = struct{}{}
	w.live.Go(func() { w.wait(p) })
}

// Bytes implements runtime.Isolation.
func (w *Workers) Bytes() (n int64) {
	for _, p := range w.processes() {
		n += p.base.Load()
	}
	return n
}

// Processes are the ids of the workers that run.
func (w *Workers) Processes() (ids []int) {
	for _, p := range w.processes() {
		ids = append(ids, p.cmd.Process.Pid)
	}
	return ids
}

// Close ends all workers. It may be called more than once.
func (w *Workers) Close() error {
	w.cancel()
	for _, p := range w.processes() {
		p.kill(nodeEnds)
	}
	w.live.Wait()
	w.ending.Do(w.spawner.close)
	return nil
}

// watchInterval is how often workers are looked at.
const watchInterval = 250 * time.Millisecond

// watch ends workers that have too much memory, or nothing to do.
func (w *Workers) watch() {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-w.base.Done():
			return
		case now := <-tick.C:
			for _, p := range w.processes() {
				w.look(p, now)
			}
		}
	}
}

func (w *Workers) look(p *process, now time.Time) {
	if n, err := private(p.cmd.Process.Pid); err == nil && n > w.cfg.Memory {
		p.kill(fmt.Sprintf("it had %d MiB of memory to itself, and %d are allowed", n>>20, w.cfg.Memory>>20))
		return
	}
	p.retire(now.Add(-w.cfg.Idle))
}
