package host

import (
	"context"
	"errors"
	"time"
)

// Causes of an Invocation's end while its guest runs.
var (
	ErrCPUTime    = errors.New("CPU time limit exceeded")
	ErrClientGone = errors.New("the client went away")
)

// Client is who waits for an Invocation's answer.
type Client interface {
	// Gone reports whether the client has closed its connection. It is cheap, and
	// called by the goroutine that runs the guest.
	Gone() bool
}

// Spend accounts for units of guest work, and for the time since the guest
// began to run, and reports why the Invocation is over, or nil. The engine calls
// it from time to time while the guest runs.
func (c *Call) Spend(units int64) error {
	c.Usage.Units += units
	now := time.Now()
	c.ran(now)
	c.running = now
	c.beginStretch(now)
	switch {
	case c.Usage.CPU > c.Limits.CPU:
		c.Cancel(ErrCPUTime)
	case c.life.passed(now):
		c.Cancel(ErrWallTime)
	case c.Client != nil && now.Sub(c.looked) >= lookInterval:
		if c.looked = now; c.Client.Gone() {
			c.Cancel(ErrClientGone)
		}
	}
	return c.life.over(c.parent)
}

// Pacer holds a guest's host functions to the same rules as the guest itself.
type Pacer interface {
	// Pace may wait for a turn, and panics with the cause once the Invocation is
	// over.
	Pace(c *Call)
}

// paceUnits is how much the host does for a guest between two looks at its limits.
const paceUnits = 300_000

// What costs the host more than copying does, in units of Work.
const (
	RandomWeight  = 4       // a random byte
	LogWeight     = 16      // a byte of the log
	KVWeight      = 10_000  // an operation of a store
	RequestWeight = 100_000 // an outbound request

	RateLimitWeight = 1_000 // a look at a rate limit
)

// Work accounts for work that a host function is about to do for the guest, in
// units of guest work: a third of a nanosecond. Without it a guest would pay as
// much for a gigabyte of random numbers as for one. It panics with the cause once
// the Invocation is over.
func (c *Call) Work(units int64) {
	c.Usage.Units += units
	if c.owed += units; c.owed >= paceUnits && c.Pacer != nil {
		c.owed = 0
		c.Pacer.Pace(c)
	}
}

// lookInterval is how often a running guest's client is looked for.
const lookInterval = time.Millisecond

// Turn is a place among the guests that run.
type Turn interface{ EndTurn(c *Call) }

// EndTurn gives the turn back, if the guest holds one.
func (c *Call) EndTurn() {
	if c.Turn != nil {
		c.endStretch() // so that it is known what the turn used
		c.Turn.EndTurn(c)
		c.Turn = nil
	}
}

// Pause stops the clock of Usage.CPU while a guest waits for somebody else;
// Resume starts it again. Every host function that blocks calls them.
func (c *Call) Pause() { c.pauseAt(time.Now()) }

func (c *Call) pauseAt(now time.Time) {
	c.ran(now)
	c.endStretch()
	c.running = time.Time{}
	c.EndTurn()
}

func (c *Call) Resume() {
	c.endStretch()
	c.running = time.Now()
	c.beginStretch(c.running)
}

func (l *lifetime) passed(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return now.After(l.deadline)
}

// over is the cause of the end, if it has come.
func (l *lifetime) over(parent context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.cause != nil:
		return l.cause
	case l.ctx != nil:
		return context.Cause(l.ctx)
	}
	return parent.Err()
}
