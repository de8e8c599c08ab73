//go:build linux

package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime"
)

const (
	// grace is how much longer than its guest may run a worker may take to say so.
	grace = 5 * time.Second
	// lookInterval is how often a waiting session looks for its client, and whether the
	// Invocation is over.
	lookInterval = 5 * time.Millisecond
)

// session answers a worker's questions during one Invocation, within what the Call
// may do. Its fields belong to the goroutine that runs it, but for those which mu
// guards.
type session struct {
	*channel
	proc    ender
	c       *host.Call
	grace   time.Duration
	whole   bool          // the connection can be used again
	warned  bool          // the worker knows that the Invocation is over
	fetches chan struct{} // room for those that are open at the same time; nil until the first

	mu       sync.Mutex // guards what follows
	taken    int64      // bytes of memory
	asked    map[uint64]context.CancelFunc
	bodies   map[uint64]*body
	finished bool
}

// ender is the process at the other end.
type ender interface {
	kill(why string)
	// death waits for its end and says how it came.
	death() string
	// dies reports whether it ends within a time.
	dies(within time.Duration) bool
}

func newSession(p ender, ch *channel, c *host.Call) *session {
	return &session{channel: ch, proc: p, c: c, grace: grace}
}

// frameLimit is the longest frame that a worker may send, in bytes: a value, an upload
// or an answer.
func frameLimit(c *host.Call) int { return int(max(c.Limits.Response, c.Limits.Held)) + 1<<20 }

// errNotBegun: the worker was gone before it heard of the Invocation.
var errNotBegun = errors.New("the worker is gone")

// invoke runs an Invocation. whole is set afterwards.
func (s *session) invoke() (host.Outcome, error) {
	m := invoke{ID: text(s.c.ID), Request: requestOf(&s.c.Request), Scheduled: scheduledOf(s.c.Scheduled), Change: changeOf(s.c.Change), Queue: batchOf(s.c.Queue)}
	if now := (common{s.c.Bindings, s.c.Limits}); s.channel.told != now {
		m.Version, s.channel.told = versionOf(s.c), now
	}
	if s.extend() != nil || s.send(kindInvoke, &m) != nil {
		return host.OutcomeInternalError, errNotBegun
	}
	e, err := s.serve()
	defer s.finish(err)
	if err != nil {
		return s.broken(err)
	}
	return s.judge(e)
}

// broken finds the Outcome where a connection ended without one.
func (s *session) broken(err error) (host.Outcome, error) {
	if errors.Is(err, runtime.ErrNoRoom) {
		return host.OutcomeLoadShed, err
	}
	if !s.proc.dies(time.Second) { // it may close its socket and live on
		s.proc.kill("it broke a connection off")
	}
	return host.OutcomeInternalError, fmt.Errorf("the worker %s", s.proc.death())
}

// judge takes what the worker says of the Invocation.
func (s *session) judge(e *end) (host.Outcome, error) {
	s.whole = true
	s.account(&e.Usage)
	e.Decisions.apply(s.c.Queue)
	if e.Outcome >= host.Outcomes {
		e.Outcome = host.OutcomeInternalError
	}
	var err error
	if e.Answer != nil { // also of a guest that failed afterwards, as everywhere
		err = s.respond(e.Answer)
	}
	switch {
	case e.Outcome != host.OutcomeOK && e.Thrown:
		return e.Outcome, &js.Failure{Stack: string(e.Err[:min(len(e.Err), maxErr)])}
	case e.Outcome != host.OutcomeOK:
		return e.Outcome, errors.New(string(e.Err[:min(len(e.Err), maxErr)]))
	case err != nil:
		return host.OutcomeException, err
	case !s.c.Responded && !s.c.IsEvent():
		return host.OutcomeException, errors.New("the worker ended without an answer")
	}
	return host.OutcomeOK, nil
}

// maxErr is how much of an error goes to the log, in bytes.
const maxErr = 8 << 10

// account takes what only the worker knows. It may say what it likes of its own
// account, in sensible numbers.
func (s *session) account(u *usage) {
	to := &s.c.Usage
	to.CPU, to.Units = max(0, u.CPU), max(0, u.Units)
	to.PeakMemory = min(max(0, u.PeakMemory), s.c.Limits.Memory)
	to.LogDropped, to.Refused = max(0, u.LogDropped), max(0, u.Refused)
	to.BytesIn, to.BytesOut = max(0, u.BytesIn), max(0, u.BytesOut)
}

// serve answers questions until the end.
func (s *session) serve() (*end, error) {
	for {
		k, n, err := s.next()
		if err != nil {
			return nil, err
		}
		held := int64(0)
		if n > smallFrame {
			if held = int64(n); !s.take(held) {
				return nil, runtime.ErrNoRoom
			}
		}
		data, err := s.payload(n)
		if err != nil {
			return nil, err
		}
		switch k {
		case kindAsk:
			err = s.ask(data, held)
		case kindDrop:
			err = s.drop(data)
		case kindEnd:
			var e end
			return &e, cbor.Unmarshal(data, &e)
		default:
			err = fmt.Errorf("a frame of kind %d", k)
		}
		if err != nil {
			s.proc.kill(fmt.Sprintf("it said what it may not say: %.200v", err))
			return nil, err
		}
	}
}

