package engine

import (
	"time"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// tick is how long an epoch lasts: how late a guest may be interrupted.
const tick = 10 * time.Millisecond

// clock begins a new epoch of an engine with each tick.
type clock struct {
	quit, done chan struct{}
}

func startClock(e *wasmtime.Engine) *clock {
	c := &clock{make(chan struct{}), make(chan struct{})}
	go func() { // until stop
		defer close(c.done)
		ticks := time.NewTicker(tick)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
				e.IncrementEpoch()
			case <-c.quit:
				return
			}
		}
	}()
	return c
}

func (c *clock) stop() {
	close(c.quit)
	<-c.done
}
