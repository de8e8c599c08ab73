package js

import (
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// Events, as the handler of the platform gets them. From EventOperation on it is
// the handle of an operation that has finished, plus EventOperation; from
// EventRequest on what the Invocation is for, with flags.
const (
	EventLoad      = 1 // begin to load the program
	EventLoaded    = 2 // fail if that did not work
	EventRejected  = 3 // with a promise and a reason
	EventHandled   = 4 // with a promise
	EventTimer     = 5
	EventOperation = 16
	EventRequest   = 1 << 24
	EventScheduled = 1 << 25
	EventKV        = 1 << 26
	EventQueue     = 1 << 27
)

// Flags of EventRequest and those that follow it.
const (
	flagGet     = 1
	flagBody    = 2
	flagSecrets = 4
)

// nothing is what next returns if there is nothing to wait for.
const nothing = -1

// loops is the state of the loop of events.
type loops struct {
	begun   bool // the request was handed out
	settled bool // there is an answer, and nothing to do behind it
	waiting []waiter
	timer   time.Time // of the next EventTimer; zero if there is none
}

// waiter is an operation that has not been reported as finished.
type waiter struct {
	handle host.Handle
	host.Waitable
}

// next waits for what the guest is to do.
func next(g abi.Guest, _ abi.Args) int64 {
	s := stateOf(g.Call)
	switch {
	case !s.begun:
		s.begun = true
		return event(g.Call) | request(g.Call)
	case s.settled, len(s.waiting) == 0 && s.timer.IsZero():
		return nothing
	}
	return s.wait(g)
}

// event is what the Invocation is for.
func event(c *host.Call) int64 {
	switch {
	case c.Scheduled != nil:
		return EventScheduled
	case c.Change != nil:
		return EventKV
	case c.Queue != nil:
		return EventQueue
	}
	return EventRequest
}

// request is the flags of a request.
func request(c *host.Call) (flags int64) {
	if string(c.Request.Method) == "GET" {
		flags |= flagGet
	}
	if c.Request.Body != nil {
		flags |= flagBody
	}
	if len(c.Bindings.Secrets) > 0 {
		flags |= flagSecrets
	}
	return flags
}

// wait waits for an operation or for the timer.
func (s *state) wait(g abi.Guest) int64 {
	timeout := time.Duration(-1)
	if !s.timer.IsZero() {
		timeout = max(0, time.Until(s.timer))
	}
	if len(s.waiting) == 0 {
		return s.sleep(g, timeout)
	}
	ws := make([]host.Waitable, len(s.waiting))
	for i, w := range s.waiting {
		ws[i] = w.Waitable
	}
	i, err := g.WaitAny(ws, timeout)
	switch {
	case err != nil:
		panic(err)
	case i < 0:
		s.timer = time.Time{}
		return EventTimer
	}
	h := s.waiting[i].handle
	s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
	return EventOperation + int64(h)
}

// sleep waits for the timer alone.
func (s *state) sleep(g abi.Guest, d time.Duration) int64 {
	if d > 0 {
		if _, err := g.WaitAny(nil, d); err != nil {
			panic(err)
		}
	}
	s.timer = time.Time{}
	return EventTimer
}

// maxTimer is the longest a timer waits; none outlives its Invocation.
const maxTimer = time.Hour

// setTimer sets when the next EventTimer comes, in milliseconds from now; a
// negative number means never.
func setTimer(q *query) (kind, error) {
	s := stateOf(q.Call)
	if q.n < 0 {
		s.timer = time.Time{}
		return noValue, nil
	}
	s.timer = time.Now().Add(min(time.Duration(q.n)*time.Millisecond, maxTimer))
	return noValue, nil
}
