package host

import "time"

// Poller is the poller, for tests.
type Poller struct{ poller }

const Slice = slice

func NewPoller(wait func(handles []int32, timeout time.Duration) int32) *Poller {
	return &Poller{poller{wait: wait}}
}

func (p *Poller) Await(handle int32)  { p.await(handle) }
func (p *Poller) Forget(handle int32) { p.forget(handle) }
