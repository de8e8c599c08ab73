package host

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// poller lets goroutines wait for handles on the one thread that a module has.
//
// The node's wait blocks that thread, and with it every goroutine. So nobody
// calls it for himself: a goroutine whose handle isn't ready parks on a
// channel, and one goroutine waits for all the handles together.
type poller struct {
	// wait is the ABI's: the index of a ready handle, or a negative code.
	wait func(handles []int32, timeout time.Duration) int32

	mu      sync.Mutex // guards the fields below
	parked  []parked
	running bool
}

type parked struct {
	handle int32
	ready  chan struct{}
}

// slice is how long the thread blocks at a time. Only a timer (time.Sleep, a
// context's deadline) can make a goroutine runnable meanwhile, and the Go
// scheduler has to run to see that it is due: timers are late by a slice at
// most. A thousand looks per second cost less than a thousandth of a core.
const slice = time.Millisecond

// maxWait is how many handles fit into one wait.
const maxWait = 1024

// await returns when handle is ready, or is forgotten, or can't be waited for,
// which the function that reads its result will tell.
func (p *poller) await(handle int32) {
	if p.wait([]int32{handle}, 0) != -int32(Timeout) {
		return
	}
	ready := make(chan struct{})
	p.mu.Lock()
	p.parked = append(p.parked, parked{handle, ready})
	if !p.running {
		p.running = true
		go p.run()
	}
	p.mu.Unlock()
	<-ready
}

// forget wakes whoever waits for handle.
func (p *poller) forget(handle int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parked = slices.DeleteFunc(p.parked, func(w parked) bool {
		if w.handle != handle {
			return false
		}
		close(w.ready)
		return true
	})
}

// run goes on while somebody is parked.
func (p *poller) run() {
	for {
		runtime.Gosched() // first everybody else, who may still have work
		handles := p.handles()
		if len(handles) == 0 {
			return
		}
		i := p.wait(handles, slice)
		switch {
		case i >= 0:
			p.forget(handles[i])
		case i != -int32(Timeout):
			for _, h := range handles { // each reader finds out what is wrong
				p.forget(h)
			}
		}
	}
}

// handles returns what is waited for; run ends if that is nothing.
func (p *poller) handles() []int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = len(p.parked) > 0
	handles := make([]int32, 0, min(len(p.parked), maxWait))
	for _, w := range p.parked[:cap(handles)] {
		handles = append(handles, w.handle)
	}
	return handles
}
