package wasi

import (
	"math"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

func pollFuncs() []abi.Func {
	return []abi.Func{function("poll_oneoff", pollOneoff, i32, i32, i32, i32)}
}

const (
	subscriptionSize = 48
	eventSize        = 32
	maxSubscriptions = 1024
)

// Types of events.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#eventtype
const (
	clockEvent = 0
	readEvent  = 1
	writeEvent = 2
)

// pollOneoff waits until one of the subscribed events has occurred, and writes
// all that have. Streams are always ready: a read from stdin blocks where there
// is nothing yet. So only subscriptions to clocks alone wait, at most until the
// Invocation's deadline, which ends the guest.
//
//   - in: the subscriptions, 48 bytes each
//   - out: where the events go, 32 bytes each
//   - count: how many subscriptions there are, and room for events
//   - result: where the number of events goes
//
// EINVAL: no subscriptions, more than 1024, or one to an unknown event, clock
// or flag. Each event has an errno of its own, EBADF for a descriptor that is
// not open or can't do that.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#poll_oneoff
func pollOneoff(g abi.Guest, a abi.Args) errno {
	count := a.U32(2)
	if count == 0 || count > maxSubscriptions {
		return einval
	}
	subs, e := subscriptions(g, a.U32(0), count)
	if e != success {
		return e
	}
	wait := shortest(subs)
	sleep(g.Call, wait)
	out, n := g.Bytes(a.U32(1), count*eventSize), uint32(0)
	for i := range subs {
		if subs[i].left <= wait {
			subs[i].put(out[n*eventSize:])
			n++
		}
	}
	g.PutUint32(a.U32(3), n)
	return success
}

// subscription is one event waited for and what is known about it.
type subscription struct {
	userdata uint64
	event    uint8
	left     time.Duration // until the event occurs
	errno    errno
	bytes    uint64 // that can be read or written without blocking
	flags    uint16
}

// hangup is the flag of a stream whose other end is gone.
const hangup = 1

// subscriptions copies them out of the guest's memory, which the events may
// overwrite.
func subscriptions(g abi.Guest, ptr, count uint32) ([]subscription, errno) {
	in := g.Bytes(ptr, count*subscriptionSize)
	subs := make([]subscription, count)
	for i := range subs {
		e := subs[i].read(g.Call, in[i*subscriptionSize:])
		if e != success {
			return nil, e
		}
	}
	return subs, success
}

// Layout: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#subscription
func (s *subscription) read(c *host.Call, in []byte) (e errno) {
	s.userdata, s.event = le.Uint64(in), in[8]
	switch s.event {
	case clockEvent:
		s.left, e = timeLeft(c, le.Uint32(in[16:]), le.Uint64(in[24:]), le.Uint16(in[40:]))
	case readEvent, writeEvent:
		s.look(c, le.Uint32(in[16:]))
	default:
		return einval
	}
	return e
}

// look finds out whether a descriptor is ready.
func (s *subscription) look(c *host.Call, fd uint32) {
	stream, ok := openStream(c, fd)
	switch {
	case !ok, (s.event == readEvent) != (stream == stdin):
		s.errno = ebadf
	case s.event == writeEvent:
		s.bytes = chunk
	case c.Stdin == nil:
		s.flags = hangup
	default:
		s.bytes = 1 // at least, or the end
	}
}

// absolute is the flag of a timeout that is a time and not a duration.
const absolute = 1

// timeLeft is how long a guest waits for a clock.
//
// Layout: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#subscription_clock
func timeLeft(c *host.Call, clock uint32, timeout uint64, flags uint16) (time.Duration, errno) {
	now, ok := readClock(c, clock)
	if !ok || flags > absolute {
		return 0, einval
	}
	left := int64(min(timeout, math.MaxInt64))
	if flags == absolute {
		left -= now
	}
	return time.Duration(max(left, 0)), success
}

func shortest(subs []subscription) time.Duration {
	least := subs[0].left
	for _, s := range subs[1:] {
		least = min(least, s.left)
	}
	return least
}

func sleep(c *host.Call, d time.Duration) {
	if d == 0 {
		return
	}
	c.Pause()
	defer c.Resume()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.Done():
		checkTime(c)
	}
}

// Layout: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#event
func (s *subscription) put(out []byte) {
	clear(out[:eventSize])
	le.PutUint64(out, s.userdata)
	le.PutUint16(out[8:], uint16(s.errno))
	out[10] = s.event
	le.PutUint64(out[16:], s.bytes)
	le.PutUint16(out[24:], s.flags)
}
