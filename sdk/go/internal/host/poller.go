package host

import (
	"runtime"
	"slices"
	"time"
)

// poller lets goroutines wait for handles on the one thread that a module has.
//
// The node's wait blocks that thread, and with it every goroutine. So nobody
// calls it for himself: a goroutine whose handle isn't ready parks on a
// channel, and one goroutine waits for all the handles together.
type poller struct {
	// wait is the ABI's: the index of a ready handle, or a negative code.
	wait    func(handles []int32, timeout time.Duration) int32
	handles []int32         // what is waited for,
	parked  []chan struct{} // and by whom; same indexes
}

// slice is how long the thread blocks at a time. Only a timer (time.Sleep, a
// context's deadline) can make a goroutine runnable meanwhile, and the Go
// scheduler has to run to see that it is due: timers are late by a slice at
// most. A thousand looks per second cost less than a thousandth of a core.
const slice = time.Millisecond

// maxWait is how many handles fit into one wait.
const maxWait = 1024

// await returns when handle is ready, or was closed, or can't be waited for,
// which the function that reads its result will tell.
func (p *poller) await(handle int32) {
	if p.wait([]int32{handle}, 0) != -int32(Timeout) {
		return
	}
	ready := make(chan struct{})
	p.handles = append(p.handles, handle)
	p.parked = append(p.parked, ready)
	if len(p.handles) == 1 {
		go p.run()
	}
	<-ready
}

// forget wakes whoever waits for handle, because it is about to be closed.
func (p *poller) forget(handle int32) {
	for i := len(p.handles) - 1; i >= 0; i-- {
		if p.handles[i] == handle {
			p.wake(i)
		}
	}
}

func (p *poller) wake(i int) {
	close(p.parked[i])
	p.handles = slices.Delete(p.handles, i, i+1)
	p.parked = slices.Delete(p.parked, i, i+1)
}

// run goes on while somebody is parked.
func (p *poller) run() {
	for {
		runtime.Gosched() // first everybody else, who may still have work
		if len(p.handles) == 0 {
			return
		}
		n := min(len(p.handles), maxWait)
		i := p.wait(p.handles[:n], slice)
		switch {
		case i >= 0:
			p.wake(int(i))
		case i != -int32(Timeout):
			for n > 0 { // let each reader find out what is wrong
				n--
				p.wake(n)
			}
		}
	}
}