// next waits for a frame, and looks around meanwhile. It ends a worker that does not
// listen, also one that always has something more to say.
func (s *session) next() (kind, int, error) {
	for {
		now := time.Now()
		if now.After(s.hardDeadline()) {
			s.proc.kill("it did not stop at a deadline")
			return 0, 0, os.ErrDeadlineExceeded
		}
		if err := s.file.SetReadDeadline(now.Add(lookInterval)); err != nil {
			return 0, 0, err
		}
		k, n, err := s.header()
		if err == nil {
			return k, n, s.file.SetReadDeadline(s.hardDeadline())
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, 0, err
		}
		if err := s.lookAround(); err != nil {
			return 0, 0, err
		}
	}
}

// lookAround tells the worker of a client that has left and of an Invocation that is
// over.
func (s *session) lookAround() error {
	if s.warned {
		return nil
	}
	m := cancel{Gone: s.c.Client != nil && s.c.Client.Gone(), Over: errors.Is(s.c.Err(), context.Canceled)}
	if !m.Gone && !m.Over {
		return nil
	}
	s.warned = true
	m.Gone = m.Gone || errors.Is(context.Cause(s.c.Context()), host.ErrClientGone)
	return s.send(kindCancel, m)
}

func (s *session) hardDeadline() time.Time {
	deadline, _ := s.c.Deadline()
	return deadline.Add(s.grace)
}

// extend bounds how long the worker may take to listen.
func (s *session) extend() error { return s.file.SetWriteDeadline(s.hardDeadline()) }

// take takes memory, until the end of the session unless it is given back before.
func (s *session) take(n int64) bool {
	if s.c.Memory != nil && !s.c.Memory.Take(n) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken += n
	return true
}

func (s *session) give(n int64) {
	s.mu.Lock()
	s.taken -= n
	s.mu.Unlock()
	if s.c.Memory != nil {
		s.c.Memory.Give(n)
	}
}

// finish ends what the worker has left open, and waits for what is under way.
func (s *session) finish(err error) {
	s.mu.Lock()
	bodies := s.bodies
	s.bodies, s.finished = nil, true
	for _, cancel := range s.asked {
		cancel()
	}
	s.mu.Unlock()
	if err == nil {
		err = errCutShort
	}
	for _, b := range bodies {
		b.close(err)
	}
	s.c.End(err)
	s.give(s.taken)
}

var errCutShort = host.Errorf(host.CodeCanceled, "the guest ended before its body was complete")

// initialize has the worker initialise its module.
func (s *session) initialize(setup runtime.Setup) (done runtime.Initialized, err error) {
	m := initialize{Version: *versionOf(s.c)}
	for i := range setup.Warmup {
		m.Warmup = append(m.Warmup, requestOf(&setup.Warmup[i]))
	}
	s.c.Extend(s.c.Limits.Wall * time.Duration(1+len(setup.Warmup))) // each has its own time
	if err := errors.Join(s.extend(), s.send(kindInitialize, &m)); err != nil {
		return done, err
	}
	e, err := s.serve()
	defer s.finish(err)
	switch {
	case err != nil:
		_, err = s.broken(err)
		return done, host.Errorf(host.CodeInvalid, "the module's initialisation failed: %v", err)
	case e.Code != 0:
		return done, &host.Error{Code: e.Code, Msg: string(e.Err[:min(len(e.Err), maxErr)])}
	case e.Err != "":
		return done, fmt.Errorf("initialise: %s", e.Err[:min(len(e.Err), maxErr)])
	}
	done.Globals, done.Handlers = e.Globals, e.Handlers
	done.Memory, err = s.memory(e.Memory)
	return done, err
}

// memory reads the parts of a memory that are not zeros.
func (s *session) memory(size int64) ([]byte, error) {
	if size < 0 || size > max(s.c.Limits.Memory, 0) {
		return nil, fmt.Errorf("initialise: a memory of %d bytes", size)
	}
	contents := make([]byte, size)
	for {
		k, n, err := s.next()
		if err != nil {
			return nil, err
		}
		data, err := s.payload(n)
		if err != nil {
			return nil, err
		}
		var part image
		if err := cbor.Unmarshal(data, &part); err != nil || k != kindImage {
			return nil, fmt.Errorf("initialise: a frame of kind %d: %w", k, err)
		}
		if len(part.Data) == 0 {
			return contents, nil
		}
		if part.At < 0 || part.At > size-int64(len(part.Data)) {
			return nil, io.ErrShortBuffer
		}
		copy(contents[part.At:], part.Data)
	}
}
